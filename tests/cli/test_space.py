"""What is stored, what may go, what stays: on the command line."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli.app import call
from plumbline.engine.project import open_project
from tests.engine.history import age
from tests.study_files import write_study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with two runs of one study, the second with another window."""
    write_study(tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    assert call(["init"]) == 0
    assert call(["run"]) == 0
    assert call(["run", "--set", "model.window=50"]) == 0
    age(open_project(tmp_path / "p"))
    return tmp_path / "p"


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = call([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_results_go_and_stay_as_asked_and_what_is_left_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, before = document(capsys, "cache")
    assert before["n_results"] == sum(row["results"] for row in before["nodes"])
    assert before["max_bytes"] == 20_000_000_000
    second, first = before["runs"]
    assert first["hit_rate"] == 0.0
    assert first["computed"] == first["blocks"]
    assert 0 < second["hit_rate"] < 1
    assert second["found"] + second["computed"] == second["blocks"]

    code, told = document(capsys, "gc", "--keep-runs", "1", "--dry-run")
    assert (code, told["dry_run"]) == (0, True)
    assert told["held"]["n_results"] == before["n_results"]
    assert told["results"] == before["n_results"] - second["blocks"] > 0

    assert call(["runs", first["run"], "--keep"]) == 0
    assert document(capsys, "gc", "--max-bytes", "1kB")[1]["results"] == 0
    assert call(["runs", first["run"], "--unkeep"]) == 0

    capsys.readouterr()
    assert call(["gc", "--keep-runs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{told['results']} results and ")
    assert f"held: {second['blocks']} results in" in out
    assert call(["plan", "--set", "model.window=50"]) == 0
    assert "nothing to compute" in capsys.readouterr().out
    assert call(["cache"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{second['blocks']} results in ")
    assert "hit_rate" in out
    assert "factor_model" in out


def test_a_segment_that_nothing_names_is_named_when_it_goes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = folder / ".plumbline" / "segments" / ("ab" * 32 + ".parquet")
    orphan.write_bytes(b"12345")
    os.utime(orphan, (time.time() - 7200,) * 2)
    capsys.readouterr()
    assert call(["gc"]) == 0
    relative = orphan.relative_to(folder)
    assert f"  {relative}, which nothing names" in capsys.readouterr().out
    assert not orphan.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["gc", "--max-bytes", "5 apples"], "is no size such as 2GB"),
        (["gc", "--older-than", "yesterday"], "is no length of time such as 30d"),
        (["gc", "--keep-runs", "0"], "keep-runs"),
        (["runs", "--keep"], "need the run before them"),
        (["runs", "nosuch", "--keep"], "no run 'nosuch'"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    capsys.readouterr()
    assert call(words) == 2
    assert expected in capsys.readouterr().err
