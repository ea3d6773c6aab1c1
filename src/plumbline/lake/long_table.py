"""A file's table to the long shape that every source yields."""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.columns import Roles, find_roles
from plumbline.lake.convert import to_closes, to_floats
from plumbline.lake.raw_table import RawTable
from plumbline.lake.table_source import STEM

if TYPE_CHECKING:
    from plumbline.lake.table_source import TableSource


def long_table(
    table: RawTable, source: "TableSource", calendar: Calendar, problems: list[str]
) -> pl.DataFrame | None:
    """Return bar_close, asset and float64 fields, rows in the order of the file.

    Parameters
    ----------
    table : the cells as they are written.
    source : what the columns mean.
    calendar : grid that dates and opening times are turned into closes on.
    problems : list that every problem of the file is appended to.

    Returns
    -------
    The table, or None if the file has a problem. Of a wide table, cells without a value give no
    row.
    """
    before = len(problems)
    roles = find_roles(table.frame.columns, source, table.name, problems)
    if table.frame.height == 0:
        problems.append(f"{table.name}: the file is empty: it has no row")
    if roles is None or table.frame.height == 0:
        return None
    closes = to_closes(table, roles.bar, source, calendar, problems).alias("bar_close")
    values = {ours: to_floats(table, c, problems).alias(ours) for ours, c in roles.values.items()}
    if source.form == "wide":
        field = source.field.replace(STEM, _stem(table.name))
        return None if len(problems) > before else _melted(closes, values, field)
    assets = _assets(table, roles, source, problems)
    if len(problems) > before:
        return None
    return pl.DataFrame([closes, assets, *values.values()])


def _stem(name: str) -> str:
    return PurePosixPath(name).name.split(".")[0]


def _assets(table: RawTable, roles: Roles, source: "TableSource", problems: list[str]) -> pl.Series:
    if roles.asset is None:
        name = (source.asset or STEM).replace(STEM, _stem(table.name))
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
    return long.filter(pl.col(field).is_not_nan()).with_columns(pl.col("asset").str.slice(1))
