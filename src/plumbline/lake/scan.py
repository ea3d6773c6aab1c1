"""Queries over a dataset's segments: they are plain Parquet, which any engine reads without us."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars


def scan_segments(paths: Sequence[Path], fields: Sequence[str]) -> "polars.LazyFrame":
    """Return a polars query over segments: bar_close, asset, fields; null where a file lacks one.

    Parameters
    ----------
    paths : files of the segments.
    fields : names of the dataset's fields.
    """
    import polars as pl

    schema: dict[str, Any] = {"bar_close": pl.Datetime("us", "UTC"), "asset": pl.String}
    schema |= dict.fromkeys(fields, pl.Float64)
    return pl.scan_parquet(
        list(paths), schema=schema, missing_columns="insert", extra_columns="ignore", glob=False
    )


def select_sql(paths: Sequence[Path]) -> str:
    """Return a DuckDB query over segments: ``bar_close``, ``asset``, then one column a field."""
    quoted = ", ".join("'" + str(path.absolute()).replace("'", "''") + "'" for path in paths)
    return f"SELECT * FROM read_parquet([{quoted}], union_by_name = true)"  # noqa: S608  # quoted


def duckdb_relation(paths: Sequence[Path], connection: Any = None) -> Any:
    """Return a DuckDB relation over segments.

    Parameters
    ----------
    paths : files of the segments.
    connection : a DuckDB connection; default: DuckDB's own.
    """
    import duckdb

    return (connection or duckdb.default_connection()).sql(select_sql(paths))
