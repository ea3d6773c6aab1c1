"""Data sets and databases on a disk that is full or cannot be written: refused, then as ever."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from plumbline.cli.app import call
from plumbline.engine.project import Project, open_project
from plumbline.lake.soundness import lacking_versions
from tests.cli.conftest import KILO, leave, resize
from tests.postgres import Server

ROOM = 256 * KILO * KILO
CHANGES = (
    ["append", "bars", "more.parquet"],
    ["data", "compact", "bars"],
    ["data", "resample", "bars", "--to", "24/7 4h"],
)


def write_bars(folder: Path) -> None:
    """Write bars in two files: random, so that their segments are no smaller than their values."""
    draws = np.random.default_rng(5)
    for name, first, n_bars in (("first", 0, 3000), ("more", 3000, 2500), ("last", 5500, 3)):
        times = np.datetime64("2024-01-01T01:00", "us") + np.arange(
            first, first + n_bars
        ) * np.timedelta64(1, "h")
        frames = [
            pl.DataFrame({"bar_close": times, "asset": [asset] * n_bars}).with_columns(
                pl.Series(field, 1.0 + draws.random(n_bars)) for field in ("close", "volume")
            )
            for asset in ("A", "B", "C", "D", "E", "F")
        ]
        rows = pl.concat(frames).with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"))
        rows.write_parquet(folder / f"{name}.parquet")


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a data set, and go there."""
    folder.mkdir(parents=True)
    write_bars(folder)
    monkeypatch.chdir(folder)
    assert call(["init"]) == 0
    assert call(["ingest", "bars", "first.parquet", "--calendar", "24/7 1h"]) == 0
    return folder


def known(project: Project) -> list[Any]:
    """Return all versions of all names with their files."""
    lake = project.lake
    return [
        [row["name"], row["version"], row["dataset_id"]]
        + [path.name for path in lake.segment_paths(row["dataset_id"])]
        for row in lake.datasets()
    ]


def files(folder: Path) -> dict[str, int]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): p.stat().st_size for p in found if "plumbline.db" not in p.name}


def refused(capsys: pytest.CaptureFixture[str], words: list[str], *told: str) -> None:
    capsys.readouterr()
    code = call(words)
    err = capsys.readouterr().err
    assert code == 1, (words, err)
    assert any(word in err.lower() for word in told), (words, err)
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """Return what the lake knows before the changes and after each."""
    with pytest.MonkeyPatch.context() as patch:
        place = made(tmp_path_factory.mktemp("undisturbed") / "p", patch)
        states = [known(open_project(place))]
        for words in CHANGES:
            assert call(words) == 0
            states.append(known(open_project(place)))
    return states


@pytest.mark.parametrize("room", [8, 150], ids=lambda kilo: f"{kilo}k")
def test_changes_of_data_on_a_full_disk_fail_clearly_and_go_on_when_there_is_room(
    small_disk: Path,
    undisturbed: list[list[Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    place = made(small_disk / "p", monkeypatch)
    for words, before, after in zip(CHANGES, undisturbed, undisturbed[1:], strict=False):
        leave(small_disk, room * KILO)
        refused(capsys, words, "space", "full", "room")
        assert list(place.rglob("*.part")) == []
        resize(small_disk, ROOM)
        assert known(open_project(place)) == before
        assert call(words) == 0
        assert known(open_project(place)) == after
    assert call(["doctor", "--deep"]) == 0


def test_a_move_of_the_database_on_a_full_disk_changes_nothing_and_can_be_repeated(
    small_disk: Path,
    postgres: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = made(small_disk / "p", monkeypatch)
    before = known(open_project(place))
    url = postgres.fresh()
    for target in (url, "sqlite"):
        there = open_project(place).database.url
        for room in (4, 60):
            leave(small_disk, room * KILO)
            refused(capsys, ["migrate", "--to", target], "space", "full", "room")
            resize(small_disk, ROOM)
            assert open_project(place).database.url == there
            assert known(open_project(place)) == before
            assert list((place / ".plumbline").glob(".*")) == []
            assert call(["ingest", "bars", "first.parquet", "--calendar", "24/7 1h"]) == 0
        assert call(["migrate", "--to", target]) == 0
        assert open_project(place).database.url != there
        assert known(open_project(place)) == before
    assert call(["doctor", "--deep"]) == 0


def test_in_a_project_that_cannot_be_written_no_command_on_data_writes_anything(
    each_database: str,
    small_disk: Path,
    undisturbed: list[list[Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = made(small_disk / "p", monkeypatch)
    assert call(CHANGES[0]) == 0
    orphan = place / ".plumbline" / "segments" / ("ab" * 32 + ".parquet")
    orphan.write_bytes(b"nobody's")
    os.utime(orphan, (time.time() - 7200,) * 2)
    held = files(place)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        for words in (["append", "bars", "last.parquet"], *CHANGES[1:], ["gc"]):
            refused(capsys, words, "written", "read-only", "readonly")
            assert known(open_project(place)) == undisturbed[1]
            assert files(place) == held
        for words in (["data"], ["data", "log", "bars"], ["gc", "--dry-run"]):
            assert call(words) == 0
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert call(["gc"]) == 0
    assert not orphan.exists()
    for words, after in zip(CHANGES[1:], undisturbed[2:], strict=True):
        assert call(words) == 0
        assert known(open_project(place)) == after
    assert lacking_versions(open_project(place).lake, deep=True) == []
