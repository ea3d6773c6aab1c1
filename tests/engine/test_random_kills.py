"""A run killed at any moment ends, given again, as if nothing had been.

``PLUMBLINE_TEST_KILLS`` says how often each database sees one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = "from tests.engine.crash_server import main; main()"
KILLS = int(os.environ.get("PLUMBLINE_TEST_KILLS", "8"))
MARK = f"random-kills-of-{os.getpid()}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("kills")
    command = [sys.executable, "-c", SERVER, str(folder), str(KILLS), "7"]
    environment = {**os.environ, "PLUMBLINE_TEST_MARK": MARK}
    if request.param == "postgresql":
        environment["PLUMBLINE_TEST_SERVER"] = request.getfixturevalue("postgres").url
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_random_kills_leave_the_bits_of_an_undisturbed_run(report: Any) -> None:
    assert len(report["crashes"]) == KILLS
    for moment, status, after in report["crashes"]:
        assert status == 9, moment
        assert after["digests"] == report["digests"], moment
        assert (after["check"], after["sound"]) == ("ok", True), moment


def test_what_a_killed_run_finished_is_not_computed_again(report: Any) -> None:
    everything = sorted([node, block] for node, block, _ in report["digests"])
    for moment, _, after in report["crashes"]:
        assert sorted(after["finished"] + after["computed"]) == everything, moment
    begun = [after for _, _, after in report["crashes"] if len(after["finished"]) > 0]
    assert len(begun) >= KILLS // 4
    print(sorted(len(after["finished"]) for after in begun), "of", len(everything))


def test_no_worker_outlives_a_killed_run(report: Any) -> None:
    assert report["crashes"]
    alive = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it ended, or is somebody else's
            continue
        if MARK.encode() in environment and state not in ("Z", "X"):
            alive.append((folder.name, (folder / "cmdline").read_bytes()))
    # multiprocessing's resource tracker computes nothing and leaves when its pipe is closed
    assert [c for _, c in alive if b"resource_tracker" not in c] == []
