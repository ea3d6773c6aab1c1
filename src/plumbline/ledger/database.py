"""The metadata database: one SQLAlchemy engine, transactions that wait for their turn."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, final

from sqlalchemy import Connection
from sqlalchemy.engine import RootTransaction
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase

from plumbline.core.address import Address
from plumbline.core.errors import ProjectError
from plumbline.core.settings import read_settings
from plumbline.ledger import postgresql, sqlite
from plumbline.ledger.slow_statements import log_slow_statements

_BACK_SECONDS = 30.0  # that a server which was reached before is waited for, as while it restarts
_PAUSE_SECONDS = 0.1
START_AGAIN = (
    "restore it from a backup; without one move .plumbline away and begin with `plumbline init`: "
    "data are read and results computed again, the history of runs is lost"
)
"""What to do about a database that is lost."""
REFUSALS = (DatabaseError, sqlite3.DatabaseError)
"""What a database raises that cannot be used; the second kind while a connection is opened."""

T = TypeVar("T")


class Base(DeclarativeBase):
    """Registry of all tables; each room declares its own beside the code that writes them."""


@final
class Database:
    """A metadata database: a SQLite file, or a schema of a PostgreSQL database.

    Readers never wait. Every transaction that writes waits for its turn when it begins, up to a
    minute, so that two processes on one project queue instead of failing half-way.

    A connection to a server that is lost between transactions is opened again, for half a minute
    if need be; what was begun and not committed is an error. A process that was forked opens
    connections of its own.

    Parameters
    ----------
    place : URL of a SQLite file, such as ``sqlite:////path/plumbline.db``, or an address.
    is_read_only : whether it cannot be written; a transaction that writes is refused.
    """

    def __init__(self, place: str | Address, *, is_read_only: bool = False) -> None:
        self.url = str(place)
        self.is_read_only = is_read_only
        self.schema = place.schema if isinstance(place, Address) else None
        if isinstance(place, Address):
            self.engine = postgresql.postgresql_engine(place)
            self.turn = postgresql.turn_at(place.schema)
        else:
            self.engine = sqlite.sqlite_engine(place, is_read_only=is_read_only)
            self.turn = sqlite.TURN
        log_slow_statements(self.engine, read_settings().slow_query_ms)
        self._held = threading.local()
        self._lost_at: float | None = None
        self._was_reached = False
        _open.add(self)
        weakref.finalize(self, self.engine.dispose)

    @property
    def is_on_server(self) -> bool:
        """Return whether a server keeps it, which can come and go."""
        return self.schema is not None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that writes: committed at the end, rolled back on an error."""
        with self._connection() as connection, self._patiently(lambda: self._begun(connection)):
            yield connection

    @contextmanager
    def removing(self) -> Iterator[Connection]:
        """Open a transaction that writes, in which files that no row names may be removed.

        Nobody names one meanwhile.

        Raises
        ------
        ProjectError
            If the project has another database since this one was opened: rows there may name them.
        """
        with self.begin() as connection:
            if not self.is_on_server:  # a schema that was left has no table of this name more
                sqlite.refuse_moved(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for reading; each statement sees what is committed by then."""
        with self._connection() as connection:
            if self.is_on_server:
                self._patiently(lambda: _ping(connection))
            yield connection

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep one connection of this thread open meanwhile: opening one costs about 1 ms."""
        if self._idle() is not None:
            yield
            return
        with self._patiently(self.engine.connect) as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        held = self._idle()
        if held is None:
            with self._patiently(self.engine.connect) as connection:
                yield connection
            return
        try:
            yield held
        finally:
            held.rollback()  # ends what reading began; nothing is left of a writer's by then

    def _idle(self) -> Connection | None:
        """Return the connection that this thread holds, unless a caller is using it."""
        connection: Connection | None = getattr(self._held, "connection", None)
        return None if connection is None or connection.in_transaction() else connection

    def _begun(self, connection: Connection) -> RootTransaction:
        transaction = connection.begin()
        try:
            connection.exec_driver_sql(self.turn)
        except BaseException:
            transaction.close()
            raise
        return transaction

    def _patiently(self, act: Callable[[], T]) -> T:
        """Return what an act gives, done again while a server that was reached before is away.

        Of one outage only the first to meet it waits: what fails after it fails at once.
        """
        while True:
            try:
                result = act()
            except DatabaseError as error:
                if not (self.is_on_server and self._was_reached and postgresql.is_lost(error)):
                    raise
                self._lost_at = self._lost_at or time.monotonic()
                if time.monotonic() > self._lost_at + _BACK_SECONDS:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                self._was_reached, self._lost_at = True, None
                return result

    def forked(self) -> list[Any]:
        """Forget what belongs to the parent process; return it, to be kept and never used."""
        of_the_parent = [self.engine.pool, self._held]
        self.engine.dispose(close=False)
        self._held = threading.local()
        return of_the_parent

    def create_tables(self) -> None:
        """Bring the tables to the form of this version; where they have it, nothing is locked.

        Raises
        ------
        ProjectError
            If a newer version made them, or they are of an older one and cannot be written.
        """
        from plumbline.ledger.schema import bring_up_to_date

        bring_up_to_date(self)


_open: "weakref.WeakSet[Database]" = weakref.WeakSet()
_of_the_parent: list[Any] = []


def _after_fork() -> None:
    for database in list(_open):
        _of_the_parent.extend(database.forked())


os.register_at_fork(after_in_child=_after_fork)


def open_database(place: Path | Address) -> Database:
    """Open the SQLite file of a project, whose folder must exist, or a database on a server.

    Where it cannot be written, it is opened for reading.

    Raises
    ------
    ProjectError
        If it is no database or cannot be opened; it says what to do.
    MissingExtraError
        If the library for PostgreSQL is not installed.
    """
    if isinstance(place, Address):
        return _open_on_server(place)
    url, is_read_only = sqlite.sqlite_url(place)
    database = Database(url, is_read_only=is_read_only)
    try:
        with database.read() as connection:
            sqlite.look(connection)
    except REFUSALS as error:
        raise ProjectError(f"{place} cannot be opened as a database: {refusal(error)}") from error
    return database


def _open_on_server(address: Address) -> Database:
    database = Database(address)
    try:
        with database.read() as connection:
            problem = postgresql.look(connection)
            database.is_read_only = postgresql.can_only_read(connection)
    except REFUSALS as error:
        raise ProjectError(f"{address} cannot be opened: {refusal(error)}") from error
    if problem is not None:
        raise ProjectError(f"{address} cannot be used: {problem}")
    return database


def quick_check(database: Database, patience_ms: int) -> str:
    """Return ``ok`` if a database is whole, as far as it tells, and can be written; else why not.

    Parameters
    ----------
    patience_ms : how long another writer is waited for, milliseconds.
    """
    with database.read() as connection:
        if not database.is_on_server:
            return sqlite.quick_check(connection, patience_ms)
        connection.rollback()
        return postgresql.quick_check(connection, database.turn, patience_ms)


def _ping(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("SELECT 1")
    except DatabaseError:
        connection.rollback()  # so that the next try opens a connection anew
        raise


def refusal(error: Exception) -> str:
    """Return what the database said when it refused, and what to do about it."""
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())
    if isinstance(cause, sqlite3.Error):
        return f"{text}; {sqlite.advice(text) or START_AGAIN}"
    return f"{text}; {postgresql.advice(text)}"
