"""Panels to and from polars, pandas and Arrow tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, final

import narwhals as nw
import numpy as np

from plumbline.core.calendar import ALWAYS_OPEN, Calendar, grid_of
from plumbline.core.column_names import ASSET_NAMES, BAR_NAMES, OPENING_NAMES, field_name
from plumbline.core.errors import (
    CalendarError,
    MissingDataError,
    MissingExtraError,
    ParameterError,
    nearest_names,
)
from plumbline.core.panel import Panel

_BACKENDS = ("polars", "pandas", "pyarrow")
_FORMS = ("long", "wide")
_CLOSE_NAMES = tuple(name for name in BAR_NAMES if name not in OPENING_NAMES)
_SHOWN = 20  # columns of a table that a message names
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
    form: str = "long",
) -> Panel:
    """Build a panel from a long or wide table.

    Parameters
    ----------
    frame : polars, pandas or pyarrow table; the index of a pandas table is not read.
    bar : column of close times (UTC if naive), or of dates, which are midnight UTC without a
        calendar and session dates with one; with an exchange's calendar, times without a zone
        that are all midnight are dates too. Where the default is not there, the one column of a
        usual name is taken, such as ``date`` or ``timestamp``.
    asset : column of asset names (long table), or None (wide table: one column an asset). Where
        the default is not there, the one column of a usual name is taken, such as ``symbol``.
    fields : columns to take; default: all the others. For a wide table, one name for the field.
    calendar : lays the rows on the grid of a calendar, with a row of NaN for a missing bar; as text
        ``XNYS``, ``24/7`` or with a frequency, ``24/7 1h``. Without one the rows are taken as they
        are and numbered from 0.
    form : ``long``, or ``wide``, which says the same as ``asset=None``.

    Returns
    -------
    A panel. Integers and decimals become float64 if they can be read back from it, else are
    refused; null is NaN.

    Raises
    ------
    MissingDataError
        If a column is missing, or several have a usual name.
    ParameterError
        If ``form`` is no form or denies ``asset``, the frame is no table in memory, a (bar, asset)
        stands twice, a value does not become float64, or a time is null.
    CalendarError
        If a time is off the calendar's grid.
    """
    if form not in _FORMS:
        raise ParameterError(f"form={form!r}: {nearest_names(str(form), _FORMS)}")
    if form == "wide" and asset not in (None, Columns.asset):
        raise ParameterError(f"form='wide' has no column of assets, so asset={asset!r} denies it")
    try:
        table = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise ParameterError(
            f"{type(frame).__name__} is not a table of {', '.join(_BACKENDS)} in memory"
        ) from error
    wanted = Columns(
        bar, None if form == "wide" else asset, None if fields is None else tuple(fields)
    )
    columns = _found(table, wanted)
    grid = None if calendar is None else Calendar(*grid_of(calendar))
    closes = _closes(table[columns.bar], grid)
    if columns.asset is None:
        return _from_wide(table, closes, columns, grid)
    return _from_long(table, closes, columns, grid)


def _found(table: nw.DataFrame[Any], wanted: Columns) -> Columns:
    """Return the columns that are meant, usual names found where the defaults are not there."""
    problems: list[str] = []
    bar = _column("bar", wanted.bar, _CLOSE_NAMES, table.columns, problems)
    asset = wanted.asset
    if asset is not None:
        asset = _column("asset", asset, ASSET_NAMES, table.columns, problems)
        problems += [
            f"{name!r} ({nearest_names(name, table.columns)})"
            for name in wanted.fields or ()
            if name not in table.columns
        ]
    if problems:
        told = f"the table lacks columns: {'; '.join(problems)}"
        raise MissingDataError(told + _index_advice(table))
    return Columns(bar, asset, wanted.fields)


def _column(
    word: str, name: str, usual: Sequence[str], known: Sequence[str], problems: list[str]
) -> str:
    """Return the column that a name means; append what is wrong."""
    if name in known:
        return name
    if name != getattr(Columns, word):
        problems.append(f"{name!r} ({nearest_names(name, known)})")
        return name
    found = [column for column in known if field_name(str(column)) in usual]
    if len(found) == 1:
        return found[0]
    what = "times" if word == "bar" else "assets"
    wide = "" if word == "bar" else ", or form='wide' if every other column is an asset"
    if found:
        told = f"{word} could be {' or '.join(map(repr, found))}; say which with {word}=…{wide}"
    else:
        there = ", ".join(map(str, known[:_SHOWN])) + (", …" if len(known) > _SHOWN else "")
        told = (
            f"one of {what}, none is called {', '.join(usual)}; say {word}=… with one of: "
            f"{there or 'none'}{wide}"
        )
    problems.append(told)
    return name


def _index_advice(table: nw.DataFrame[Any]) -> str:
    """Return what to do about a pandas table whose times or assets lie in its index."""
    if not table.implementation.is_pandas():
        return ""
    index = table.to_native().index
    if index.nlevels > 1:
        return "; its index is not read: give frame.reset_index()"
    if index.dtype.kind != "M":
        return ""
    return "; its index holds times and is not read: give frame.rename_axis('date').reset_index()"


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
