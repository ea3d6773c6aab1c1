"""Disks that are full or cannot be written: a clear error, and the same bits when there is room."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from plumbline.cli.app import call
from plumbline.engine.project import open_project
from plumbline.ledger.models import Artefact
from plumbline.ledger.queries import get_run, tasks_of_run
from tests.cli.conftest import KILO, leave, resize, used
from tests.engine.history import age
from tests.study_files import write_study


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = call([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return a project with a study that has not run, and the digests of one that has."""
    template = tmp_path_factory.mktemp("undisturbed") / "p"
    write_study(template)
    assert call(["init", str(template)]) == 0
    other = Path(shutil.copytree(template, template.with_name("q")))
    assert call(["run", str(other / "study.yaml"), "--project", str(other)]) == 0
    return template, digests(other)


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each block that the newest run of a project used."""
    project = open_project(folder)
    used_ones = tasks_of_run(project.database, get_run(project.database, "last")["id"])
    with project.database.read() as connection:
        made = dict(connection.execute(select(Artefact.key, Artefact.digest)).all())
    return {f"{row['node']} [{row['block']}]": made[row["key"]] for row in used_ones}


@pytest.mark.parametrize("room", [8, 120, 300, 700, 1100, 1500], ids=lambda kilo: f"{kilo}k")
def test_a_run_on_a_full_disk_fails_clearly_and_goes_on_when_there_is_room(
    small_disk: Path,
    undisturbed: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    room: int,
) -> None:
    template, expected = undisturbed
    place = Path(shutil.copytree(template, small_disk / "p"))
    monkeypatch.chdir(place)
    leave(small_disk, room * KILO)
    capsys.readouterr()
    code = call(["run", "--attempts", "1"])
    err = capsys.readouterr().err
    assert code == 1, err
    assert "space" in err.lower() or "full" in err.lower(), err
    assert "Traceback" not in err
    assert list(place.rglob(".*.part")) == []

    resize(small_disk, 256 * KILO * KILO)
    code, done = document(capsys, "run")
    assert code == 0
    assert digests(place) == expected
    assert Path(done["report"]).is_file()
    assert call(["doctor", "--deep"]) == 0
    assert call(["verify", "--sample", "5"]) == 0


def test_ingest_report_and_clearing_on_a_full_disk(
    small_disk: Path,
    undisturbed: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template, _ = undisturbed
    place = Path(shutil.copytree(template, small_disk / "p"))
    monkeypatch.chdir(place)
    ingest = ["ingest", "stocks2", "prices/*.csv", "--calendar", "XNYS"]
    leave(small_disk, 60 * KILO)
    assert call(ingest) == 1
    assert "space" in (err := capsys.readouterr().err).lower() or "full" in err, err
    resize(small_disk, 256 * KILO * KILO)
    code, shown = document(capsys, "data")
    assert (code, shown) == (0, [])
    assert call(ingest) == 0
    assert call(["run"]) == 0
    assert call(["run", "--set", "model.window=40"]) == 0
    age(open_project(place))
    leave(small_disk, 4 * KILO)
    capsys.readouterr()
    assert call(["report", "--to", "elsewhere"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert not list((place / "elsewhere").glob("*.html"))
    assert not list(place.rglob(".*.part"))

    assert call(["gc", "--keep-runs", "1"]) == 1  # the database cannot be opened without any room
    assert "the disk has room" in capsys.readouterr().err
    leave(small_disk, 2000 * KILO)
    before = used(small_disk)
    assert call(["gc", "--keep-runs", "1"]) == 0
    assert used(small_disk) < before
    resize(small_disk, 256 * KILO * KILO)
    assert call(["run"]) == 0
    assert call(["report", "--to", "elsewhere"]) == 0
    assert call(["doctor", "--deep"]) == 0


WRITERS = [
    ["run", "--set", "model.window=50"],
    ["ingest", "more", "prices/*.csv", "--calendar", "XNYS"],
    ["gc", "--keep-runs", "1"],
    ["runs", "last", "--keep"],
]
READERS = [["runs"], ["runs", "last"], ["plan"], ["data"], ["cache"], ["gc", "--dry-run"]]


@pytest.mark.parametrize("words", WRITERS, ids=lambda words: words[0])
def test_a_project_that_cannot_be_written_says_so_and_is_read_all_the_same(
    small_disk: Path,
    undisturbed: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    template, _ = undisturbed
    place = Path(shutil.copytree(template, small_disk / "p"))
    monkeypatch.chdir(place)
    assert call(["run"]) == 0
    assert call(["run", "--set", "model.window=40"]) == 0
    age(open_project(place))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        capsys.readouterr()
        assert call(words) == 1
        err = capsys.readouterr().err
        assert "Traceback" not in err
        assert "written" in err or "read-only" in err.lower() or "readonly" in err, err
        for reader in READERS:
            assert call(reader) == 0, reader
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert call(["run"]) == 0
    assert call(["doctor", "--deep"]) == 0
