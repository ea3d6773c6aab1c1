"""SQL over a dataset's segments: they are plain Parquet, which any engine reads without us."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def select_sql(paths: Sequence[Path]) -> str:
    """Return a DuckDB query over segments: ``bar_close``, ``asset``, then one column a field."""
    quoted = ", ".join("'" + str(path.absolute()).replace("'", "''") + "'" for path in paths)
    return f"SELECT * FROM read_parquet([{quoted}])"  # noqa: S608  # paths are quoted


def duckdb_relation(paths: Sequence[Path], connection: Any = None) -> Any:
    """Return a DuckDB relation over segments.

    Parameters
    ----------
    paths : files of the segments.
    connection : a DuckDB connection; default: DuckDB's own.
    """
    import duckdb

    return (connection or duckdb.default_connection()).sql(select_sql(paths))
