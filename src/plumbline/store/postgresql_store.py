"""Portfolios on a PostgreSQL server: one row a portfolio-day, seen by its owner alone.

A chunk is one transaction of a few statements, however large it is: COPY into a table of the
connection's own, then one statement that inserts or replaces.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, final

import numpy as np
import polars as pl
from sqlalchemy import Connection

from plumbline.core.address import Address
from plumbline.core.errors import ProjectError, StoreError
from plumbline.ledger.database import open_database
from plumbline.store.cells import hex_texts
from plumbline.store.copy_stream import EPOCH, stream_of, stream_of_dates
from plumbline.store.layout import Layout, layout_from, require_agreement
from plumbline.store.packed import (
    Packed,
    pack,
    require_removed,
    require_table,
    unpack,
)
from plumbline.store.packed_dates import pack_dates, unpack_dates
from plumbline.store.portfolio_store import Chunk, PortfolioStore, Written
from plumbline.store.schema import bring_up_to_date
from plumbline.store.server import Server
from plumbline.store.statements import (
    ALL_KEYS,
    ARRIVING,
    COPY,
    COPY_DATES,
    GRANTS,
    IS_OWNER,
    MERGE,
    REMOVE,
    REMOVE_DATES,
    REVOKES,
    WRITERS,
    columns_for,
    latest_of,
    measures_view,
    quoted,
)
from plumbline.store.tables import (
    DATE_KEYS,
    DATES,
    FRAMES,
    KEYS,
    PACKED,
    SHARED,
    TABLES,
    columns_of,
)

_KEY_BYTES = 16


@final
class PostgreSQLStore(PortfolioStore):
    """Portfolios in a schema of a PostgreSQL database.

    The user that first opens it owns the tables, and writes; others read the portfolios whose
    ``owner`` is their name, once :meth:`grant_reader` has let them in.

    Parameters
    ----------
    address : of the database, with the schema.
    is_made : whether the tables must be there; else they are made.

    Raises
    ------
    StoreError
        If it cannot be reached, is too old, or its tables are not there or cannot be made.
    MissingExtraError
        If the library for PostgreSQL is not installed.
    """

    def __init__(self, address: Address, *, is_made: bool = False) -> None:
        try:
            database = open_database(address)
        except ProjectError as error:
            raise StoreError(str(error)) from error
        bring_up_to_date(database, is_made=is_made)
        self._server = Server(database)
        self._known: dict[str, Layout] = {}

    @property
    def label(self) -> str:
        """Return the address, without its password."""
        return self._server.database.url

    @property
    def statements(self) -> int:
        """Return how many statements were executed, commits included."""
        return self._server.statements.total

    def keys(self) -> pl.DataFrame:
        """Return the keys of all portfolio-days that this user sees, sorted."""
        kinds = {"portfolio": pl.String(), **dict.fromkeys(("date", "key", "count"), pl.Binary())}
        found = self._rows(ALL_KEYS, [], kinds)
        dates, keys, counts = (b"".join(found[name].to_list()) for name in list(kinds)[1:])
        days = np.frombuffer(dates, dtype=">i4").astype(np.int32)
        n_days = np.array([len(own) // 4 for own in found["date"].to_list()], dtype=np.int64)
        place = pl.Series(np.repeat(np.arange(found.height), n_days))
        each = np.frombuffer(keys, dtype=np.uint8)
        return pl.DataFrame(
            {
                "portfolio": found["portfolio"].gather(place),
                "date": pl.Series(days + EPOCH).cast(pl.Date()),
                "key": hex_texts(each.reshape(-1, _KEY_BYTES)),
                "n_failures": np.frombuffer(counts, dtype=">i8").astype(np.int64),
            },
            schema=KEYS,
        )

    def write(self, chunk: Chunk, run_id: str) -> Written:
        """Write portfolio-days in one transaction: three statements and the commit.

        The first chunk of a layout takes five more, the first of a process one more.
        """
        began, before = time.perf_counter(), self._server.statements.here
        packed = pack(chunk)

        def act(connection: Connection) -> tuple[int, dict[str, Layout]]:
            known = self._named(connection, packed.layout)
            connection.exec_driver_sql(ARRIVING)
            n_bytes = self._server.copy(connection, COPY, stream_of(packed))
            connection.exec_driver_sql(MERGE, (run_id,))
            return n_bytes, known

        if not packed.height:
            return Written(0, 0, time.perf_counter() - began, 0)
        n_bytes, self._known = self._server.whole(act)
        return self._written(packed.height, before, began, n_bytes)

    def remove(self, days: pl.DataFrame, run_id: str) -> Written:  # noqa: ARG002  # nothing is left to hold it
        """Remove portfolio-days in one statement."""
        began, before = time.perf_counter(), self._server.statements.here
        gone = require_removed(days).scalars
        values = (gone["portfolio"].to_list(), gone["date"].to_list())
        self._server.whole(lambda connection: connection.exec_driver_sql(REMOVE, values))
        return self._written(gone.height, before, began, 0)

    def date_keys(self) -> pl.DataFrame:
        """Return the keys of the tables of dates, sorted; only who writes sees them."""
        query = "SELECT date, replace(key::text, '-', '') FROM portfolio_dates ORDER BY date"
        return self._rows(query, [], DATE_KEYS)

    def write_dates(
        self, tables: Mapping[str, pl.DataFrame], keys: pl.DataFrame, run_id: str
    ) -> Written:
        """Write tables of dates in one transaction: two statements and the commit."""
        began, before = time.perf_counter(), self._server.statements.here

        def act(connection: Connection) -> int:
            packed = pack_dates(tables, keys)
            heads = packed.rows.scalars.with_columns(run_id=pl.lit(run_id))
            connection.exec_driver_sql(REMOVE_DATES, (heads["date"].to_list(),))
            rows = Packed(heads, packed.rows.lists, None)
            stream = stream_of_dates(rows, packed.contents)
            return self._server.copy(connection, COPY_DATES, stream)

        return self._written(keys.height, before, began, self._server.whole(act))

    def remove_dates(self, dates: Sequence[date], run_id: str) -> Written:  # noqa: ARG002  # nothing is left to hold it
        """Remove tables of dates in one statement."""
        began, before = time.perf_counter(), self._server.statements.here
        values = (list(dates),)
        self._server.whole(lambda connection: connection.exec_driver_sql(REMOVE_DATES, values))
        return self._written(len(dates), before, began, 0)

    def writers(self) -> list[str]:
        """Return which runs wrote the newest day of each portfolio."""
        return self._rows(WRITERS, [], {"run_id": pl.String()})["run_id"].to_list()

    def read(
        self,
        table: str,
        *,
        portfolios: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> pl.DataFrame:
        """Return rows of a table, found by the index of portfolio and date."""
        require_table(table, TABLES)
        asked: list[tuple[str, Any]] = [("date >= %s", first), ("date <= %s", last)]
        if table not in SHARED and portfolios is not None:
            asked.append(("portfolio = ANY(%s)", list(portfolios)))
        given = [(text, value) for text, value in asked if value is not None]
        where = f"WHERE {' AND '.join(text for text, _ in given)}" if given else ""
        values = [value for _, value in given]
        columns = columns_of(table)
        if table in SHARED:
            query = f"SELECT {columns_for(columns)} FROM portfolio_dates {where} ORDER BY date"  # noqa: S608  # ours
            return unpack_dates(table, self._rows(query, values, {n: DATES[n] for n in columns}))
        query = (
            f"SELECT {columns_for(columns)} FROM portfolio_days {where} "  # noqa: S608  # ours
            "ORDER BY portfolio, date"
        )
        return self._unpacked(table, query, values)

    def latest(self, table: str = "snapshots") -> pl.DataFrame:
        """Return the rows of each portfolio's newest date: two looks at an index for each."""
        require_table(table, FRAMES)
        return self._unpacked(table, latest_of(columns_of(table)), [])

    def sql(self, query: str) -> pl.DataFrame:
        """Return the rows of a query in a transaction that can only read.

        Raises
        ------
        ParameterError
            If the query gives no rows.
        """

        def act(connection: Connection) -> pl.DataFrame:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            return self._server.answer(connection, query)

        return self._server.whole(act)

    def compact(self) -> int:
        """Leave it to the server, which clears replaced rows by itself."""
        return 0

    def grant_reader(self, role: str) -> None:
        """Let a role of the server read the portfolios whose owner has its name, and no others.

        Raises
        ------
        StoreError
            If there is no such role, or this user does not own the tables.
        """
        self._all(GRANTS, role)

    def revoke_reader(self, role: str) -> None:
        """Let a role read no more.

        Raises
        ------
        StoreError
            If there is no such role, or this user does not own the tables.
        """
        self._all(REVOKES, role)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _all(self, statements: Sequence[str], role: str) -> None:
        name, schema = quoted(role), quoted(self._server.database.schema or "")

        def act(connection: Connection) -> None:
            if not connection.exec_driver_sql(IS_OWNER).scalar_one():  # else a warning is all
                raise StoreError(f"{self.label}: only who owns the tables lets others read them")
            for statement in statements:
                connection.exec_driver_sql(statement.format(role=name, schema=schema))

        self._server.whole(act)

    def _written(self, rows: int, before: int, began: float, n_bytes: int) -> Written:
        return Written(
            rows, self._server.statements.here - before, time.perf_counter() - began, n_bytes
        )

    def _rows(self, query: str, values: Sequence[Any], schema: dict[str, Any]) -> pl.DataFrame:
        return self._server.whole(
            lambda connection: self._server.rows(connection, query, values, schema)
        )

    def _unpacked(self, table: str, query: str, values: Sequence[Any]) -> pl.DataFrame:
        schema = {name: PACKED[name] for name in columns_of(table)}

        def act(connection: Connection) -> tuple[pl.DataFrame, dict[str, Layout]]:
            rows = self._server.rows(connection, query, values, schema)
            return rows, _layouts(connection) if table == "measures" else {}

        rows, layouts = self._server.whole(act)
        return unpack(table, rows, layouts)

    def _named(self, connection: Connection, layout: Layout | None) -> dict[str, Layout]:
        """See that a layout is known to the server; return those that are."""
        if layout is None or layout.digest in self._known:
            return self._known
        known = _layouts(connection)
        if layout.digest in known:
            return known
        connection.exec_driver_sql(self._server.database.turn)
        known = _layouts(connection)  # another may have come first
        if layout.digest not in known:
            require_agreement(layout, list(known.values()))
            values = (layout.digest, len(known) + 1, layout.text)
            connection.exec_driver_sql("INSERT INTO layouts VALUES (%s, %s, %s)", values)
            known = {**known, layout.digest: layout}
            connection.exec_driver_sql(measures_view(known))
        return known


def _layouts(connection: Connection) -> dict[str, Layout]:
    query = "SELECT replace(digest::text, '-', ''), columns FROM layouts ORDER BY number"
    return {digest: layout_from(text) for digest, text in connection.exec_driver_sql(query)}
