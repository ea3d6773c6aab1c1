"""Cells to float64 and to UTC times: exactly, or not at all."""

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.lake.cell_advice import number_advice, time_advice
from plumbline.lake.problem_text import FileProblem
from plumbline.lake.raw_table import RawTable

if TYPE_CHECKING:
    from plumbline.lake.tabular_source import TabularSource

_MISSING = ["", "na", "n/a", "nan", "none", "null", "-"]
_SAFE_DIGITS = 15  # any decimal of so many digits comes back from float64 as it was
_MOMENT = r"^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(Z|[+-]\d{2}:?\d{2})?$"
_EPOCHS: dict[str, int] = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}
_FINEST = "no time finer than a microsecond"
_LATEST = 4_102_444_800_000_000  # 2100-01-01, in microseconds
_EARLIEST = -2_208_988_800_000_000  # 1900-01-01


def to_floats(table: RawTable, column: str, problems: list[str], if_text: str = "") -> pl.Series:
    """Return a column as float64, NaN for missing.

    Text becomes the nearest float64. A whole number or decimal must come back from float64 as it
    was (for a decimal: from the shortest text of the float), else it is refused. float32 is exact.

    Parameters
    ----------
    table, column : the cells.
    problems : list that messages about cells are appended to.
    if_text : advice for a column that holds no number at all.
    """
    cells = table.frame[column]
    dtype = cells.dtype
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _floats_of_text(table, column, problems, if_text)
    if dtype == pl.Null or dtype.is_float():
        return cells.cast(pl.Float64).fill_null(float("nan"))
    if dtype.is_integer():
        floats = cells.cast(pl.Float64)
        is_same = (floats.cast(dtype, strict=False) == cells).fill_null(value=False)
        _refuse_inexact(table, column, ~is_same & cells.is_not_null(), problems)
        return floats.fill_null(float("nan"))
    if dtype.is_decimal():
        text = cells.cast(pl.String)
        _refuse_inexact(table, column, _inexact_decimals(text), problems)
        return text.cast(pl.Float64).fill_null(float("nan"))
    problems.append(f"{table.name}, column {column!r}: holds {dtype}, not numbers{if_text}")
    return pl.Series(column, np.full(cells.len(), np.nan))


def _floats_of_text(table: RawTable, column: str, problems: list[str], if_text: str) -> pl.Series:
    cells = table.frame[column].cast(pl.String)
    floats = cells.cast(pl.Float64, strict=False) if table.decimal == "." else None
    if floats is None or (floats.is_null() & cells.is_not_null()).any():
        text = cells.str.strip_chars()
        is_missing = text.is_null() | text.str.to_lowercase().is_in(_MISSING)
        if table.decimal == ",":
            text = text.str.replace_all(".", "?", literal=True)
            text = text.str.replace(",", ".", literal=True)
        floats = text.cast(pl.Float64, strict=False)
        is_bad = floats.is_null() & ~is_missing
        what = f"is no number; allowed: 1234{table.decimal}5 or nothing"
        bad = cells.filter(is_bad).str.strip_chars()
        what += number_advice(bad, table.decimal) or (if_text if floats.is_null().all() else "")
        problems.extend(table.cell_problems(column, is_bad.to_numpy(), what))
    is_whole = cells.str.contains(r"^\s*[+-]?\d{16,}\s*$").fill_null(value=False)
    if is_whole.any():
        digits = pl.select(pl.when(is_whole).then(cells.str.strip_chars())).to_series()
        _refuse_inexact(table, column, _inexact_decimals(digits), problems)
    return floats.fill_null(float("nan"))


def _inexact_decimals(text: pl.Series) -> pl.Series:
    digits = text.str.replace_all(r"[-+.]", "").str.strip_chars_start("0").str.strip_chars_end("0")
    is_bad = (digits.str.len_bytes() > _SAFE_DIGITS).fill_null(value=False).to_numpy().copy()
    for row in np.flatnonzero(is_bad):  # rare: numbers longer than a price has digits
        try:
            value = Decimal(text[int(row)])
        except ArithmeticError:
            is_bad[row] = False  # no plain decimal; another check speaks about it
            continue
        is_bad[row] = Decimal(repr(float(value))) != value
    return pl.Series(is_bad)


def _refuse_inexact(table: RawTable, column: str, is_bad: pl.Series, problems: list[str]) -> None:
    what = "does not become float64 without loss; round it first if the loss is meant"
    problems.extend(table.cell_problems(column, is_bad.to_numpy(), what))


