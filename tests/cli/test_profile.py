"""Profiles: of a run, by node, and of a single node without storing anything."""

import json
import pstats
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli.app import call
from plumbline.engine.project import open_project
from plumbline.ledger.queries import list_runs
from tests.study_files import write_study


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("profile") / "p"
    write_study(place)
    assert call(["init", str(place)]) == 0
    where = ["--project", str(place), "--profile", str(place / "run.prof")]
    assert call(["run", str(place / "study.yaml"), *where]) == 0
    return place


def functions(file: Path) -> dict[str, tuple[int, float]]:
    """Return name -> (calls, seconds with all that was called) of a profile."""
    stats: Any = pstats.Stats(str(file))
    return {name: (calls, total) for (_, _, name), (_, calls, _, total, _) in stats.stats.items()}


def test_a_profile_of_a_run_holds_each_node_with_its_blocks_and_what_they_called(
    finished: Path,
) -> None:
    shown = functions(finished / "run.prof")
    project = open_project(finished)
    from plumbline.ledger.queries import tasks_of_run

    tasks = tasks_of_run(project.database, list_runs(project.database)[-1]["id"])
    n_blocks: dict[str, int] = {}
    for task in tasks:
        n_blocks[f"node {task['node']}"] = n_blocks.get(f"node {task['node']}", 0) + 1
    nodes = {name: calls for name, (calls, _) in shown.items() if name.startswith("node ")}
    assert nodes == n_blocks
    assert {"perform", "_stored"} < set(shown)
    measured = sum(task["seconds"] for task in tasks)
    profiled = sum(seconds for name, (_, seconds) in shown.items() if name.startswith("node "))
    assert profiled == pytest.approx(measured, rel=0.3)


def test_a_node_is_profiled_alone_and_nothing_is_stored(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / ".plumbline").rglob("*.npy")}
    project = open_project(finished)
    n_runs = len(list_runs(project.database))
    file = tmp_path / "one.prof"
    where = ["--project", str(finished), "--profile", str(file), "--json"]
    capsys.readouterr()
    code = call(["run", str(finished / "study.yaml"), *where, "--only", "signal:momentum"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    nodes = {name: n for name, (n, _) in functions(file).items() if name.startswith("node ")}
    assert nodes == {"node signal:momentum": told["blocks"]}
    after = {path: path.stat().st_mtime_ns for path in (finished / ".plumbline").rglob("*.npy")}
    assert after == before
    assert len(list_runs(project.database)) == n_runs
    assert not list((finished / ".plumbline").glob("verify-*"))


def test_a_run_with_nothing_to_compute_writes_no_profile_and_says_so(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "none.prof"
    recipe = str(finished / "study.yaml")
    assert call(["run", recipe, "--project", str(finished), "--profile", str(file)]) == 0
    assert "no block was computed" in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--only", "signal:momentum"], 2, "goes with --profile FILE alone"),
        (["--profile", "x.prof", "--only", "signal:momentun"], 2, "did you mean 'signal:momentum'"),
        (["--profile", "x.prof", "--workers", "2"], 2, "computed in this process"),
        (["--profile", "nosuch/x.prof"], 2, "lies in no folder that is there"),
        (["--profile", "."], 2, "is a folder"),
        (
            ["--profile", "x.prof", "--only", "signal:residual_momentum", "--set", "block_bars=64"],
            1,
            "which is not stored as the recipe asks; first: plumbline run",
        ),
    ],
)
def test_what_cannot_be_profiled_is_refused(
    finished: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    expected: str,
) -> None:
    monkeypatch.chdir(finished)
    capsys.readouterr()
    assert call(["run", *words]) == code
    assert expected in capsys.readouterr().err
    assert not (finished / "x.prof").exists()


def test_a_plan_without_the_cache_computes_everything(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = [str(finished / "study.yaml"), "--project", str(finished)]
    capsys.readouterr()
    assert call(["plan", *recipe, "--no-cache", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert set(counts) == {"run", "follows"}
    assert call(["plan", *recipe, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["counts"]) == {"cached"}
