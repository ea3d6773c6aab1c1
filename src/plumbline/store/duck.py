"""The tables of files of portfolios as views of DuckDB."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from plumbline.core.errors import ParameterError
from plumbline.store.layout import Layout, union_of
from plumbline.store.tables import DATED, DATES, LONG, PACKED, SNAPSHOTS, values_of

_TYPES: Final = {
    "String": "VARCHAR",
    "Date": "DATE",
    "Float64": "DOUBLE",
    "Binary": "BLOB",
    "Int64": "BIGINT",
    "Boolean": "BOOLEAN",
}


def query_files(
    query: str,
    days: tuple[Mapping[int, tuple[Path, int]], pl.DataFrame],
    dates: tuple[Mapping[int, tuple[Path, int]], pl.DataFrame],
    layouts: Mapping[str, Layout],
) -> pl.DataFrame:
    """Return the rows of a query over the views of files.

    Parameters
    ----------
    query : one statement of SQL that only reads.
    days : files of portfolio-days by number, each with its rows; and ``file row`` of the rows that
        are there.
    dates : likewise, of correlations.
    layouts : by digest, the first stored first.

    Raises
    ------
    ParameterError
        If the query is not one that only reads, or DuckDB refuses it.
    """
    try:
        statements = duckdb.extract_statements(query)
        if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
            raise ParameterError("give one SELECT: a store is written by its own calls alone")
        with duckdb.connect() as connection:
            _packed_view(connection, "packed", *days, PACKED)
            _packed_view(connection, "packed_dates", *dates, DATES)
            for name, text in views(layouts).items():
                connection.execute(f'CREATE VIEW "{name}" AS {text}')
            return pl.DataFrame(pl.from_arrow(connection.sql(query).to_arrow_table()))
    except duckdb.FatalException as error:
        raise ParameterError(f"DuckDB gave up: {error}") from error
    except duckdb.IOException as error:
        raise FileNotFoundError(2, str(error), "a file of portfolios") from error
    except duckdb.Error as error:
        raise ParameterError(f"DuckDB refuses the query: {error}") from error


def views(layouts: Mapping[str, Layout]) -> dict[str, str]:
    """Return the SELECT of each view over ``packed`` and ``packed_dates``."""
    days = "SELECT portfolio, date, owner, key, n_failures FROM packed"
    named = values_of("snapshots", SNAPSHOTS).items()
    columns = ", ".join(f'{packed} AS "{name}"' for name, (packed, _) in named)
    found = {
        "days": days,
        "snapshots": f"SELECT portfolio, date, {columns} FROM packed WHERE has_snapshot",  # noqa: S608  # names of our own
        "measures": _measures(layouts),
        "correlations": "SELECT date, symbols, n_pairs FROM packed_dates WHERE n_pairs > 0",
    }
    for table, schema in DATED.items():
        found[table] = f"SELECT date, {_unnested(table, schema)} FROM packed_dates"  # noqa: S608  # the same
    for table, schema in LONG.items():
        found[table] = f"SELECT portfolio, date, {_unnested(table, schema)} FROM packed"  # noqa: S608  # the same
    return found


def _unnested(table: str, schema: Mapping[str, Any]) -> str:
    values = values_of(table, schema).items()
    return ", ".join(f'unnest({packed}) AS "{name}"' for name, (packed, _) in values)


def _measures(layouts: Mapping[str, Layout]) -> str:
    columns = ["portfolio", "date"]
    for name, is_whole in union_of(layouts.values()).items():
        cases = " ".join(
            f"WHEN '{digest}' THEN measures[{layout.names.index(name) + 1}]"
            for digest, layout in layouts.items()
            if name in layout.names
        )
        kind = "BIGINT" if is_whole else "DOUBLE"
        quoted = name.replace('"', '""')
        columns.append(f'CAST(CASE layout {cases} END AS {kind}) AS "{quoted}"')
    return f"SELECT {', '.join(columns)} FROM packed WHERE layout IS NOT NULL"  # noqa: S608  # names are quoted


def _packed_view(
    connection: Any,
    name: str,
    files: Mapping[int, tuple[Path, int]],
    live: pl.DataFrame,
    schema: Mapping[str, Any],
) -> None:
    """Make a view of the rows of files that are there; a file that was replaced whole is left."""
    used = sorted(live["file"].unique())
    if not used:
        columns = ", ".join(f"CAST(NULL AS {_type(k)}) AS {n}" for n, k in schema.items())
        connection.execute(f"CREATE VIEW {name} AS SELECT {columns} WHERE false")
        return
    paths = [str(files[number][0]) for number in used]
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    text = f"CREATE VIEW {name} AS SELECT {', '.join(schema)} FROM read_parquet([{quoted}]"  # noqa: S608  # paths are quoted
    if live.height == sum(files[number][1] for number in used):  # nothing in them was replaced
        connection.execute(f"{text})")
        return
    numbers = pl.DataFrame({"path": paths, "file": used})
    connection.register(f"{name}_live", live.join(numbers, on="file").select("path", "row"))
    connection.execute(
        f"{text}, filename = true, file_row_number = true) SEMI JOIN {name}_live "
        "ON path = filename AND row = file_row_number"
    )


def _type(kind: Any) -> str:
    return f"{_type(kind.inner)}[]" if isinstance(kind, pl.List) else _TYPES[str(kind)]
