"""A crash at any point leaves the old state or the new one, and a rerun ends where it should."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import event

from plumbline.lake import durable
from plumbline.lake.lake import Lake
from plumbline.lake.opening import open_lake
from plumbline.lake.sources.csv import Csv

POINTS = ("open", "write", "fsync", "rename", "sync_folder", "begin", "statement", "commit")


class Crash(BaseException):
    """The process stops here."""


class Fuse:
    """Crashes at one point of a run, counted from 0, before or after the step is done."""

    def __init__(self, at: int | None, late: bool) -> None:
        self.at, self.late = at, late
        self.hits: Counter[str] = Counter()

    def step(self, point: str, act: Callable[[], Any] = lambda: None) -> Any:
        number = self.hits.total()
        self.hits[point] += 1
        if number == self.at and not self.late:
            raise Crash(point)
        result = act()
        if number == self.at:
            raise Crash(point)
        return result


@contextmanager
def fused(lake: Lake, fuse: Fuse) -> Iterator[None]:
    """Route every write, sync, rename and commit of the lake through the fuse."""
    engine = lake.database.engine

    class File:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, content):
            def half() -> None:
                self.file.write(content[: len(content) // 2])
                self.file.flush()

            if fuse.hits.total() == fuse.at and not fuse.late:
                half()  # a torn write
            return fuse.step("write", lambda: self.file.write(content))

        def flush(self):
            self.file.flush()

        def fileno(self):
            return self.file.fileno()

    path_open, replace, fsync, sync = Path.open, Path.replace, os.fsync, durable.sync_folder

    def open_file(path, mode="r", *rest, **options):
        if mode != "xb":
            return path_open(path, mode, *rest, **options)
        opened = []

        def act():
            opened.append(path_open(path, mode, *rest, **options))

        try:
            fuse.step("open", act)
        except Crash:
            for file in opened:
                file.close()
            raise
        return File(opened[0])

    def on_statement(_connection, _cursor, statement, *_):
        first = statement.split()[0].upper()
        if first in ("INSERT", "UPDATE", "DELETE"):
            fuse.step("statement")
        elif first == "BEGIN":
            fuse.step("begin")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", open_file)
        patch.setattr(Path, "replace", lambda a, b: fuse.step("rename", lambda: replace(a, b)))
        patch.setattr(os, "fsync", lambda fd: fuse.step("fsync", lambda: fsync(fd)))
        patch.setattr(
            "plumbline.lake.segments.sync_folder",
            lambda folder: fuse.step("sync_folder", lambda: sync(folder)),
        )
        event.listen(engine, "before_cursor_execute", on_statement)
        do_commit = engine.dialect.do_commit
        patch.setattr(
            engine.dialect, "do_commit", lambda c: fuse.step("commit", lambda: do_commit(c))
        )
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", on_statement)


@pytest.fixture
def two_states(bars, tmp_path) -> Path:
    bars.head(100).write_csv(tmp_path / "old.csv")
    bars.tail(-100).write_csv(tmp_path / "more.csv")
    bars.write_csv(tmp_path / "new.csv")
    return tmp_path


def ingest(lake: Lake, base: Path, name: str):
    return lake.ingest("bars", Csv(name), calendar="24/7", base=base)


def append(lake: Lake, base: Path, _name: str):
    return lake.append("bars", Csv("more.csv"), base=base)


def run_once(
    base: Path, number: int, fuse: Fuse, want: dict[str, Any], change: Callable[..., Any]
) -> Fuse:
    lake = open_lake(base / f"lake-{change.__name__}-{number}")
    assert ingest(lake, base, "old.csv").dataset.dataset_id == want["old"].dataset_id
    crashed = False
    with fused(lake, fuse):
        try:
            change(lake, base, "new.csv")
        except Crash:
            crashed = True
    assert crashed == (fuse.at is not None)
    fresh = open_lake(lake.root)
    seen = fresh.dataset("bars")
    assert seen.dataset_id in {want["old"].dataset_id, want["new"].dataset_id}
    state = "old" if seen.dataset_id == want["old"].dataset_id else "new"
    assert fresh.panel(seen) == want[f"{state} panel"]
    assert seen.version == (1 if state == "old" else 2)
    again = change(fresh, base, "new.csv")
    assert again.dataset.dataset_id == want["new"].dataset_id
    assert again.dataset.version == 2
    assert fresh.panel("bars") == want["new panel"]
    assert fresh.quality("bars").equals(want["quality"])
    assert not list(fresh.segment_folder.glob(".*"))
    return fuse


@pytest.mark.parametrize("change", [ingest, append])
def test_a_crash_at_any_point_loses_nothing(two_states, record_property, change):
    reference = open_lake(two_states / "reference")
    want: dict[str, Any] = {}
    for name in ("old", "new"):
        done = (ingest if name == "old" else change)(reference, two_states, f"{name}.csv")
        want[name], want[f"{name} panel"] = done.dataset, reference.panel(done.dataset)
    want["quality"] = reference.quality("bars")
    whole = run_once(two_states, 0, Fuse(None, False), want, change)
    assert set(whole.hits) == set(POINTS)
    tried: Counter[str] = Counter()
    for at in range(whole.hits.total()):
        for late in (False, True):
            fuse = run_once(two_states, 1 + 2 * at + late, Fuse(at, late), want, change)
            tried[list(fuse.hits)[-1]] += 1
    record_property("crash points", dict(whole.hits))
    assert sum(tried.values()) == 2 * whole.hits.total()
    assert whole.hits["write"] == whole.hits["rename"] == 2
    assert whole.hits["fsync"] == 3, whole.hits  # two files and their folder


def test_a_crash_in_a_compaction_leaves_each_part_in_its_old_files_or_its_new_one(two_states):
    rows = pl.read_csv(two_states / "new.csv", try_parse_dates=True).sort("date")
    for i, part in enumerate(rows.iter_slices(70)):
        part.write_csv(two_states / f"slice{i}.csv")

    def made(number: int) -> Lake:
        lake = open_lake(two_states / f"lake{number}")
        ingest(lake, two_states, "slice0.csv")
        for i in (1, 2):
            lake.append("bars", Csv(f"slice{i}.csv"), base=two_states)
        return lake

    whole, counted = made(0), Fuse(None, False)
    want = whole.panel("bars")
    with fused(whole, counted):
        assert whole.compact("bars").n_parts == 2
    assert set(counted.hits) == set(POINTS)
    for at in range(counted.hits.total()):
        lake, fuse = made(1 + at), Fuse(at, at % 2 == 0)
        with fused(lake, fuse), pytest.raises(Crash):
            lake.compact("bars")
        fresh = open_lake(lake.root)
        assert fresh.panel("bars") == want
        fresh.compact("bars")
        assert fresh.panel("bars") == want
        assert len(fresh.segment_paths("bars")) == 2


KILLED = """
import os, sys
from pathlib import Path
from plumbline.lake.opening import open_lake
from plumbline.lake import segments
from plumbline.lake.sources.csv import Csv
from plumbline.lake import versions

