"""Which rows of a file hold the values of a bar, for messages about what was read."""

from typing import TYPE_CHECKING

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.columns import find_roles
from plumbline.lake.convert import to_closes, to_floats
from plumbline.lake.long_table import asset_names
from plumbline.lake.raw_table import RawTable

if TYPE_CHECKING:
    from plumbline.lake.table_source import TableSource


def rows_of(
    table: RawTable, source: "TableSource", calendar: Calendar, wanted: pl.DataFrame
) -> list[tuple[int, int]]:
    """Return pairs of a row of ``wanted`` and a row of the file, in the file's order.

    Parameters
    ----------
    table : a file that was read without a problem.
    source, calendar : as they were then.
    wanted : ``asset`` and ``bar_close``; see :meth:`plumbline.lake.source.Source.places`.
    """
    roles = find_roles(table.frame.columns, source, table.name, [])
    if roles is None or table.frame.height == 0:
        return []
    closes = to_closes(table, roles.bar, source, calendar, []).alias("bar_close")
    if source.form == "wide":
        names = set(wanted["asset"])
        columns = {name: c for name, c in roles.values.items() if name.strip() in names}
        values = [
            to_floats(table, column, []).alias(f"={name}") for name, column in columns.items()
        ]
        wide = pl.DataFrame([closes, *values]).with_row_index("row")
        long = wide.unpivot(index=["row", "bar_close"], variable_name="asset", value_name="value")
        held = long.filter(pl.col("value").is_not_nan())
        held = held.with_columns(pl.col("asset").str.slice(1).str.strip_chars())
    else:
        assets = asset_names(table, roles, source, [])
        held = pl.DataFrame([closes, assets.str.strip_chars()]).with_row_index("row")
    asked = wanted.select(pl.col("asset").cast(pl.String), "bar_close").with_row_index("place")
    pairs = held.join(asked, on=["asset", "bar_close"]).sort("row", "place")
    return [(place, row) for place, row in pairs.select("place", "row").iter_rows()]