def to_closes(
    table: RawTable, column: str, source: "TabularSource", calendar: Calendar, problems: list[str]
) -> pl.Series:
    """Return a column of times as closing times of bars, microseconds UTC.

    Parameters
    ----------
    table, column : the cells: times, dates, counts since 1970 or text.
    source : its ``time_label``, ``time_zone`` and ``time_format`` say what the cells mean.
    calendar : grid on which dates and opening times become closes.
    problems : list that messages about cells are appended to.

    Returns
    -------
    Close times; null where a message was appended.
    """
    cells = table.frame[column]
    is_null = cells.is_null()
    if cells.dtype == pl.String:
        is_null = is_null | (cells.str.strip_chars() == "").fill_null(value=True)
    problems.extend(
        table.cell_problems(column, is_null.to_numpy(), "is no time; none may be left out")
    )
    found = _times(table, column, source, problems)
    times = _within_record(found)
    far = times.is_null() & found.is_not_null()
    if far.any():
        what = "lies outside 1900 … 2099"
        if cells.dtype == pl.String and bool((far | is_null).all()):
            what += time_advice(cells)
        problems.extend(table.cell_problems(column, far.to_numpy(), what, in_one=True))
    lost = found.is_null() & ~is_null
    if cells.dtype == pl.String and source.time_format == "iso" and lost.any():
        lost &= ~_told_mixed(table, column, source.time_zone, problems)
    if lost.any():
        what = _allowed(source, is_text=cells.dtype == pl.String)
        if cells.dtype == pl.String:
            is_all = bool((lost | far | is_null).all())
            what += time_advice(cells) if is_all else "; all cells of a column have one form"
        problems.extend(table.cell_problems(column, lost.to_numpy(), what))
    if times.dtype == pl.Date:
        return _closes_of_sessions(table, times, calendar, problems)
    if source.time_label == "session":
        dates = times.dt.replace_time_zone("UTC").dt.convert_time_zone(source.time_zone).dt.date()
        return _closes_of_sessions(table, dates, calendar, problems)
    if source.time_label == "open":
        if calendar.name != ALWAYS_OPEN:
            problems.append(
                f"{table.name}: time_label='open' needs a 24/7 calendar, not {calendar.name}; "
                "for stamps on the day of a session say time_label='session'"
            )
            return times.dt.replace_time_zone("UTC")
        times = times + calendar.step.astype(object)
    return times.dt.replace_time_zone("UTC")


def _told_mixed(table: RawTable, column: str, zone: str, problems: list[str]) -> pl.Series:
    """Return which cells are dates or times, if a column has both, and say so once."""
    text = table.frame[column].str.strip_chars()
    is_date = _dates_of_text(text).is_not_null()
    is_moment = _moments_of_text(text, zone).is_not_null()
    n_dates, n_moments = int(is_date.sum()), int(is_moment.sum())
    if not (n_dates and n_moments):
        return is_date & is_moment
    (date, moment) = (table.cell(column, int(mask.arg_true()[0])) for mask in (is_date, is_moment))
    place = f"{table.name}, column {column!r}: dates and times of day are mixed: "
    detail = (
        f"{moment} has a time of day, as {n_moments} of {table.frame.height} cells, and {date} "
        f"has none, as {n_dates}"
    )
    fault = "; write all cells of a column in one form"
    problems.append(FileProblem(place, detail, fault))
    return is_date | is_moment


def _allowed(source: "TabularSource", *, is_text: bool) -> str:
    if not is_text and source.time_format == "iso":
        return f"has no one moment in {source.time_zone}"
    if source.time_format == "iso":
        return (
            "is no time; allowed: 2024-01-31, 2024-01-31T16:00:00 or 2024-01-31T16:00:00+00:00, "
            f"unambiguous in {source.time_zone}"
        )
    return f"is no time of the format {source.time_format!r}"


def _closes_of_sessions(
    table: RawTable, dates: pl.Series, calendar: Calendar, problems: list[str]
) -> pl.Series:
    if calendar.frequency != "1d":
        problems.append(
            f"{table.name}: dates cannot label bars of {calendar.frequency}; give times of day"
        )
        return pl.Series(dates.name, [None] * dates.len(), dtype=pl.Datetime("us", "UTC"))
    days = dates.unique().drop_nulls()
    closes, is_session = calendar.session_closes(days.to_numpy())
    day_ends = (days.to_numpy().astype("datetime64[D]") + 1).astype("datetime64[us]")
    stamps = np.where(is_session, closes, day_ends - np.timedelta64(1, "us"))
    table_of = pl.DataFrame({"date": days, "close": pl.Series(stamps.astype("datetime64[us]"))})
    joined = pl.DataFrame({"date": dates}).join(
        table_of, on="date", how="left", maintain_order="left"
    )
    return joined["close"].dt.replace_time_zone("UTC")


