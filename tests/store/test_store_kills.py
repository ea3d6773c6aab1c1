"""A writer that is killed leaves whole chunks, and a second try leaves what it would have left.

``PLUMBLINE_TEST_EVERY`` says of how many points one is tried, 1 tries all;
``PLUMBLINE_TEST_KILLS`` how many random kills each store sees.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.store.conftest import writer_url

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = "from tests.store.kills import main; main()"
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "29"))
KILLS = int(os.environ.get("PLUMBLINE_TEST_KILLS", "1"))
POINTS = {
    "parquet": {"write", "flush", "fsync", "rename", "statement", "commit"},
    "postgresql": {"statement", "copy", "copied", "commit", "committed"},
}


@pytest.fixture(scope="module", params=list(POINTS))
def report(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    frames: dict[str, pl.DataFrame],
) -> Any:
    folder = tmp_path_factory.mktemp("kills")
    for name, frame in frames.items():
        frame.write_ipc(folder / f"{name}.arrow")
    environment = dict(os.environ)
    if request.param == "postgresql":
        url = writer_url(request.getfixturevalue("postgres"))
        environment["PLUMBLINE_TEST_SERVER"] = url.partition("&schema=")[0]
    command = [sys.executable, "-c", SERVER, str(folder), str(folder), str(EVERY), str(KILLS), "5"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    told["kind"] = request.param
    failed = [name for name, found in told["trials"].items() if not found["after"]]
    assert failed == [], done.stderr  # a second try raised, or what it found could not be read
    return told


def test_every_kind_of_point_is_there_and_every_kill_kills(report: Any) -> None:
    hits, tried = report["hits"], Counter(name.split()[1] for name in report["trials"])
    print(report["kind"], "points", hits, "tried", dict(tried))
    assert set(hits) == POINTS[report["kind"]]
    at_points = {n: t for n, t in report["trials"].items() if not n.startswith("after")}
    assert len(at_points) >= sum(hits.values()) // EVERY
    assert {found["status"] for found in at_points.values()} == {9}
    assert len(report["trials"]) == len(at_points) + KILLS


def test_the_history_changes_all_tables_and_each_chunk_bears_its_own_number(report: Any) -> None:
    """Else what is compared below would be little."""
    expected = report["expected"]
    assert report["mixed"] == []
    assert len({look["days"] for look in expected}) == 5
    assert len({look["correlations"] for look in expected}) == 2
    for table in ("snapshots", "exposures", "measures", "sectors", "stress"):
        assert len({look[table] for look in expected}) == 5, table
    assert len({look["failures"] for look in expected}) >= 2


def test_what_a_kill_leaves_is_what_was_there_before_or_after_the_chunk(report: Any) -> None:
    for where, found in report["trials"].items():
        done, expected = found["done"], report["expected"]
        assert found["after"]["first"] in expected[done : done + 2], where


def test_a_second_try_leaves_what_an_undisturbed_history_does_and_no_file_more(
    report: Any,
) -> None:
    for where, found in report["trials"].items():
        assert found["after"]["last"] == report["expected"][-1], where
        assert found["after"]["left"] == report["left"] == 0, where


def test_no_reader_ever_sees_half_a_portfolio_day_or_half_a_chunk(report: Any) -> None:
    n_looks, states = 0, Counter[int]()
    for where, found in report["trials"].items():
        assert found["seen"]["wrong"] == [], where
        assert found["after"]["mixed"] == [], where
        n_looks += found["seen"]["looks"]
        assert -1 not in found["seen"]["states"]
        states.update(found["seen"]["states"])
    print(report["kind"], n_looks, "looks; trials in which each state was seen", dict(states))
    assert n_looks >= len(report["trials"])
    assert len(states) >= 2
