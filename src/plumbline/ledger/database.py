"""The metadata database: one SQLAlchemy engine, transactions that wait for their turn."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, or_
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from plumbline.core.errors import ProjectError

_BUSY_SECONDS = 60.0
START_AGAIN = (
    "restore it from a backup; without one move .plumbline away and begin with `plumbline init`: "
    "data are read and results computed again, the history of runs is lost"
)
"""What to do about a database that is lost."""
REFUSALS = (DatabaseError, sqlite3.DatabaseError)
"""What a database raises that cannot be used; the second kind while a connection is opened."""


class Base(DeclarativeBase):
    """Registry of all tables; each room declares its own beside the code that writes them."""


@final
class Database:
    """A metadata database.

    SQLite runs in WAL mode: readers never wait, and a writer waits up to a minute for another.
    Every transaction takes the write lock when it begins, so that two processes on one project
    queue instead of failing half-way.

    Parameters
    ----------
    url : SQLAlchemy URL, such as ``sqlite:////path/plumbline.db``.
    is_read_only : whether it cannot be written; a transaction that writes is refused.
    """

    def __init__(self, url: str, *, is_read_only: bool = False) -> None:
        self.url = url
        self.is_read_only = is_read_only
        self.engine = _engine(url, is_read_only=is_read_only)
        self._held = threading.local()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that writes: committed at the end, rolled back on an error."""
        with self._connection() as connection, connection.begin():
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for reading; each statement sees what is committed by then."""
        with self._connection() as connection:
            yield connection

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep one connection of this thread open meanwhile: opening one costs about 1 ms."""
        if self._idle() is not None:
            yield
            return
        with self.engine.connect() as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                self._held.connection = None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        held = self._idle()
        if held is None:
            with self.engine.connect() as connection:
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

    def create_tables(self) -> None:
        """Create the tables that are missing."""
        with self.begin() as connection:
            Base.metadata.create_all(connection)

    def has_tables(self) -> bool:
        """Return whether every table is there; a look takes no lock."""
        return set(Base.metadata.tables) <= set(inspect(self.engine).get_table_names())


def open_database(path: Path) -> Database:
    """Open the SQLite file of a project; the folder must exist.

    Where file or folder cannot be written, it is opened for reading.

    Raises
    ------
    ProjectError
        If the file is no database or cannot be opened; it says what to do.
    """
    database = _database(path)
    try:
        with database.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except REFUSALS as error:
        raise ProjectError(f"{path} cannot be opened as a database: {refusal(error)}") from error
    return database


def _database(path: Path) -> Database:
    if not path.exists() or all(os.access(p, os.W_OK) for p in (path, path.parent)):
        return Database(f"sqlite:///{quote(str(path))}")
    log = path.with_name(f"{path.name}-wal")
    is_settled = not log.exists() or log.stat().st_size == 0  # else its pages count too
    mode = "immutable=1" if is_settled else "mode=ro"
    place = quote(quote(str(path)))  # SQLAlchemy takes one layer off, SQLite the other
    return Database(f"sqlite:///file:{place}?{mode}&uri=true", is_read_only=True)


def refusal(error: Exception) -> str:
    """Return what the database said when it refused, and what to do about it."""
    text = str(getattr(error, "orig", error))
    return f"{text}; {_advice(text)}"


def _advice(text: str) -> str:
    if "locked" in text:
        return "another process holds it: let that end, or end it, and give the command again"
    if any(word in text for word in ("readonly", "unable to open", "full", "disk I/O error")):
        return "see that its folder and its files can be written and the disk has room"
    return START_AGAIN


def insert_absent(
    connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, leaving out those whose key is there already."""
    if rows:
        connection.execute(_insert(connection, model).on_conflict_do_nothing(), list(rows))


def insert_or_replace(
    connection: Connection,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    unless_equal: Sequence[str] = (),
) -> None:
    """Insert rows; one whose key is there already takes the place of the earlier row.

    Parameters
    ----------
    unless_equal : columns; a row that agrees in all with the earlier one leaves it as it is.
    """
    if not rows:
        return
    table = Base.metadata.tables[model.__tablename__]
    statement = _insert(connection, model)
    keys = [column.name for column in table.primary_key.columns]
    names = [column.name for column in table.columns]
    values = {name: statement.excluded[name] for name in names if name not in keys}
    differs = None
    if unless_equal:
        differs = or_(*(table.c[name] != statement.excluded[name] for name in unless_equal))
    statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=differs)
    connection.execute(statement, list(rows))


def _insert(connection: Connection, model: type[Base]) -> Any:
    table = Base.metadata.tables[model.__tablename__]
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql

        return insert_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite

    return insert_sqlite(table)


def _engine(url: str, *, is_read_only: bool) -> Engine:
    engine = create_engine(url, poolclass=NullPool if url.startswith("sqlite") else None)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_reading if is_read_only else _prepare_sqlite)
    return engine


def _prepare_reading(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")


def _begin_wal(cursor: sqlite3.Cursor) -> None:
    """Set the journal's mode; SQLite does not wait for its turn by itself where that changes it."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where Database.begin says
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    _begin_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