base, point = Path(sys.argv[1]), sys.argv[2]
if point == "segments":
    segments.sync_folder = lambda folder: os._exit(9)
else:
    versions.add_version = lambda *rest: os._exit(9)
open_lake(base / "lake").ingest("bars", Csv("new.csv"), calendar="24/7", base=base)
"""


@pytest.mark.parametrize("point", ["segments", "transaction"])
def test_a_killed_process_leaves_the_old_state(two_states, point):
    lake = open_lake(two_states / "lake")
    old = ingest(lake, two_states, "old.csv").dataset
    done = subprocess.run([sys.executable, "-c", KILLED, str(two_states), point], check=False)
    assert done.returncode == 9
    assert len(list(lake.segment_folder.glob("*.parquet"))) > 1  # orphans, and nothing else
    fresh = open_lake(lake.root)
    assert fresh.dataset("bars") == old
    assert [row["version"] for row in fresh.datasets()] == [1]
    assert ingest(fresh, two_states, "new.csv").dataset.version == 2


INGESTER = """
import sys
from pathlib import Path
from plumbline.lake.opening import open_lake
from plumbline.lake.sources.csv import Csv

base, names = Path(sys.argv[1]), sys.argv[2:]
for name in names:
    lake = open_lake(base / "lake")
    done = lake.ingest("bars", Csv(name), calendar="24/7", base=base)
    print(done.dataset.dataset_id, int(done.created), done.dataset.version)
"""


def test_two_processes_ingest_at_once(bars, tmp_path):
    rounds = [f"bars{i}.csv" for i in range(6)]
    for i, name in enumerate(rounds):
        edited = bars.with_columns(
            pl.when(pl.int_range(pl.len()) == i).then(50.0).otherwise("close").alias("close")
        )
        edited.write_csv(tmp_path / name)
    command = [sys.executable, "-c", INGESTER, str(tmp_path), *rounds]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [worker.communicate(timeout=120)[0].split("\n")[:-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    lines = [[line.split() for line in lines] for lines in printed]
    assert [line[0] for line in lines[0]] == [line[0] for line in lines[1]]
    lake = open_lake(tmp_path / "lake")
    rows = lake.datasets()
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(int(line[1]) for worker in lines for line in worker) >= len(rounds)
    assert {row["dataset_id"] for row in rows} == {line[0] for line in lines[0]}
    for row in rows:
        assert lake.panel(row["dataset_id"]).n_assets == 3