def _times(table: RawTable, column: str, source: "TabularSource", problems: list[str]) -> pl.Series:
    """Return dates, or naive UTC times in microseconds; null where a cell is neither."""
    cells = table.frame[column]
    dtype = cells.dtype
    if dtype == pl.Date:
        return cells
    if isinstance(dtype, pl.Datetime):
        return _in_microseconds(table, column, source, problems)
    if source.time_format in _EPOCHS and (dtype == pl.String or dtype.is_integer()):
        return _from_epoch(cells, source.time_format)
    if dtype == pl.String or (dtype.is_integer() and source.time_format != "iso"):
        text = cells.cast(pl.String).str.strip_chars()
        return _times_of_text(text, source)
    hint = time_advice(cells.cast(pl.String)) if dtype.is_integer() else ""
    problems.append(f"{table.name}, column {column!r}: holds {dtype}, not times{hint}")
    return cells.is_null().cast(pl.Int64).cast(pl.Datetime("us"))


def _within_record(times: pl.Series) -> pl.Series:
    micro = times.cast(pl.Datetime("us")).cast(pl.Int64)
    is_far = (micro < _EARLIEST) | (micro >= _LATEST)
    if not is_far.any():
        return times
    return pl.select(pl.when(~is_far).then(times)).to_series().alias(times.name)


def _in_microseconds(
    table: RawTable, column: str, source: "TabularSource", problems: list[str]
) -> pl.Series:
    cells = table.frame[column]
    times = cells.dt.cast_time_unit("us")
    if isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_unit == "ns":
        is_finer = (cells.cast(pl.Int64) % 1000 != 0).fill_null(value=False).to_numpy()
        problems.extend(table.cell_problems(column, is_finer, f"is too fine: {_FINEST}"))
    if isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None:
        return times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _to_utc(times, source.time_zone)


def _to_utc(times: pl.Series, zone: str) -> pl.Series:
    if zone == "UTC":
        return times
    local = times.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _from_epoch(cells: pl.Series, unit: str) -> pl.Series:
    count = cells.cast(pl.Int64, strict=False)
    if unit == "ns":
        micro = pl.select(pl.when(count % 1000 == 0).then(count // 1000)).to_series()
    else:
        factor = _EPOCHS[unit]
        is_near = (count.abs() < 2**62 // factor).fill_null(value=False)
        micro = pl.select(pl.when(is_near).then(count * factor)).to_series()
    return micro.alias(cells.name).cast(pl.Datetime("us"))


def _times_of_text(text: pl.Series, source: "TabularSource") -> pl.Series:
    if source.time_format != "iso":
        if any(code in source.time_format for code in ("%H", "%I", "%T", "%R")):
            times = text.str.to_datetime(source.time_format, time_unit="us", strict=False)
            if times.dtype.time_zone is not None:  # type: ignore[attr-defined]  # is Datetime
                return times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            return _to_utc(times, source.time_zone)
        return text.str.to_date(source.time_format, strict=False)
    dates = _dates_of_text(text)
    if not (dates.is_null() & text.is_not_null()).any():
        return dates
    moments = _moments_of_text(text, source.time_zone)
    if moments.null_count() <= dates.null_count():
        return moments
    return dates


def _dates_of_text(text: pl.Series) -> pl.Series:
    is_date = text.str.contains(r"^\d{4}-\d{2}-\d{2}$")
    return pl.select(pl.when(is_date).then(text)).to_series().str.to_date("%Y-%m-%d", strict=False)


def _moments_of_text(text: pl.Series, zone: str) -> pl.Series:
    parts = text.str.extract_groups(_MOMENT).struct.unnest()
    clock = parts["2"]
    has_none = clock.str.len_bytes() == 5
    seconds = pl.select(pl.when(has_none).then(clock + ":00").otherwise(clock)).to_series()
    stamp = parts["1"] + "T" + seconds
    naive = stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    offset = parts["3"].str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True)
    sign = pl.select(pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = offset.str.slice(3, 2).cast(pl.Int64, strict=False)
    shift = (sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us"))
    local = _to_utc(naive, zone)
    return pl.select(pl.when(offset.is_null()).then(local).otherwise(naive - shift)).to_series()
