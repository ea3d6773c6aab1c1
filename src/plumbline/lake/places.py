"""Where in a file the values of a bar stand, for messages about what was read."""

from typing import TYPE_CHECKING

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.columns import Roles, find_roles
from plumbline.lake.convert import to_closes, to_floats
from plumbline.lake.long_table import asset_names, stated_cells
from plumbline.lake.raw_table import RawTable
from plumbline.lake.stem import filled_stem

if TYPE_CHECKING:
    from plumbline.lake.tabular_source import TabularSource


def places_in(
    table: RawTable, source: "TabularSource", calendar: Calendar, wanted: pl.DataFrame
) -> list[tuple[int, str]]:
    """Return pairs of a row of ``wanted`` and a place of its values, in the file's order.

    Parameters
    ----------
    table : a file that was read without a problem.
    source, calendar : as they were then.
    wanted : ``asset``, ``bar_close`` and ``fields``; see
        :meth:`plumbline.lake.source.Source.places`.
    """
    roles = find_roles(table, source, [])
    if roles is None or table.frame.height == 0:
        return []
    is_wide = source.form == "wide"
    held = {filled_stem(source.field, table.name)} if is_wide else set(roles.values)
    is_held = [not held.isdisjoint(fields) for fields in wanted["fields"]]
    asked = wanted.with_row_index("place").filter(is_held)
    if not asked.height:
        return []
    closes = to_closes(table, roles.bar, source, calendar, []).alias("bar_close")
    if is_wide:
        cells = _wide_cells(table, roles, closes, set(asked["asset"]))
    else:
        assets = asset_names(table, roles, source, []).str.strip_chars()
        cells = pl.DataFrame([closes, assets]).with_row_index("row")
    keys = asked.select("place", pl.col("asset").cast(pl.String), "bar_close")
    pairs = cells.join(keys, on=["asset", "bar_close"]).sort("row", "place")
    return [
        (pair["place"], _named(table, pair["row"], pair.get("column")))
        for pair in pairs.iter_rows(named=True)
    ]


def _wide_cells(table: RawTable, roles: Roles, closes: pl.Series, assets: set[str]) -> pl.DataFrame:
    """Return row, bar, asset and column of the cells that are read of some assets."""
    columns = [column for name, column in roles.values.items() if name.strip() in assets]
    values = [to_floats(table, column, []).alias(f"={column}") for column in columns]
    wide = pl.DataFrame([closes, *values]).with_row_index("row")
    cells = wide.unpivot(index=["row", "bar_close"], variable_name="asset", value_name="value")
    column = pl.col("asset").str.slice(1)
    return stated_cells(cells, closes, "value").with_columns(
        column.alias("column"), column.str.strip_chars().alias("asset")
    )


def _named(table: RawTable, row: int, column: str | None) -> str:
    return table.where(row) + ("" if column is None else f", column {column!r}")
