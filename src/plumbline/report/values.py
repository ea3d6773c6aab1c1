"""Cells of result tables as Python values, and numbers as text for people."""

import math
from decimal import Decimal
from typing import Final, NamedTuple

import polars as pl

MISSING: Final = "n/a"
_SCIENTIFIC_FROM: Final = 1e7
_LARGEST_AMOUNT: Final = 1e15


class Style(NamedTuple):
    """How a quantity is written: value times ``scale`` with ``digits`` decimals, in ``unit``."""

    scale: float
    digits: int
    unit: str = ""


PLAIN: Final = Style(1.0, 0)
COUNT: Final = Style(1.0, 0, "count")
MEAN_COUNT: Final = Style(1.0, 1, "count")
IC: Final = Style(1.0, 3)
RATIO: Final = Style(1.0, 2)
P_VALUE: Final = Style(1.0, 3, "probability")
PERCENT: Final = Style(100.0, 1, "%")
BPS: Final = Style(1e4, 1, "bps")
RETURN: Final = Style(100.0, 2, "%")
AMOUNT: Final = Style(1.0, 0, "currency")
MILLIONS: Final = Style(1e-6, 1)


def finite(value: object) -> float | None:
    """Return a number as float; None if it is no number, NaN or infinite."""
    if not isinstance(value, int | float | Decimal):
        return None
    return float(value) if math.isfinite(value) else None


def finite_column(frame: pl.DataFrame, column: str) -> list[float | None]:
    """Return a column with None for missing and non-finite cells; empty if it is not there."""
    if column not in frame.columns:
        return []
    return finite_cells(frame[column])


def finite_cells(column: pl.Series) -> list[float | None]:
    """Return the numbers of a column as floats, None for missing and non-finite cells."""
    if column.dtype.is_float() or column.dtype.is_integer():
        values = column.cast(pl.Float64)
        is_lost = ~values.is_finite()
        return (values.set(is_lost, None) if is_lost.any() else values).to_list()
    return [finite(value) for value in column.to_list()]


def rows_of(frame: pl.DataFrame, signal: str, horizon_bars: int | None = None) -> pl.DataFrame:
    """Return the rows of one signal, and of one horizon if given; a frame without rows stays."""
    if not frame.height:
        return frame
    chosen = frame.filter(pl.col("signal") == signal)
    return chosen if horizon_bars is None else chosen.filter(pl.col("horizon_bars") == horizon_bars)


def first_row(frame: pl.DataFrame) -> dict[str, float | None]:
    """Return the numeric cells of the first row, None where missing; empty without rows."""
    row = frame.row(0, named=True) if frame.height else {}
    return {name: finite(cell) for name, cell in row.items()}


def horizons_of(frame: pl.DataFrame) -> list[int]:
    """Return the horizons of a table in rising order, bars."""
    if not frame.height:
        return []
    return sorted({int(value) for value in frame["horizon_bars"].drop_nulls().to_list()})


def epoch_seconds(frame: pl.DataFrame) -> list[int]:
    """Return ``bar_close`` as seconds since 1970 UTC; rows without a time are left out."""
    if not frame.height:
        return []
    return frame["bar_close"].drop_nulls().dt.epoch("s").to_list()


def utc_text(column: pl.Series) -> list[str | None]:
    """Return times as ISO 8601 text, dates as ``2017-11-10``, datetimes with ``Z``."""
    if column.dtype == pl.Datetime:
        zone = getattr(column.dtype, "time_zone", None)
        utc = column if zone is None else column.dt.convert_time_zone("UTC")
        return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_list()
    return column.dt.strftime("%Y-%m-%d").to_list()


def dates(column: pl.Series) -> list[str | None]:
    """Return the days (UTC) of a column of times; None where there is none."""
    if not column.dtype.is_temporal():
        return [None] * len(column)
    return [text and text[:10] for text in utc_text(column)]


def number_text(value: float | None, style: Style) -> str:
    """Return a number for the eye: fixed decimals, a true minus sign, ``n/a`` if missing."""
    if value is None or not math.isfinite(value * style.scale):
        return MISSING
    if style is P_VALUE and 0 <= value < 0.5 * 10.0**-style.digits:
        return f"<{10.0**-style.digits:.{style.digits}f}"
    scaled = value * style.scale
    most = _LARGEST_AMOUNT if style == AMOUNT else _SCIENTIFIC_FROM
    if abs(scaled) >= most and style is not COUNT:
        text = f"{scaled:.3g}"
    else:
        text = f"{scaled:,.{style.digits}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")  # no negative zero
    return text.replace("-", "\N{MINUS SIGN}")


def with_unit(value: float | None, style: Style) -> str:
    """Return ``number_text`` followed by its unit where the unit is a symbol."""
    text = number_text(value, style)
    return f"{text} {style.unit}" if style.unit in {"%", "bps"} and text != MISSING else text


def capital_text(value: float | None) -> str:
    """Return an amount of dollars in at most three digits: ``25m``, ``1.5bn``, ``800k``."""
    if value is None or not math.isfinite(value):
        return MISSING
    for size, unit in ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{unit}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"
