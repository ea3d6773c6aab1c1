"""What a run gave up, on the command line: it is shown, and tried again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli.app import call
from plumbline.core.errors import TransientError
from plumbline.stages.compute_signal import ComputeSignal
from tests.study_files import write_study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_study(tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    assert call(["init"]) == 0
    return tmp_path / "p"


def failing(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: ComputeSignal, inputs: Any) -> Any:
        if type(self.signal).__name__ == "ResidualMomentum":
            raise TransientError("planted")
        return original(self, inputs)

    return run


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = call([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_what_a_run_gave_up_is_shown_and_a_retry_computes_that_alone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ComputeSignal, "run", failing(ComputeSignal.run))
        assert call(["run", "--attempts", "1"]) == 1
    code, failed = document(capsys, "runs", "last", "--failures")
    dead = {(row["node"], row["block"]) for row in failed["dead"]}
    assert code == 0
    assert {node for node, _ in dead} == {"signal:residual_momentum"}
    assert {row["attempts"] for row in failed["dead"]} == {1}
    assert all(row["message"].endswith("planted") and row["trace"] for row in failed["dead"])

    capsys.readouterr()
    assert call(["runs", "last", "--failures"]) == 0
    told = capsys.readouterr().out
    assert "signal:residual_momentum [bars" in told
    assert "after 1 attempt" in told
    assert told.rstrip().endswith(f"plumbline runs retry {failed['run']}")

    lost = {
        (row["node"], row["block"])
        for row in document(capsys, "runs", failed["run"])[1]["blocks"]
        if row["state"] in ("failed", "blocked")
    }
    code, again = document(capsys, "runs", "retry")
    assert (code, again["retried"]) == (0, failed["run"])
    _, shown = document(capsys, "runs", "last")
    assert shown["run"]["id"] == again["run_id"]
    assert shown["run"]["retried"] == failed["run"]
    done = {(r["node"], r["block"]) for r in shown["blocks"] if r["state"] == "computed"}
    assert done == lost
    assert again["blocks"]["computed"] == len(lost)

    code, report = document(capsys, "run")
    assert code == 0
    assert set(report["blocks"]) == {"cached"}


def test_a_retry_of_a_run_that_gave_nothing_up_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["runs", "retry"]) == 0
    assert capsys.readouterr().out == "no run gave a block up: nothing to try again\n"
    assert call(["run"]) == 0
    capsys.readouterr()
    assert call(["runs", "retry", "last"]) == 0
    assert capsys.readouterr().out.endswith("gave no block up: nothing to try again\n")
    assert call(["runs", "retry", "nosuch"]) == 2
    assert call(["runs", "last", "--failures"]) == 0
    assert capsys.readouterr().out.endswith("it gave no block up\n")


def test_options_of_a_retry_are_refused_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["runs", "last", "--attempts", "3"]) == 2
    assert "go with `plumbline runs retry` alone" in capsys.readouterr().err


def test_a_time_limit_without_worker_processes_is_refused_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["run", "--time-limit", "5"]) == 2
    assert "cannot end a block" in capsys.readouterr().err
    assert call(["runs"]) == 0
    assert "no runs" in capsys.readouterr().out
