"""Funding rates of perpetual futures in the archives of Binance."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, final

from plumbline.core.calendar import Calendar
from plumbline.lake.archive_source import ArchiveSource, Rows, Told

if TYPE_CHECKING:
    import polars

    from plumbline.lake.raw_table import RawTable

_NAME = re.compile(r"(?P<asset>.+)-fundingRate-\d{4}-\d{2}(?:-\d{2})?")
_COLUMNS = ("calc_time", "funding_interval_hours", "last_funding_rate")
_HOUR_US = 3_600_000_000
_LATE_US = 60_000_000


@final
@dataclass(frozen=True)
class Funding(ArchiveSource):
    """Funding rates as Binance's public archive holds them: ``BTCUSDT-fundingRate-2020-01.zip``.

    The fields are ``funding_rate``, what longs pay to shorts, share of the position, and
    ``funding_interval_hours``, hours since the funding before. The rate of a bar is the one paid
    at its close, which is when it becomes known: ``24/7 8h`` has a bar for each funding of most
    futures. On a finer grid the bars between two fundings say nothing, and nothing is filled in.

    The exchange's stamps are a few milliseconds late. One at most a minute behind a full hour means
    that hour; another stands as it is, and is dropped and reported where it is no bar's close.

    References
    ----------
    Binance, "Binance Public Data", https://github.com/binance/binance-public-data.
    """

    example: ClassVar[str] = "BTCUSDT-fundingRate-2020-01.zip"

    def asset_in(self, stem: str) -> str | None:
        """Return the asset of a name such as ``BTCUSDT-fundingRate-2020-01``, else None."""
        found = _NAME.fullmatch(stem)
        return None if found is None else found["asset"]

    def rows(self, path: Path, name: str, calendar: Calendar, told: Told) -> Rows | None:
        """Return the funding rates of one file; see :meth:`ArchiveSource.rows`."""
        import polars as pl

        from plumbline.lake.convert import to_floats
        from plumbline.lake.delimited import checked_text
        from plumbline.lake.packed import unpacked

        problems = told.problems
        asset = self.asset_of(name, problems)
        data = unpacked(path, name, problems)
        text = None if data is None else checked_text(data, name, problems)
        table = None if text is None else _table(text, name, problems)
        if table is None:
            return None
        times = _times(table, problems)
        rate = to_floats(table, "last_funding_rate", problems).alias("funding_rate")
        hours = to_floats(table, "funding_interval_hours", problems)
        step_hours = calendar.step.astype("timedelta64[m]").astype(int) / 60
        is_dense = (hours < step_hours).to_numpy()
        what = f"is less than a bar of {step_hours:g} hours; take a calendar of shorter bars"
        problems.extend(table.cell_problems("funding_interval_hours", is_dense, what))
        if problems:
            return None
        names = pl.Series("asset", [asset]).new_from_index(0, table.frame.height)
        return Rows(pl.DataFrame([times, names, rate, hours]), table)

    def _parameter_problems(self) -> list[str]:
        return []


def _table(text: bytes, name: str, problems: list[str]) -> "RawTable | None":
    from plumbline.core.column_names import field_name
    from plumbline.lake.delimited import Marks, cells_of

    has_header = not text.lstrip(b'\r\n" \t')[:1].isdigit()
    table = cells_of(text, name, Marks(",", ".", None if has_header else _COLUMNS), problems)
    if table is None or tuple(map(field_name, table.frame.columns)) == _COLUMNS:
        return table
    held = ", ".join(map(repr, table.frame.columns))
    problems.append(
        f"{name}: the first line holds {held}; files of funding have the columns "
        f"{', '.join(_COLUMNS)}, or none named; for other tables say source: csv"
    )
    return None


def _times(table: "RawTable", problems: list[str]) -> "polars.Series":
    """Return when fundings were paid, microseconds UTC; stamps a minute late count as in time."""
    import polars as pl

    from plumbline.lake.klines import stamps_us

    stamps = table.frame["calc_time"].str.strip_chars().cast(pl.Int64, strict=False)
    is_none = stamps.is_null().to_numpy()
    problems.extend(table.cell_problems("calc_time", is_none, "is no time; none may be left out"))
    if is_none.any():
        return stamps
    micro = stamps_us(table, stamps, problems)
    late = micro % _HOUR_US
    paid = pl.select(pl.when(late <= _LATE_US).then(micro - late).otherwise(micro)).to_series()
    return paid.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("bar_close")
