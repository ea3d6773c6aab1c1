"""Connections that are dropped, disks that are full, and two that write at once.

``PLUMBLINE_TEST_EVERY`` says of how many statements, pieces and commits one is tried; 1 tries all.
"""

import errno
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from psycopg import Copy
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from plumbline.core.address import parse_address
from plumbline.core.errors import StoreError
from plumbline.engine.project import Project
from plumbline.store.opening import open_store
from plumbline.store.portfolio_store import PortfolioStore
from plumbline.store.postgresql_store import PostgreSQLStore
from tests.engine.crash_server import Points
from tests.engine.dropping import DROP
from tests.postgres import Server
from tests.store.durable_history import DAYS, Place, look, mixed, operations
from tests.store.made import assert_holds, chunk_of

Frames = dict[str, pl.DataFrame]
REPOSITORY = Path(__file__).resolve().parents[2]
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "8"))
WRITER = "from tests.store.writers import main; main()"


@contextmanager
def acting_at(
    store: PostgreSQLStore, number: int | None, act: Callable[[], object]
) -> Iterator[list[str]]:
    """Count the statements, pieces of COPY and commits of a store; act right before one."""
    seen: list[str] = []
    engine = store._server.database.engine

    def hit(kind: str) -> None:
        seen.append(kind)
        if len(seen) - 1 == number:
            act()

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        hit(text.split()[0])

    with pytest.MonkeyPatch.context() as patch:
        write, finish, commit = Copy.write, Copy.finish, DefaultDialect.do_commit

        def committed(dialect: Any, connection: Any) -> None:
            hit("COMMIT")
            commit(dialect, connection)
            hit("COMMITTED")

        patch.setattr(Copy, "write", lambda copy, piece: (hit("COPY"), write(copy, piece))[1])
        patch.setattr(
            Copy, "finish", lambda copy, error=None: (hit("COPIED"), finish(copy, error))[1]
        )
        patch.setattr(DefaultDialect, "do_commit", committed)
        event.listen(engine, "before_cursor_execute", statement)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", statement)


def test_a_chunk_whose_connection_is_dropped_anywhere_is_written_again_whole(
    postgres: Server, writer: str, frames: Frames
) -> None:
    first, *steps = operations(frames)
    ends: Counter[str] = Counter()
    calm = PostgreSQLStore(parse_address(writer))
    first(calm)
    undisturbed = []
    for step in steps:
        with acting_at(calm, None, lambda: None) as hits:
            step(calm)
        undisturbed.append((hits, look(calm)))
    calm.close()
    number = 0
    for i, (step, (hits, expected)) in enumerate(zip(steps, undisturbed, strict=True)):
        for at in range((3 * i) % EVERY, len(hits), EVERY):
            number += 1
            store = PostgreSQLStore(parse_address(f"{writer}{number}"))
            for earlier in (first, *steps[:i]):
                earlier(store)
            with acting_at(store, at, lambda: postgres.execute(DROP)) as again:
                step(store)
            assert look(store) == expected, (i, at, hits[at])
            assert mixed(store.sql(DAYS)) == []
            is_late = hits[at] == "COMMITTED"  # then nothing was left to be done
            assert is_late or len(again) > len(hits), (i, at)
            ends[hits[at]] += 1
            store.close()
            postgres.execute(f"DROP SCHEMA {parse_address(store.label).schema} CASCADE")
    print("dropped", dict(ends))
    assert len(ends) >= 3


