"""Panels to and from polars, pandas and Arrow tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, final

import narwhals as nw
import numpy as np

from plumbline.core.calendar import ALWAYS_OPEN, Calendar, grid_of
from plumbline.core.errors import (
    CalendarError,
    MissingDataError,
    MissingExtraError,
    ParameterError,
    nearest_names,
)
from plumbline.core.panel import Panel

_BACKENDS = ("polars", "pandas", "pyarrow")
_DIGITS = Context(prec=400)  # room for every float64 and every decimal written out


@final
@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what.

    Parameters
    ----------
    bar : column of close times (UTC) or, with a calendar, of session dates.
    asset : column of asset names; None says that the table is wide, one column an asset.
    fields : columns to take, all the others if None; of a wide table, the one field's name.
    """

    bar: str = "bar_close"
    asset: str | None = "asset"
    fields: tuple[str, ...] | None = None


def panel_from_frame(
    frame: Any,
    *,
    bar: str = "bar_close",
    asset: str | None = "asset",
    fields: Sequence[str] | None = None,
    calendar: Calendar | str | None = None,
) -> Panel:
    """Build a panel from a long or wide table.

    Parameters
    ----------
    frame : polars, pandas or pyarrow table.
    bar : column of close times (UTC if naive), or of dates, which are midnight UTC without a
        calendar and session dates with one; with an exchange's calendar, times without a zone
        that are all midnight are dates too.
    asset : column of asset names (long table), or None (wide table: one column an asset).
    fields : columns to take; default: all the others. For a wide table, one name for the field.
    calendar : lays the rows on the grid of a calendar, with a row of NaN for a missing bar; as text
        ``XNYS``, ``24/7`` or with a frequency, ``24/7 1h``. Without one the rows are taken as they
        are and numbered from 0.

    Returns
    -------
    A panel. Integers and decimals become float64 if they can be read back from it, else are
    refused; null is NaN.

    Raises
    ------
    MissingDataError
        If a column is missing.
    ParameterError
        If the frame is no table in memory, a (bar, asset) stands twice, a value does not become
        float64, or a time is null.
    CalendarError
        If a time is off the calendar's grid.
    """
    columns = Columns(bar, asset, None if fields is None else tuple(fields))
    try:
        table = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise ParameterError(
            f"{type(frame).__name__} is not a table of {', '.join(_BACKENDS)} in memory"
        ) from error
    needed = [name for name in (columns.bar, columns.asset) if name is not None]
    wanted = needed + (list(columns.fields or ()) if asset is not None else [])
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        hints = "; ".join(f"{name!r} ({nearest_names(name, table.columns)})" for name in missing)
        raise MissingDataError(f"the table lacks columns: {hints}")
    grid = None if calendar is None else Calendar(*grid_of(calendar))
    closes = _closes(table[columns.bar], grid)
    if asset is None:
        return _from_wide(table, closes, columns, grid)
    return _from_long(table, closes, columns, grid)


def frame_from_panel(panel: Panel, backend: str = "polars") -> Any:
    """Return a long table sorted by bar, then asset; see :meth:`Panel.to_frame`."""
    if backend not in _BACKENDS:
        hint = nearest_names(backend, _BACKENDS)
        raise ParameterError(f"no table library {backend!r}; {hint}")
    import polars as pl

    n_bars, n_assets = panel.shape
    close = pl.Series("bar_close", np.repeat(panel.bars, n_assets)).dt.replace_time_zone("UTC")
    asset = pl.Series("asset", list(panel.assets) * n_bars, dtype=pl.String)
    values = {name: np.ascontiguousarray(panel[name]).reshape(-1) for name in panel}
    table = pl.DataFrame([close, asset, *(pl.Series(k, v) for k, v in values.items())])
    if backend == "polars":
        return table
    if backend == "pyarrow":
        return table.to_arrow()
    try:
        return table.to_pandas()
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas") from error


def _closes(column: nw.Series[Any], calendar: Calendar | None) -> np.ndarray:
    if column.null_count():
        raise ParameterError(f"column {column.name!r} has {column.null_count()} missing times")
    if column.dtype == nw.Unknown and str(column.to_native().dtype).startswith("datetime64["):
        # narwhals does not read the names of pandas zones such as America/New_York
        column = nw.from_native(column.to_native().dt.tz_convert("UTC"), series_only=True)
    if column.dtype == nw.Date:
        return _closes_of_days(column.to_numpy().astype("datetime64[D]"), calendar)
    if not isinstance(column.dtype, nw.Datetime):
        raise ParameterError(
            f"column {column.name!r} holds {column.dtype}; expected dates or date-times"
        )
    if column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.to_numpy().astype("datetime64[us]")
    times = column.to_numpy().astype("datetime64[us]")
    days = times.astype("datetime64[D]")
    if calendar is not None and calendar.name != ALWAYS_OPEN and (times == days).all():
        return _closes_of_days(days, calendar)  # pandas has no type for a date
    return times


