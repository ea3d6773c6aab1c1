"""A file's table to the long shape that every source yields."""

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.column_names import ASSET_NAMES, field_name
from plumbline.lake.columns import Roles, find_roles
from plumbline.lake.convert import to_closes, to_floats
from plumbline.lake.raw_table import RawTable
from plumbline.lake.stem import STEM, filled_stem

if TYPE_CHECKING:
    from plumbline.lake.tabular_source import TabularSource


def long_table(
    table: RawTable,
    source: "TabularSource",
    calendar: Calendar,
    problems: list[str],
    notes: Counter[tuple[str, str]],
) -> pl.DataFrame | None:
    """Return bar_close, asset and float64 fields, rows in the order of the file.

    Parameters
    ----------
    table : the cells as they are written.
    source : what the columns mean.
    calendar : grid that dates and opening times are turned into closes on.
    problems : list that every problem of the file is appended to.
    notes : (rule, column) -> files, raised by what the quality report says of its columns.

    Returns
    -------
    The table, or None if the file has a problem. Of a wide table, cells without a value give no
    row, but a column without any gives one, so that its asset is named, and so does a cell whose
    bar stands in the file again, there with a value.
    """
    before = len(problems)
    roles = find_roles(table, source, problems)
    if table.frame.height == 0:
        problems.append(f"{table.name}: the file is empty: it has no row")
    if roles is None or table.frame.height == 0:
        return None
    notes.update((rule, column) for column, rule in roles.notes.items())
    closes = to_closes(table, roles.bar, source, calendar, problems).alias("bar_close")
    values = _numbers(table, roles, source, problems)
    if source.form == "wide":
        problems.extend(_long_after_all(table, roles, closes))
        field = filled_stem(source.field, table.name)
        written = {table.written.get(name, name): cells for name, cells in values.items()}
        return None if len(problems) > before else _melted(closes, written, field)
    assets = asset_names(table, roles, source, problems)
    if len(problems) > before:
        return None
    return pl.DataFrame([closes, assets, *values.values()])


def _numbers(
    table: RawTable, roles: Roles, source: "TabularSource", problems: list[str]
) -> dict[str, pl.Series]:
    before = len(problems)
    columns = roles.values.items()
    values = {ours: to_floats(table, c, problems).alias(ours) for ours, c in columns}
    if len(problems) == before:
        return values
    del problems[before:]  # said again, with advice that only whoever has seen all columns can give
    named = [ours for ours, cells in values.items() if not cells.is_nan().all()]
    advice = ""
    if named:
        advice = f"; if it is no field, leave it out: say fields: [{', '.join(named)}]"
    elif len(values) > 1:
        advice = (
            "; if it is no field, leave it out: say fields: [those that are] of "
            f"{', '.join(values)}"
        )
    if source.form == "wide":
        advice = "; if the table has a row a bar and asset, say form: long"
    for column in roles.values.values():
        to_floats(table, column, problems, advice)
    return values


def _long_after_all(table: RawTable, roles: Roles, closes: pl.Series) -> list[str]:
    """Return why a table read as wide seems to be long: numbers of assets pass for prices."""
    usual = [column for column in roles.values.values() if field_name(column) in ASSET_NAMES]
    if not usual or closes.n_unique() == closes.len():
        return []
    said = (
        f"{table.name}: times stand on several rows, and column {usual[0]!r} seems to hold assets"
    )
    return [f"{said}; if the table has a row a bar and asset, say form: long"]


def asset_names(
    table: RawTable, roles: Roles, source: "TabularSource", problems: list[str]
) -> pl.Series:
    """Return the asset of each row of a long table; append what is no name."""
    if roles.asset is None:
        name = filled_stem(source.asset or STEM, table.name)
        return pl.Series("asset", [name]).new_from_index(0, table.frame.height)
    cells = table.frame[roles.asset]
    if not (cells.dtype in (pl.String, pl.Categorical, pl.Enum) or cells.dtype.is_integer()):
        problems.append(
            f"{table.name}, column {roles.asset!r}: holds {cells.dtype}, not names of assets"
        )
        return pl.Series("asset", [""]).new_from_index(0, table.frame.height)
    names = cells.cast(pl.String).alias("asset")
    is_empty = (names.str.strip_chars() == "").fill_null(value=True)
    what = "is no asset name; none may be empty"
    problems.extend(table.cell_problems(roles.asset, is_empty.to_numpy(), what))
    return names


def _melted(closes: pl.Series, values: dict[str, pl.Series], field: str) -> pl.DataFrame:
    wide = pl.DataFrame([closes.alias("bar_close"), *(v.alias(f"={k}") for k, v in values.items())])
    long = wide.unpivot(index="bar_close", variable_name="asset", value_name=field)
    long = stated_cells(long, closes, field).with_columns(pl.col("asset").str.slice(1))
    empty = [name for name, cells in values.items() if cells.is_nan().all()]
    if not empty:
        return long
    named = pl.DataFrame({"asset": empty}).with_columns(
        pl.lit(closes[0]).cast(closes.dtype).alias("bar_close"),
        pl.lit(float("nan")).alias(field),
    )
    return pl.concat([long, named.select(long.columns)])


def stated_cells(cells: pl.DataFrame, closes: pl.Series, value: str) -> pl.DataFrame:
    """Drop the cells of a wide table that say nothing of their bar and asset.

    Those are the cells without a value, unless the bar stands in the file again, there with a
    value of the asset: a missing value against a present one conflicts, as it does in a long table.

    Parameters
    ----------
    cells : ``bar_close``, ``asset`` and values, a row a cell.
    closes : the bars of the file's rows.
    value : name of the values' column.
    """
    has_value = pl.col(value).is_not_nan()
    again = closes.filter(closes.is_duplicated()).unique()
    if not again.len():
        return cells.filter(has_value)
    is_again = pl.col("bar_close").is_in(again.implode())
    return cells.filter(has_value | (is_again & has_value.any().over("bar_close", "asset")))


def without_named_twice(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Drop the rows that stand for a wide column without values, if another table has its asset.

    What is left names each asset that no file has a value of, once, so that cleaning reports it.
    """
    is_empty = [_is_valueless(frame) for frame in frames]
    if not any(mask.any() for mask in is_empty):
        return frames
    pairs = list(zip(frames, is_empty, strict=True))
    known = set().union(*(frame["asset"].filter(~mask).unique() for frame, mask in pairs))
    kept = []
    for frame, mask in pairs:
        needless = frame["asset"].filter(mask)
        is_kept = ~mask | ~frame["asset"].is_in(sorted(known))
        known.update(needless)
        kept.append(frame.filter(is_kept))
    return kept


def _is_valueless(frame: pl.DataFrame) -> pl.Series:
    """Return which rows are of an asset that the table has no value of."""
    is_nan = frame[frame.columns[-1]].is_nan()
    if not is_nan.any():
        return is_nan
    known = frame["asset"].filter(~is_nan).unique()
    return is_nan & ~frame["asset"].is_in(known.implode())
