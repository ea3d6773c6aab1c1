"""The metadata database: one SQLAlchemy engine, transactions that wait for their turn."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import NullPool

from plumbline.core.errors import ProjectError

_BUSY_SECONDS = 60.0


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
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that writes: committed at the end, rolled back on an error."""
        with self.engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a snapshot for reading."""
        with self.engine.connect() as connection:
            yield connection

    def create_tables(self) -> None:
        """Create the tables that are missing."""
        with self.begin() as connection:
            Base.metadata.create_all(connection)


def open_database(path: Path) -> Database:
    """Open the SQLite file of a project; the folder must exist.

    Raises
    ------
    ProjectError
        If the file is no database or cannot be opened.
    """
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except Exception as error:
        if isinstance(error, OperationalError) or "not a database" in str(error):
            raise ProjectError(f"{path} cannot be opened as a database: {error}") from error
        raise
    return database


def insert_absent(
    connection: Connection, model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, leaving out those whose key is there already."""
    if not rows:
        return
    table = Base.metadata.tables[model.__tablename__]
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql

        connection.execute(insert_postgresql(table).on_conflict_do_nothing(), list(rows))
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_sqlite

        connection.execute(insert_sqlite(table).on_conflict_do_nothing(), list(rows))


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool if url.startswith("sqlite") else None)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where Database.begin says
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
