"""A run killed where a crash could tear something ends, given again, as if nothing had been.

``PLUMBLINE_TEST_EVERY`` says of how many points of each kind one is tried; 1 tries all.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = "from tests.engine.crash_server import main; main()"
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "3"))
KINDS = {"write", "flush", "fsync", "rename", "statement", "commit"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = dict(os.environ)
    if request.param == "postgresql":
        environment["PLUMBLINE_TEST_SERVER"] = request.getfixturevalue("postgres").url
    folder = tmp_path_factory.mktemp("crashes")
    command = [sys.executable, "-c", SERVER, str(folder), "points", str(EVERY)]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_kind_of_point_is_hit_and_every_kill_kills(report: Any) -> None:
    print(report["hits"])
    assert set(report["hits"]) - {"unlink"} == KINDS
    assert min(report["hits"][kind] for kind in KINDS) >= 5
    tried = {kind: -(-count // EVERY) for kind, count in report["hits"].items()}
    assert Counter(kind for kind, _, _ in report["crashes"]) == tried
    assert {status for _, status, _ in report["crashes"]} == {9}


def test_after_any_crash_a_rerun_gives_the_bits_of_an_undisturbed_run(report: Any) -> None:
    for kind, _, after in report["crashes"]:
        assert after["digests"] == report["digests"], kind


def test_after_any_crash_the_database_and_all_results_are_sound(report: Any) -> None:
    for kind, _, after in report["crashes"]:
        assert (after["check"], after["sound"]) == ("ok", True), kind
        assert after["n_results"] == report["undisturbed"]["n_results"]
        assert after["n_files"] == report["undisturbed"]["n_files"], kind


def test_what_was_finished_before_a_crash_is_not_computed_again(report: Any) -> None:
    everything = sorted([node, block] for node, block, _ in report["digests"])
    for _, _, after in report["crashes"]:
        assert sorted(after["finished"] + after["computed"]) == everything
    assert any(after["finished"] for _, _, after in report["crashes"])


def test_a_killed_run_is_called_killed(report: Any) -> None:
    ends = Counter(tuple(after["runs"]) for _, _, after in report["crashes"])
    assert set(ends) == {("done",), ("killed", "done")}  # the first: killed before it began
    assert ends["killed", "done"] > ends["done",]
