"""Sources that yield tables: what files of them and queries share."""

import dataclasses
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError, SourceError, nearest_names
from plumbline.lake.problem_text import told_once
from plumbline.lake.selection import names_in
from plumbline.lake.source import Source

if TYPE_CHECKING:
    import polars

    from plumbline.lake.raw_table import RawTable

_FORMS = ("long", "wide")
_TIME_LABELS = ("close", "open", "session")


@dataclass(frozen=True, kw_only=True)
class TabularSource(Source):
    """Tables in long form (a row a bar and asset) or wide (a row a bar).

    Parameters
    ----------
    form : ``long`` or ``wide``, which has one column an asset and one field a file.
    columns : our word -> column of the file: ``bar`` (the time), ``asset``, or a field's name.
        Usual names (``date``, ``timestamp``, ``symbol``, ``ticker`` …) are found by themselves.
        A column that would have a field's name by itself is left out when another is given it.
    fields : long form: the field or fields to take; default: all other columns, whose names are
        lowered and joined by underscores (``Adj Close`` is ``adj_close``).
    field : wide form: the field that the cells hold; ``{stem}`` is the name of the file without
        the endings that say its format: ``.csv .tsv .txt .parquet .pq .arrow .feather .ipc``, and
        ``.gz`` or ``.zip`` behind them. ``BRK.B.csv.gz`` has the stem ``BRK.B``.
    asset : long form without an asset column: the asset of the whole file; may hold ``{stem}``.
    time_label : what a time stamp marks: the ``close`` of a bar, its ``open`` (24/7 only), or
        the ``session`` whose date it falls on. A column of dates always marks sessions.
    time_zone : zone of time stamps that name none, such as ``America/New_York``.
    time_format : ``iso``; ``s ms us ns`` for counts since 1970; or a pattern such as
        ``%d/%m/%Y``.

    Raises
    ------
    ParameterError
        If a value is none of these.
    """

    form: Literal["long", "wide"] = "long"
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fields: str | Sequence[str] | None = None
    field: str = "close"
    asset: str | None = None
    time_label: Literal["close", "open", "session"] = "close"
    time_zone: str = "UTC"
    time_format: str = "iso"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", dict(self.columns))
        if self.fields is not None:
            object.__setattr__(self, "fields", names_in(self.fields))
        problems = [*self._place_problems(), *self._role_problems()]
        if problems:
            raise ParameterError("; ".join(problems))

    def bars(
        self, base: Path, calendar: Calendar, findings: "list[polars.DataFrame]"
    ) -> "list[polars.DataFrame]":
        """Read all tables; see :meth:`Source.bars`."""
        from plumbline.lake.long_table import long_table, without_named_twice
        from plumbline.lake.quality import column_findings

        told: list[tuple[str, str]] = []
        notes: Counter[tuple[str, str]] = Counter()
        frames = []
        for name, table, problems in self.tables(base):
            frame = None if table is None else long_table(table, self, calendar, problems, notes)
            told += [(name, problem) for problem in problems]
            if frame is not None:
                frames.append(frame)
        if told:
            raise SourceError(self.subject(base), told_once(told))
        findings.append(column_findings(notes))
        return without_named_twice(frames) if self.form == "wide" else frames

    def places(self, base: Path, calendar: Calendar, wanted: "polars.DataFrame") -> list[list[str]]:
        """Return the table and line of each value; see :meth:`Source.places`."""
        from plumbline.lake.places import places_in

        found: list[list[str]] = [[] for _ in range(wanted.height)]
        for _, table, _ in self.tables(base):
            if table is not None:
                for row, place in places_in(table, self, calendar, wanted):
                    found[row].append(place)
        return found

    @abstractmethod
    def tables(self, base: Path) -> "Iterator[tuple[str, RawTable | None, list[str]]]":
        """Yield each table: its name in messages, the table as it is written, and its problems.

        Parameters
        ----------
        base : folder that relative paths start from.
        """

    @abstractmethod
    def subject(self, base: Path) -> str:
        """Return what messages call all of it."""

    @abstractmethod
    def _place_problems(self) -> list[str]:
        """Return what is wrong with the parameters that say where the tables are."""

    def _role_problems(self) -> list[str]:
        problems = []
        if self.form not in _FORMS:
            problems.append(f"form={self.form!r}: {nearest_names(self.form, _FORMS)}")
        if self.time_label not in _TIME_LABELS:
            hint = nearest_names(self.time_label, _TIME_LABELS)
            problems.append(f"time_label={self.time_label!r}: {hint}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problems.append(f"time_zone={self.time_zone!r} is no zone such as 'America/New_York'")
        if self.time_format not in ("iso", "s", "ms", "us", "ns") and "%" not in self.time_format:
            problems.append(
                f"time_format={self.time_format!r} is none of iso, s, ms, us, ns and no pattern "
                "such as '%d/%m/%Y'"
            )
        if self.form == "wide" and not self.field:
            problems.append("a wide table needs the name of its field")
        return problems
