"""A nightly run that is killed at any point goes on from whole chunks, and ends as if it were not.

``PLUMBLINE_TEST_EVERY`` says of how many points one is tried, 1 tries all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from plumbline.ledger.queries import list_runs
from tests.stages.nightly_projects import LOAD, Nights
from tests.store.conftest import writer_url

REPOSITORY = Path(__file__).resolve().parents[2]
CHILD = "from tests.stages.nightly_kills import main; main()"
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "23"))
N_DAYS = LOAD.portfolios * LOAD.dates


def run_in_child(nights, point):
    place = nights.place or "-"
    command = [sys.executable, "-c", CHILD, str(nights.folder), place, str(point)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["parquet", "postgresql"])
def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(kind, tmp_path, request):
    def made(name):
        server = request.getfixturevalue("postgres") if kind == "postgresql" else None
        place = None if server is None else writer_url(server)
        return Nights.made(tmp_path / name, place)

    undisturbed = made("undisturbed")
    done = run_in_child(undisturbed, 0)
    assert done.returncode == 0, done.stderr
    n_points, expected = int(done.stdout), undisturbed.tables()
    assert n_points >= 2 * (LOAD.portfolios + 1) * 2
    points = range(2, n_points + 1, EVERY)
    for point in points:
        nights = made(f"killed_at_{point}")
        assert run_in_child(nights, point).returncode == -9
        left = nights.tables()["keys"]
        per_portfolio = left.group_by("portfolio").len()["len"].to_list()
        assert set(per_portfolio) <= {LOAD.dates}, point  # a chunk is there whole or not at all
        result = nights.run()
        assert result.tally.done == N_DAYS - left.height, point
        for name, frame in nights.tables().items():
            assert_frame_equal(frame, expected[name], check_exact=True)
        states = [run["state"] for run in list_runs(nights.project.database)]
        assert states[0] == "done"
        assert set(states[1:]) <= {"killed", "done"}, point
    print(kind, n_points, "points,", len(points), "tried")