def _closes_of_days(days: np.ndarray, calendar: Calendar | None) -> np.ndarray:
    if calendar is None:
        return days.astype("datetime64[us]")
    closes, is_session = calendar.session_closes(days)
    if not is_session.all():
        shown = ", ".join(str(d) for d in days[~is_session][:5])
        raise CalendarError(f"no sessions of {calendar.name}: {shown}")
    return closes


def _from_long(
    table: nw.DataFrame[Any], closes: np.ndarray, columns: Columns, calendar: Calendar | None
) -> Panel:
    asset = str(columns.asset)
    if table[asset].null_count():
        raise ParameterError(f"column {asset!r} has {table[asset].null_count()} missing names")
    fields = columns.fields or tuple(
        name for name in table.columns if name not in (columns.bar, asset)
    )
    assets, column = np.unique(
        table[asset].cast(nw.String).to_numpy().astype(str), return_inverse=True
    )
    bars, row, first_bar = _grid(closes, calendar)
    cell = row * len(assets) + column
    _refuse_duplicates(cell, bars, assets)
    arrays = {}
    for name in fields:
        dense = np.full(len(bars) * len(assets), np.nan)
        dense[cell] = _exact_floats(table[name])
        arrays[name] = dense.reshape(len(bars), len(assets))
    return Panel(arrays, bars, [str(a) for a in assets], first_bar=first_bar)


def _from_wide(
    table: nw.DataFrame[Any], closes: np.ndarray, columns: Columns, calendar: Calendar | None
) -> Panel:
    fields = columns.fields or ("value",)
    if len(fields) != 1:
        raise ParameterError(f"a wide table holds one field, got names {fields}")
    assets = sorted(name for name in table.columns if name != columns.bar)
    bars, row, first_bar = _grid(closes, calendar)
    _refuse_duplicates(row, bars, ["every asset"])
    dense = np.full((len(bars), len(assets)), np.nan)
    for i, name in enumerate(assets):
        dense[row, i] = _exact_floats(table[name])
    return Panel({fields[0]: dense}, bars, assets, first_bar=first_bar)


def _grid(closes: np.ndarray, calendar: Calendar | None) -> tuple[np.ndarray, np.ndarray, int]:
    if calendar is None or closes.size == 0:
        bars, row = np.unique(closes, return_inverse=True)
        return bars, row, 0
    numbers = calendar.numbers(closes)
    first, last = int(numbers.min()), int(numbers.max())
    return calendar.closes(first, last), numbers - first, first


def _refuse_duplicates(
    cell: np.ndarray, bars: np.ndarray, assets: Sequence[str] | np.ndarray
) -> None:
    unique, count = np.unique(cell, return_counts=True)
    if unique.size == cell.size:
        return
    twice = unique[count > 1]
    shown = ", ".join(f"{bars[c // len(assets)]} {assets[c % len(assets)]}" for c in twice[:5])
    raise ParameterError(f"{twice.size} bars stand more than once: {shown}; deduplicate the table")


def _exact_floats(column: nw.Series[Any]) -> np.ndarray:
    """Return float64, null as NaN; refuse values that could not be read back from it."""
    dtype = column.dtype
    if dtype.is_float() or dtype == nw.Boolean:
        return column.cast(nw.Float64).to_numpy().astype(np.float64)
    if not dtype.is_numeric():
        raise ParameterError(f"column {column.name!r} holds {dtype}, not numbers")
    missing = column.is_null().to_numpy()
    if dtype.is_integer():
        exact = column.fill_null(0).to_numpy()
        floats = exact.astype(np.float64)
        large = (exact > 2**53) | (exact < -(2**53))
        pairs = zip(exact[large].tolist(), floats[large].tolist(), strict=True)
        inexact = sum(int(number) != whole for whole, number in pairs)
    else:
        decimals = column.fill_null(Decimal(0)).to_list()
        floats = np.array([float(value) for value in decimals], dtype=np.float64)
        pairs = zip(decimals, floats.tolist(), strict=True)
        inexact = sum(
            Decimal(number).quantize(value, None, _DIGITS) != value for value, number in pairs
        )
    if inexact:
        raise ParameterError(
            f"column {column.name!r} of {dtype} has {inexact} values that float64 cannot hold; "
            "convert it yourself if that loss is meant"
        )
    floats[missing] = np.nan
    return floats
