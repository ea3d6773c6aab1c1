"""Rows of a query, streamed out of a transaction that can only read."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from plumbline.core.errors import SourceError
from plumbline.lake.calls import PassingError
from plumbline.lake.remote_source import Fetch

PORTION_ROWS = 50_000
_MAY_PASS = ("locked", "connect", "closed", "timeout", "terminat")
_REFUSED = (  # what servers say who were reached and will say it again
    "password",
    "authentication",
    "pg_hba.conf",
    "access denied",
    "permission denied",
    "does not exist",
    "unknown database",
)
_READ_ONLY = {  # dialect -> what makes the transaction that begins one that can only read
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
    "mariadb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


def rows_of(url: URL, query: str, fetch: Fetch, timeout_seconds: float) -> Iterator[pl.DataFrame]:
    """Yield the rows of a query, 50,000 at a time.

    Parameters
    ----------
    url : where, with its password.
    query : SQL.
    fetch : makes the calls; ``base`` is where a relative file of SQLite starts.
    timeout_seconds : how long it may take to connect.

    Raises
    ------
    SourceError
        If the database or the query refuses, or the rows break off; passwords are not shown.
    """
    dialect = url.get_backend_name()
    subject = f"{dialect} {'/'.join(filter(None, (url.host, url.database)))}"
    if dialect not in _READ_ONLY:
        known = ", ".join(_READ_ONLY)
        told = f"no way is known to only read from {dialect}; known: {known}"
        raise SourceError(subject, [told])
    try:
        engine = _engine(url, fetch.base, timeout_seconds)
    except (ImportError, NoSuchModuleError) as error:
        told = f"the driver of {url.drivername} is not installed: {error}"
        raise SourceError(subject, [told]) from None

    def begun() -> tuple[Connection, Any]:
        connection = None
        try:
            connection = engine.connect()
            return connection, _execute(connection, dialect, query)
        except SQLAlchemyError as error:
            if connection is not None:
                connection.close()
            if isinstance(error, DBAPIError) and _may_pass(error):
                raise PassingError(_said(error, url)) from None
            raise SourceError(subject, [_said(error, url)]) from None

    connection, result = fetch.calls(begun)
    try:
        yield from _frames(result, subject)
    except DBAPIError as error:
        told = f"the rows broke off: {_said(error, url)}; run again"
        raise SourceError(subject, [told]) from None
    finally:
        connection.rollback()
        connection.close()
        engine.dispose()


def _frames(result: Any, subject: str) -> Iterator[pl.DataFrame]:
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        told = f"the query gives columns twice: {', '.join(map(repr, twice))}; name them apart"
        raise SourceError(subject, [told])
    for rows in result.partitions(PORTION_ROWS):
        columns = zip(names, zip(*rows, strict=True), strict=True)
        yield pl.DataFrame([_column(name, values) for name, values in columns])


def _engine(url: URL, base: Path, timeout_seconds: float) -> Engine:
    dialect = url.get_backend_name()
    if dialect != "sqlite":
        seconds = {"connect_timeout": max(1, round(timeout_seconds))} if dialect != "oracle" else {}
        return create_engine(url, poolclass=NullPool, connect_args=seconds)
    file = quote(str(base / (url.database or "")))

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=timeout_seconds)

    return create_engine("sqlite://", creator=opened, poolclass=NullPool)


def _execute(connection: Connection, dialect: str, query: str) -> Any:
    """Return the rows of a query; what gives no rows is refused."""
    connection.exec_driver_sql(_READ_ONLY[dialect])
    if dialect == "postgresql":
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
    streamed = connection.execution_options(stream_results=True, max_row_buffer=PORTION_ROWS)
    result = streamed.execute(text(query.replace(":", r"\:")))  # a colon begins no parameter
    if not result.returns_rows:
        raise SQLAlchemyError("the query gives no rows; it must be one that reads, as SELECT")
    return result


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    """Return a column; values of several kinds become text, which is read as that of a file."""
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _may_pass(error: DBAPIError) -> bool:
    """Return whether a refusal may pass: a lost connection, a lock, and no fault of the query.

    Nor a wrong user, password or database: asked again and again, some servers lock a user out.
    """
    said = str(error.orig).lower()
    if any(word in said for word in _REFUSED):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    return any(word in said for word in _MAY_PASS)


def _said(error: Exception, url: URL) -> str:
    """Return what a driver says, in one line and without the password."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    return said.replace(str(url.password), "***") if url.password else said
