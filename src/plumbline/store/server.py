"""Transactions of a server's store: done as a whole, and again as a whole if that may help."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar, final

import polars as pl
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from plumbline.core.errors import ParameterError, StoreError
from plumbline.ledger.database import Database, refusal
from plumbline.ledger.postgresql import is_lost
from plumbline.store.cells import column_of, keep_bytes
from plumbline.store.statement_count import StatementCount

_BACK_SECONDS: Final = 30.0  # that a server which was reached before is waited for
_PAUSE_SECONDS: Final = 0.1
_CROSSED: Final = ("40P01", "40001", "23505")  # two writers met, or one came first: done again
_FETCH_ROWS: Final = 8192

_KINDS: Final[dict[int, Any]] = {  # by the numbers that PostgreSQL gives its types
    16: pl.Boolean,
    20: pl.Int64,
    21: pl.Int16,
    23: pl.Int32,
    25: pl.String,
    700: pl.Float32,
    701: pl.Float64,
    1082: pl.Date,
    1005: pl.List(pl.Int16),
    1009: pl.List(pl.String),
    1021: pl.List(pl.Float32),
    1022: pl.List(pl.Float64),
}

T = TypeVar("T")


@final
class Server:
    """A server that holds portfolios.

    Parameters
    ----------
    database : where, with its schema; its tables are there.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.statements = StatementCount(database.engine)

    def whole(self, act: Callable[[Connection], T]) -> T:
        """Return what a transaction gives; it is committed at the end, rolled back on an error.

        If the connection is lost, or another writer crosses, all of it is done again, for half a
        minute: what it does must give the same when it is done twice.

        Raises
        ------
        StoreError
            If the server refuses, or is not back by then; it says what to do.
        """
        lost_at = None
        while True:
            try:
                with self.database.engine.connect() as connection, connection.begin():
                    return act(connection)
            except DBAPIError as error:
                lost_at = lost_at or time.monotonic()
                if not _may_pass(error) or time.monotonic() > lost_at + _BACK_SECONDS:
                    raise StoreError(f"{self.database.url}: {refusal(error)}") from error
                time.sleep(_PAUSE_SECONDS)

    def copy(self, connection: Connection, statement: str, stream: Iterable[bytes]) -> int:
        """Send a stream by a statement of COPY; return its bytes.

        Raises
        ------
        DBAPIError
            If the server refuses, or the connection is lost.
        """
        driver: Any = connection.connection.driver_connection
        self.statements.add()
        n_bytes = 0
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for piece in stream:
                    copy.write(piece)
                    n_bytes += len(piece)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(connection, statement, error) from error
        return n_bytes

    def rows(
        self, connection: Connection, query: str, values: Sequence[Any], schema: dict[str, Any]
    ) -> pl.DataFrame:
        """Return the rows of a query, fetched some thousands at a time.

        Parameters
        ----------
        schema : types of its columns, in order.
        """
        driver: Any = connection.connection.driver_connection
        self.statements.add()
        parts = [pl.DataFrame(schema=schema)]
        try:
            with driver.cursor("reading", binary=True) as cursor:
                keep_bytes(cursor)
                cursor.execute(query, values)
                while rows := cursor.fetchmany(_FETCH_ROWS):
                    columns = zip(schema.items(), zip(*rows, strict=True), strict=True)
                    parts.append(pl.DataFrame([column_of(n, c, k) for (n, k), c in columns]))
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(connection, query, error) from error
        return pl.concat(parts, rechunk=True)

    def answer(self, connection: Connection, query: str) -> pl.DataFrame:
        """Return the rows of one statement, whatever it asks.

        Raises
        ------
        ParameterError
            If it gives no rows.
        DBAPIError
            If the server refuses, or the connection is lost.
        """
        driver: Any = connection.connection.driver_connection
        self.statements.add()
        try:
            with driver.cursor(binary=True) as cursor:  # which takes one statement alone
                cursor.execute(query)
                if cursor.description is None:
                    raise ParameterError("give one SELECT: a store is written by its own calls")
                rows = cursor.fetchall()
                kinds = [(c.name, _KINDS.get(c.type_code)) for c in cursor.description]
        except connection.dialect.loaded_dbapi.Error as error:
            raise _told(connection, query, error) from error
        return pl.DataFrame(rows, schema=kinds, orient="row", infer_schema_length=None)

    def close(self) -> None:
        """Close the connections."""
        self.statements.close()
        self.database.engine.dispose()


def _may_pass(error: DBAPIError) -> bool:
    return is_lost(error) or getattr(error.orig, "sqlstate", None) in _CROSSED


def _told(connection: Connection, statement: str, error: Exception) -> Exception:
    """Return an error of the driver as SQLAlchemy tells it, and let a lost connection go."""
    driver: Any = connection.connection.driver_connection
    if driver.closed:
        connection.invalidate()
    base = connection.dialect.loaded_dbapi.Error
    return DBAPIError.instance(statement, None, error, base)
