"""Daily prices as Yahoo Finance gives them, a file an asset."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from plumbline.core.calendar import Calendar
from plumbline.core.column_names import BAR_NAMES, field_name
from plumbline.core.errors import ParameterError, nearest_names
from plumbline.lake.selection import names_in
from plumbline.lake.source import Source, find_files, path_name
from plumbline.lake.sources.csv import Csv

if TYPE_CHECKING:
    import polars

_CLOSES: dict[str, tuple[str, ...]] = {  # column of the close -> fields that go with it
    "Adj Close": ("close", "volume"),
    "Close": ("open", "high", "low", "close", "volume"),
}
_ENDINGS = (".csv", ".csv.gz")


@final
@dataclass(frozen=True)
class Yahoo(Source):
    """Daily prices with the columns ``Date, Open, High, Low, Close, Adj Close, Volume``.

    A file holds one asset, whose ticker is its name: ``BRK-B.csv``. Dates are sessions. Rows of
    ``null`` are dropped and reported, and so are columns that are not taken, such as dividends and
    splits.

    Parameters
    ----------
    paths : files, folders, or glob patterns, relative to the base folder; one text or several. A
        folder stands for all ``.csv`` and ``.csv.gz`` files in it and in the folders below it.
    close : the column that is the close. ``Adj Close`` is adjusted for splits and dividends; open,
        high and low beside it are not, and are left out. ``Close``, with open, high and low, is
        adjusted for splits alone, or for both in files that were downloaded adjusted.
    asset : name of a file's asset; ``{stem}`` in it is the file's name without its ending.
    time_zone : zone of the exchange, where a time of day stands beside the date.

    Raises
    ------
    ParameterError
        If a value is none of these.
    """

    paths: str | Sequence[str]
    close: Literal["Adj Close", "Close"] = "Adj Close"
    asset: str = "{stem}"
    time_zone: str = "America/New_York"

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", names_in(self.paths))
        if self.close not in _CLOSES:
            raise ParameterError(f"close={self.close!r}: {nearest_names(self.close, _CLOSES)}")
        self._table_source(self.paths)

    def files(self, base: Path) -> tuple[Path, ...]:
        """Return the files that the paths find, those in folders included."""
        return find_files(self.paths, base, _ENDINGS)

    def bars(
        self, base: Path, calendar: Calendar, findings: "list[polars.DataFrame]"
    ) -> "list[polars.DataFrame]":
        """Read all files; see :meth:`Source.bars`."""
        from plumbline.lake.quality import column_findings

        paths = self.files(base)
        frames = self._table_source([path_name(p, base) for p in paths]).bars(
            base, calendar, findings
        )
        left_out = Counter(column for path in paths for column in self._left_out(path))
        notes = {("not_taken", column): count for column, count in left_out.items()}
        findings.append(column_findings(notes))
        return frames

    def places(self, base: Path, calendar: Calendar, wanted: "polars.DataFrame") -> list[list[str]]:
        """Return the file and line of each value; see :meth:`Source.places`."""
        paths = [path_name(path, base) for path in self.files(base)]
        return self._table_source(paths).places(base, calendar, wanted)

    def _table_source(self, paths: str | Sequence[str]) -> Csv:
        """Return how files are read: as tables whose columns are chosen."""
        return Csv(
            paths,
            columns={"close": self.close},
            fields=_CLOSES[self.close],
            asset=self.asset,
            time_label="session",
            time_zone=self.time_zone,
            delimiter=",",
        )

    def _left_out(self, path: Path) -> list[str]:
        from plumbline.lake.packed import gunzipped

        data = path.read_bytes()
        text = gunzipped(data) if path.suffix.lower() == ".gz" else data
        header = next(csv.reader([text.lstrip().split(b"\n", 1)[0].decode("utf-8-sig")]))
        taken = {self.close, *(f for f in _CLOSES[self.close] if f != "close")}
        return [
            column
            for column in map(str.strip, header)
            if field_name(column) not in (*BAR_NAMES, *map(field_name, taken))
        ]
