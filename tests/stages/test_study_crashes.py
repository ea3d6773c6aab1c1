"""A study survives the death of its processes: bits, ledger and files are those of no death."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = "from tests.stages.crash_study import main; main()"
KILLS = 10


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("crashes")
    command = [sys.executable, "-c", SERVER, str(folder), str(KILLS), "11"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_after_kills_a_rerun_gives_every_digest_of_an_undisturbed_run(report: Any) -> None:
    assert len(report["crashes"]) == KILLS
    expected = report["undisturbed"]["digests"]
    assert len(expected) > 30
    assert all(digest for _, _, digest in expected)
    for moment, after in report["crashes"]:
        assert after["code"] == 0, moment
        assert after["digests"] == expected, moment
        assert after["report"], moment


def test_no_kill_leaves_a_block_half_written(report: Any) -> None:
    for moment, after in report["crashes"]:
        assert after["wrong"] == [], moment
        assert after["n_results"] == report["undisturbed"]["n_results"], moment


def test_what_was_finished_before_a_kill_is_not_computed_again(report: Any) -> None:
    everything = sorted([node, block] for node, block, _ in report["undisturbed"]["digests"])
    for moment, after in report["crashes"]:
        assert sorted(after["finished"] + after["computed"]) == everything, moment
    half_way = [0 < len(after["finished"]) < len(everything) for _, after in report["crashes"]]
    print(sorted((len(after["finished"]), moment) for moment, after in report["crashes"]))
    assert sum(half_way) >= KILLS // 4


def test_the_next_command_leaves_no_killed_run_running(report: Any) -> None:
    ends = [after["runs"] for _, after in report["crashes"]]
    assert all(runs[-1] == "done" for runs in ends)
    assert all(set(runs[:-1]) <= {"killed", "done"} for runs in ends)
    assert sum(runs == ["killed", "done"] for runs in ends) >= KILLS // 2