def test_a_server_that_does_not_come_back_ends_a_chunk_with_advice(
    postgres: Server, writer: str, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.store.server._BACK_SECONDS", 0.3)
    chunk, other = chunk_of(frames), chunk_of(frames, salt="other")
    store = PostgreSQLStore(parse_address(writer))
    store.write(chunk, "run")
    postgres.tell("stop")
    try:
        with pytest.raises(StoreError, match="see that the server runs there and can be reached"):
            store.write(other, "run")
    finally:
        postgres.tell("start")
    assert_holds(store, [chunk])
    store.write(other, "run")
    assert_holds(store, [chunk, other])
    store.close()


def test_a_full_disk_of_a_server_leaves_what_was_there(
    postgres: Server, writer: str, frames: Frames
) -> None:
    """The server's own words, from a trigger, in the middle of a chunk."""
    store = PostgreSQLStore(parse_address(writer))
    chunk, other = chunk_of(frames), chunk_of(frames, salt="other")
    store.write(chunk, "run")
    place = parse_address(writer).schema
    postgres.execute(
        f"CREATE FUNCTION {place}.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608  # ours
        f"IF (SELECT count(*) FROM {place}.filled) > 40 THEN RAISE EXCEPTION 'could not extend "
        "file: No space left on device' USING ERRCODE = '53100'; END IF; "
        f"INSERT INTO {place}.filled VALUES (1); RETURN NEW; END $$",
        f"CREATE TABLE {place}.filled (a int4)",
        f"GRANT ALL ON {place}.filled TO PUBLIC",
        f"CREATE TRIGGER fills BEFORE INSERT ON {place}.portfolio_days FOR EACH ROW EXECUTE "
        f"FUNCTION {place}.fill()",
    )
    with pytest.raises(
        StoreError, match=r"No space left on device.*; make room on the server's disk"
    ):
        store.write(other, "run")
    postgres.execute(f"DROP TRIGGER fills ON {place}.portfolio_days")
    assert_holds(store, [chunk])
    store.write(other, "run")
    assert_holds(store, [chunk, other])
    store.close()


class Full(Points):
    """A disk that is full at one point."""

    def install(self) -> None:
        self._patch = pytest.MonkeyPatch()
        fsync, replace, opener = os.fsync, Path.replace, Path.open

        def full_or(kind: str, act: Callable[..., Any]) -> Callable[..., Any]:
            def acts(*given: Any) -> Any:
                self.refuse(kind)
                return act(*given)

            return acts

        def opened(path: Path, mode: str = "r", *given: Any, **options: Any) -> Any:
            file = opener(path, mode, *given, **options)
            return FullFile(file, self) if "x" in mode else file

        self._patch.setattr(os, "fsync", full_or("fsync", fsync))
        self._patch.setattr(Path, "replace", full_or("rename", replace))
        self._patch.setattr(Path, "open", opened)

    def refuse(self, kind: str) -> None:
        if self.hit(kind):
            raise OSError(errno.ENOSPC, "No space left on device")

    def remove(self) -> None:
        self._patch.undo()


class FullFile:
    """A file of a full disk."""

    def __init__(self, file: Any, points: Full) -> None:
        self._file = file
        self._points = points

    def write(self, content: Any) -> int:
        self._points.refuse("write")
        return int(self._file.write(content))

    def flush(self) -> None:
        self._points.refuse("flush")
        self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "FullFile":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()


def test_a_full_disk_at_any_point_leaves_what_was_there_and_no_half_file(
    project: Project, frames: Frames
) -> None:
    store = open_store("parquet", project.store, project.database)
    chunks = [chunk_of(frames)]
    store.write(chunks[0], "run")
    kinds: Counter[str] = Counter()
    for number in count():
        chunk = chunk_of(frames, salt="x" * (number + 1))
        points = Full(number)
        points.install()
        told = []
        try:
            store.write(chunk, "run")
        except StoreError as error:
            told.append(str(error))
        finally:
            points.remove()
        if len(points.hits) <= number:  # it was written before this point
            chunks.append(chunk)
            break
        assert len(told) == 1
        assert "No space left on device; see that the folder is" in told[0]
        kinds[points.hits[-1]] += 1
        assert_holds(store, chunks)
        assert list(project.store.rglob("*.part")) == []
    print("full at", dict(kinds))
    assert set(kinds) == {"write", "flush", "fsync", "rename"}
    chunks.append(chunk_of(frames, salt="again"))
    store.write(chunks[-1], "run")
    assert_holds(store, chunks)


def test_a_full_disk_of_the_database_leaves_what_was_there(
    project: Project, frames: Frames
) -> None:
    store = open_store("parquet", project.store, project.database)
    first = chunk_of(frames, salt="first")
    store.write(first, "run")

    def limit(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # no more than it has by now

    event.listen(project.database.engine, "checkout", limit)
    written = []

    def fill() -> None:
        for number in range(200):  # rows that fit into its pages are taken
            chunk = chunk_of(frames, salt=f"filling {number}")
            store.write(chunk, "run")
            written.append(chunk)

    with pytest.raises(StoreError, match="database or disk is full"):
        fill()
    event.remove(project.database.engine, "checkout", limit)
    assert_holds(store, [first, *written])


@pytest.mark.parametrize("kind", ["parquet", "postgresql"])
def test_two_that_write_at_once_each_write_whole_chunks(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, frames: Frames
) -> None:
    for name, frame in frames.items():
        frame.write_ipc(tmp_path / f"{name}.arrow")
    server = request.getfixturevalue("writer") if kind == "postgresql" else None
    place = Place(tmp_path, server, tmp_path)
    store = place.open()
    operations(frames)[0](store)
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(tmp_path), server or "-"]
    shares = {"1": ("0", "8"), "2": ("4", "12")}
    writers = [
        subprocess.Popen(
            [*command, number, *share, "15"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, share in shares.items()
    ]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    names = sorted(frames["snapshots"]["portfolio"].unique())
    parts = [names[:4], names[4:8], names[8:]]
    seen: Counter[tuple[float, ...]] = Counter()
    while any(one.poll() is None for one in writers):
        seen[numbers_of(store, parts)] += 1
    for one in writers:
        one.communicate()
    seen[numbers_of(store, parts)] += 1
    print(kind, "looks", dict(seen))
    assert [one.returncode for one in writers] == [0, 0]
    assert numbers_of(store, parts) in {(1.0, 1.0, 2.0), (1.0, 2.0, 2.0)}
    possible = {(0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 2.0, 2.0)}
    assert set(seen) <= possible | {(1.0, 1.0, 2.0), (1.0, 2.0, 2.0)}
    store.close()


def numbers_of(store: PortfolioStore, parts: list[list[str]]) -> tuple[float, ...]:
    """Return the number that all rows of some portfolios bear, in one look; there must be one."""
    rows = store.sql(DAYS)
    found = []
    for names in parts:
        some = rows.filter(pl.col("portfolio").is_in(names))
        columns = [name for name in rows.columns if re.search(r"_(lo|hi)$", name)]
        values = pl.concat([some[name] for name in columns]).drop_nulls().unique()
        found.append(values.item())
    return tuple(found)
