import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from plumbline.core.address import Address
from plumbline.core.errors import ProjectError
from plumbline.core.settings import read_settings
from plumbline.ledger.database import Database, open_database
from plumbline.ledger.models import Metric, Run, SourceFile
from plumbline.ledger.rows import insert_absent, insert_or_replace
from plumbline.ledger.schema import revision_of, revisions


@pytest.fixture
def place(tmp_path: Path, each_database: str) -> Path | Address:
    return read_settings().database or tmp_path / "ledger.db"


@pytest.fixture
def database(place: Path | Address) -> Database:
    found = open_database(place)
    found.create_tables()
    return found


def row(content: str, syntax: str, imports: str = "[]") -> dict[str, str]:
    return {"content": content, "python": "3", "syntax": syntax, "imports": imports}


def contents(database: Database) -> dict[str, tuple[str, str]]:
    columns = (SourceFile.content, SourceFile.syntax, SourceFile.imports)
    with database.read() as connection:
        return {r[0]: (r[1], r[2]) for r in connection.execute(select(*columns))}


def test_rows_that_are_there_stay_or_are_replaced(database: Database) -> None:
    with database.begin() as connection:
        insert_absent(connection, SourceFile, [row("a", "1"), row("b", "1")])
        insert_absent(connection, SourceFile, [row("a", "2"), row("c", "2")])
        insert_absent(connection, SourceFile, [])
    assert contents(database) == {"a": ("1", "[]"), "b": ("1", "[]"), "c": ("2", "[]")}
    with database.begin() as connection:
        insert_or_replace(connection, SourceFile, [row("a", "3", "x"), row("d", "3")])
        insert_or_replace(connection, SourceFile, [])
    assert contents(database)["a"] == ("3", "x")
    assert contents(database)["d"] == ("3", "[]")
    with database.begin() as connection:
        rows = [row("a", "3", "y"), row("b", "9", "y")]
        insert_or_replace(connection, SourceFile, rows, unless_equal=("syntax",))
    assert contents(database)["a"] == ("3", "x")
    assert contents(database)["b"] == ("9", "y")


def insert_and_fail(database: Database, content: str) -> None:
    with database.begin() as connection:
        insert_absent(connection, SourceFile, [row(content, "1")])
        raise ValueError("planted")


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="planted"):
        insert_and_fail(database, "a")
    assert contents(database) == {}


@pytest.mark.parametrize("held", [False, True])
def test_a_held_connection_reads_and_writes_like_any_other(
    database: Database, place: Path | Address, held: bool
) -> None:
    from contextlib import nullcontext

    with database.hold() if held else nullcontext():
        with database.begin() as connection:
            insert_absent(connection, SourceFile, [row("a", "1")])
        with database.read() as outer:
            assert outer.execute(select(func.count()).select_from(SourceFile)).scalar_one() == 1
            with database.begin() as connection:  # inside a read: on a connection of its own
                insert_absent(connection, SourceFile, [row("b", "1")])
        with pytest.raises(ValueError, match="planted"):
            insert_and_fail(database, "c")
        with database.hold():
            assert set(contents(database)) == {"a", "b"}
        assert set(contents(open_database(place))) == {"a", "b"}
    assert set(contents(database)) == {"a", "b"}


def test_writers_of_many_threads_queue(database: Database) -> None:
    def write(i: int) -> None:
        for k in range(10):
            with database.hold(), database.begin() as connection:
                insert_absent(connection, SourceFile, [row(f"{i} {k}", "1")])

    threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(contents(database)) == 60


def test_sqlite_waits_syncs_and_checks_keys(tmp_path: Path) -> None:
    database = open_database(tmp_path / "ledger.db")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 60000,
    }


@pytest.mark.parametrize("is_settled", [True, False])
def test_what_cannot_be_written_is_read_with_all_that_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_settled: bool
) -> None:
    path = tmp_path / "a b?%20.db"
    database = open_database(path)
    with database.hold():  # while a connection is open, what is committed lies in the log
        database.create_tables()
        assert path.with_name("a b?%20.db-wal").stat().st_size > 0
        if not is_settled:
            refuse_to_write(path, monkeypatch)
    refuse_to_write(path, monkeypatch)


def refuse_to_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open a database as if it could not be written, read it, and see that it is not written."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_: False)
        reader = open_database(path)
    assert reader.is_read_only
    with reader.read() as connection:
        assert revision_of(connection) == revisions()[-1]
    with pytest.raises(OperationalError, match="readonly"), reader.begin() as connection:
        connection.exec_driver_sql("DELETE FROM runs")


@pytest.mark.parametrize("kind", ["text", "folder", "absent"])
def test_what_is_no_database_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.db" if kind != "absent" else tmp_path / "no" / "x.db"
    if kind == "text":
        path.write_text("this is no database, but a text of some length" * 10)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(ProjectError, match="cannot be opened as a database"):
        open_database(path)


def test_tables_are_created_once(database: Database) -> None:
    database.create_tables()
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Run)).scalar_one() == 0
        assert connection.execute(select(func.count()).select_from(Metric)).scalar_one() == 0
