"""Sources of klines: what those of trades and those of mark prices share."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from plumbline.core.calendar import Calendar
from plumbline.core.errors import nearest_names
from plumbline.lake.archive_source import ArchiveSource, Rows, Told, stem_of
from plumbline.lake.selection import names_in

_NAME = re.compile(r"(?P<asset>.+)-(?P<interval>\d+(?:s|m|h|d|w|mo))-\d{4}-\d{2}(?:-\d{2})?")
_ODD_CLOSES = ("refuse", "flag")


@dataclass(frozen=True)
class KlineSource(ArchiveSource):
    """Files of klines, named such as ``BTCUSDT-5m-2020-03.zip``, with or without a header line.

    Stamps count milliseconds or microseconds since 1970, UTC: each file by itself, and all rows of
    a file alike. They mark the opening of a bar; the calendar must have bars of the same length.

    Parameters
    ----------
    interval : length of a bar in all files, such as ``5m``; default: what their names tell.
    fields : the fields to take; default: all that there are.
    odd_closes : what is done about a row whose ``close_time`` is not the last millisecond or
        microsecond of its bar: ``refuse`` the file, or ``flag`` it in the quality report.
    """

    interval: str | None = None
    fields: str | Sequence[str] | None = None
    odd_closes: Literal["refuse", "flag"] = "refuse"

    example: ClassVar[str] = "BTCUSDT-5m-2020-03.zip"

    @abstractmethod
    def offered(self) -> Mapping[str, str]:
        """Return field -> column of a kline that it is read from."""

    def asset_in(self, stem: str) -> str | None:
        """Return the asset of a name such as ``BTCUSDT-5m-2020-03``, else None."""
        found = _NAME.fullmatch(stem)
        return None if found is None else found["asset"]

    def rows(self, path: Path, name: str, calendar: Calendar, told: Told) -> Rows | None:
        """Return the bars of one file; see :meth:`ArchiveSource.rows`."""
        import polars as pl

        from plumbline.lake.klines import kline_closes, read_klines
        from plumbline.lake.quality import finding

        before = len(told.problems)
        asset = self.asset_of(name, told.problems)
        self._refuse_length(name, calendar, told.problems)
        table = read_klines(path, name, told.problems)
        if table is None or len(told.problems) > before:
            return None
        step_us = int(calendar.step.astype("timedelta64[us]").astype(int))
        closes, is_odd = kline_closes(table, step_us, self.odd_closes, told.problems)
        if len(told.problems) > before:
            return None
        offered = self.offered()
        chosen = names_in(offered if self.fields is None else self.fields)
        values = [table.frame[offered[field]].cast(pl.Float64).alias(field) for field in chosen]
        names = pl.Series("asset", [asset]).new_from_index(0, table.frame.height)
        bars = pl.DataFrame([closes, names, *values])
        if is_odd.any():
            told.findings.append(
                finding(bars.filter(is_odd), "odd_close", "flagged", None, pl.lit(1.0))
            )
        return Rows(bars, table)

    def _refuse_length(self, name: str, calendar: Calendar, problems: list[str]) -> None:
        """Append that the calendar's bars are of another length, or that none is told."""
        found = _NAME.fullmatch(stem_of(name))
        interval = self.interval or (None if found is None else found["interval"])
        if interval is None:
            problems.append(
                f"{name}: its name does not tell the length of a bar as in {self.example}; say "
                "interval"
            )
        elif interval != calendar.frequency:
            problems.append(
                f"{name}: holds bars of {interval}, the calendar has bars of {calendar.frequency}; "
                f"say calendar: '24/7 {interval}', or take files of {calendar.frequency} alone"
            )

    def _parameter_problems(self) -> list[str]:
        problems = []
        if self.fields is not None:
            object.__setattr__(self, "fields", names_in(self.fields))
            wrong = [field for field in names_in(self.fields) if field not in self.offered()]
            problems += [f"fields: no {f!r}; {nearest_names(f, self.offered())}" for f in wrong]
            if not self.fields:
                problems.append("fields must name at least one field")
        if self.odd_closes not in _ODD_CLOSES:
            hint = nearest_names(self.odd_closes, _ODD_CLOSES)
            problems.append(f"odd_closes={self.odd_closes!r}: {hint}")
        return problems
