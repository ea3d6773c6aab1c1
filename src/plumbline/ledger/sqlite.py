"""SQLite: a file in the project, in WAL mode, whose writers wait for their turn."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from plumbline.core.errors import ProjectError

TURN = "BEGIN IMMEDIATE"
"""The statement by which a transaction that writes begins: it waits for the others."""
_BUSY_SECONDS = 60.0
_LOOK = "SELECT count(*) FROM sqlite_master"
_REFUSALS = f"{_LOOK} WHERE type = 'trigger' AND name = 'refuse_runs'"


def sqlite_engine(url: str, *, is_read_only: bool) -> Engine:
    """Return the engine of a URL such as ``sqlite:////path/plumbline.db``."""
    engine = create_engine(url, poolclass=NullPool)
    event.listen(engine, "connect", _prepare_reading if is_read_only else _prepare)
    return engine


def sqlite_url(path: Path) -> tuple[str, bool]:
    """Return the URL of a file, and whether it can only be read."""
    if not path.exists() or all(os.access(p, os.W_OK) for p in (path, path.parent)):
        return f"sqlite:///{quote(str(path))}", False
    log = path.with_name(f"{path.name}-wal")
    is_settled = not log.exists() or log.stat().st_size == 0  # else its pages count too
    mode = "immutable=1" if is_settled else "mode=ro"
    place = quote(quote(str(path)))  # SQLAlchemy takes one layer off, SQLite the other
    return f"sqlite:///file:{place}?{mode}&uri=true", True


def look(connection: Connection) -> None:
    """Read something, so that what is no database is found out."""
    connection.exec_driver_sql(_LOOK)


def advice(text: str) -> str | None:
    """Return what to do about what SQLite says, or None where its file is lost."""
    if "was moved" in text:
        return "give the command again"
    if "locked" in text:
        return "another process holds it: let that end, or end it, and give the command again"
    if any(word in text for word in ("readonly", "unable to open", "full", "disk I/O error")):
        return "see that its folder and its files can be written and the disk has room"
    return None


def quick_check(connection: Connection, patience_ms: int) -> str:
    """Return ``ok`` if the file is whole and can be written, else what is wrong with it."""
    found = str(connection.exec_driver_sql("PRAGMA quick_check").scalar_one())
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience_ms}")
    connection.exec_driver_sql(TURN)  # what every command that writes needs
    connection.exec_driver_sql("DELETE FROM runs WHERE 0")
    connection.exec_driver_sql("ROLLBACK")
    return found


def refuse_writes(connection: Connection, reason: str) -> None:
    """Have every table refuse changes, whoever has the file open; inside a transaction."""
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    for name in names.scalars().all():
        for change, mark in (("INSERT", ""), ("UPDATE", "_update"), ("DELETE", "_delete")):
            connection.exec_driver_sql(
                f'CREATE TRIGGER "refuse_{name}{mark}" BEFORE {change} ON "{name}" '
                f"BEGIN SELECT RAISE(ABORT, '{reason}'); END"
            )


def refuse_moved(connection: Connection) -> None:
    """Refuse a file whose tables refuse changes, since the project has another database.

    Raises
    ------
    ProjectError
        If it is one.
    """
    if connection.exec_driver_sql(_REFUSALS).scalar_one():
        raise ProjectError(
            "the project was moved to another database, which this process does not know: open "
            "the project again, and give the command again"
        )


def is_retired(path: Path) -> bool:
    """Return whether a file refuses new rows and nobody has it open with pages in its log."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return False
    place = f"file:{quote(str(path))}?immutable=1"  # which needs no room for a log on a full disk
    connection = sqlite3.connect(place, uri=True)
    try:
        return bool(connection.execute(_REFUSALS).fetchone()[0])
    except sqlite3.DatabaseError:  # it is none
        return False
    finally:
        connection.close()


def _prepare_reading(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where Database.begin says
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    _begin_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


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
