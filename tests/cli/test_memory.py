"""A study within a limit of memory that the system enforces, and one that does not fit."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plumbline.api import Options, run
from plumbline.cli.app import call
from plumbline.core.errors import MemoryLimitError
from tests.study_files import write_study

LIMIT = 900_000_000  # of one process, where two workers and their parent may take 2 GB together


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("memory") / "p"
    write_study(place)
    assert call(["init", str(place)]) == 0
    return place


def limited() -> None:
    """Let the system refuse more private memory than that to this process and its children."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "plumbline", *words, "--json"]
    return subprocess.run(
        line, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=limited
    )


def test_a_study_keeps_to_a_limit_that_the_system_enforces(folder: Path, tmp_path: Path) -> None:
    done = command(folder, "run", "--workers", "2", "--memory", "2GB")
    assert done.returncode == 0, done.stderr
    assert " of memory" in done.stderr
    within: dict[str, Any] = json.loads(done.stdout)
    write_study(tmp_path / "q")
    assert call(["init", str(tmp_path / "q")]) == 0
    other = subprocess.run(
        [sys.executable, "-m", "plumbline", "run", "--json"],
        cwd=tmp_path / "q",
        capture_output=True,
        text=True,
        check=True,
    )
    assert within["digests"] == json.loads(other.stdout)["digests"]


def test_a_study_that_does_not_fit_is_refused_before_its_first_block(folder: Path) -> None:
    done = command(folder, "run", "--memory", "50MB", "--no-cache")
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert error["error"] == "MemoryLimitError"
    assert "may take 50 MB" in error["message"]
    assert "say --memory" in error["message"]
    shown = json.loads(command(folder, "runs", "last").stdout)
    assert shown["run"]["state"] == "failed"
    assert shown["blocks"] == []


def test_a_study_whose_files_do_not_fit_is_refused_before_they_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(tmp_path / "q")
    assert call(["init", str(tmp_path / "q")]) == 0
    where = [str(tmp_path / "q" / "study.yaml"), "--project", str(tmp_path / "q")]
    capsys.readouterr()
    assert call(["run", *where, "--memory", "50MB", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)
    assert (error["error"], "reading stocks needs" in error["message"]) == (
        "MemoryLimitError",
        True,
    )
    assert call(["runs", *where[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    with pytest.raises(MemoryLimitError, match="reading stocks needs about"):
        run(where[0], options=Options(memory=50_000_000), project=tmp_path / "q")


def test_a_plan_tells_time_and_memory_of_each_node_and_a_run_where_they_went(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["run", "plan"]
    assert call(["run", str(folder / "study.yaml"), "--project", str(folder)]) == 0
    capsys.readouterr()
    where = [str(folder / "study.yaml"), "--project", str(folder), "--set", "model.window=50"]
    assert call([names[1], *where, "--json"]) == 0
    nodes = {row["node"]: row for row in json.loads(capsys.readouterr().out)["nodes"]}
    assert nodes["factor_model"]["measured"]
    assert nodes["factor_model"]["seconds"] > 0
    assert nodes["factor_model"]["block_bytes"] > 0
    assert "returns" not in nodes  # it is there already
    assert call(["plan", *where]) == 0
    assert "largest block" in capsys.readouterr().out

    runs = json.loads(command(folder, "runs").stdout)
    first = next(run["id"] for run in runs if run["counts"].get("computed"))
    shown = json.loads(command(folder, "runs", first, "--timings").stdout)
    computed = sum(row["blocks"] for row in shown["nodes"])
    assert computed == sum(row["blocks"] for row in shown["workers"])
    assert sum(row["share"] for row in shown["nodes"]) == pytest.approx(1)
    for row in shown["nodes"]:
        assert row["median"] <= row["slowest"] <= row["seconds"] + 1e-9
        assert row["peak_bytes"] is None or row["peak_bytes"] >= 0
    assert call(["runs", first, "--timings", "--project", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "idle_seconds" in out
    assert "slowest block" in out


def test_a_size_that_is_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(folder, "run", "--memory", "much").returncode == 2
    monkeypatch.setenv("PLUMBLINE_MEMORY", "2 apples")
    done = command(folder, "run")
    assert done.returncode == 2
    assert "PLUMBLINE_MEMORY='2 apples' is no size" in done.stdout
    monkeypatch.setenv("PLUMBLINE_MEMORY", "50MB")
    assert command(folder, "run", "--no-cache").returncode == 1
