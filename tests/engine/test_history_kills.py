"""Whatever step of a project's history is killed and wherever: given again, it leaves the same.

``PLUMBLINE_TEST_EVERY`` says of how many points one is tried, 1 tries all;
``PLUMBLINE_TEST_KILLS`` how many random kills each database sees.
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
SERVER = "from tests.engine.history_kills import main; main()"
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "17"))
KILLS = int(os.environ.get("PLUMBLINE_TEST_KILLS", "4"))
_WRITES = {"write", "flush", "fsync", "rename", "statement", "commit"}
POINTS = {
    **dict.fromkeys(("ingest", "append", "compact", "correct"), _WRITES),
    "forget": {"statement", "commit", "unlink"},
    **dict.fromkeys(("resample", "run"), _WRITES),
    "gc": {"statement", "commit", "unlink"},
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environment = dict(os.environ)
    if request.param == "postgresql":
        environment["PLUMBLINE_TEST_SERVER"] = request.getfixturevalue("postgres").url
    folder = tmp_path_factory.mktemp("history")
    command = [sys.executable, "-c", SERVER, str(folder), str(EVERY), str(KILLS), "5"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    failed = [
        (name, point) for name in told for point, _, after in told[name]["crashes"] if not after
    ]
    assert failed == [], done.stderr  # a second try raised, or what it found could not be read
    return told


def crashes(report: Any) -> list[tuple[str, Any, Any, Any]]:
    """Return step and point, the undisturbed step, how the killed one ended, and what it left."""
    return [
        (f"{name}, {point}", step, status, after)
        for name, step in report.items()
        for point, status, after in step["crashes"]
    ]


def ids(versions: Any) -> list[Any]:
    return [[number, dataset_id] for number, dataset_id, _ in versions]


def test_every_kind_of_point_of_every_step_is_hit_and_every_kill_kills(report: Any) -> None:
    for name, step in report.items():
        tried = Counter(point.partition(" ")[0] for point, _, _ in step["crashes"])
        print(name, step["hits"], "tried", dict(tried))
        assert set(step["hits"]) - {"unlink"} == POINTS[name] - {"unlink"}
        assert set(step["hits"]) >= POINTS[name]
        at_points = Counter({kind: tried[kind] for kind in step["hits"]})
        assert at_points.total() >= sum(step["hits"].values()) // EVERY
        assert EVERY > 1 or at_points == step["hits"]
    assert list(report) == list(POINTS)
    assert {status for _, _, status, _ in crashes(report)} == {9}
    assert sum(
        point.startswith("after") for s in report.values() for point, *_ in s["crashes"]
    ) == (KILLS)


def test_right_after_a_kill_each_name_means_what_it_did_or_what_it_will(report: Any) -> None:
    for where, step, _, after in crashes(report):
        assert after["wrong at first"] == [], where
        for name, versions in after["means at first"].items():
            either = [step["before"].get(name, []), step["after"]["means"].get(name, [])]
            assert ids(versions) in map(ids, either), where
            known = {file for one in either for *_, files in one for file in files}
            assert known.issuperset(file for *_, files in versions for file in files), where
        assert after["means at first"].keys() >= step["before"].keys(), where


def test_a_second_try_leaves_every_id_segment_version_and_row_of_an_undisturbed_history(
    report: Any,
) -> None:
    for where, step, _, after in crashes(report):
        assert after["means"] == step["after"]["means"], where
        assert after["rows"] in (step["after"]["rows"], step["twice"]["rows"]), where
        assert after["wrong"] == [], where


def test_clearing_leaves_no_orphan_older_than_the_grace_period(report: Any) -> None:
    for where, step, _, after in crashes(report):
        assert after["files"] == step["after"]["files"], where
        assert after["wrong after gc"] == [], where


def test_the_history_is_one_of_several_versions_parts_and_files(report: Any) -> None:
    """Else what is compared above would be little."""
    versions, files, digest = zip(
        *((len(v), len(v[-1][2]), v[-1][1]) for v in _bars(report)), strict=True
    )
    assert versions == (1, 2, 2, 3, 2, 2, 2, 2)
    assert files == (2, 4, 2, 2, 2, 2, 2, 2)
    assert len(set(digest)) == 3
    n_files = [len(step["after"]["files"]) for step in report.values()]
    assert n_files[4] < n_files[3]
    assert len({step["after"]["rows"]["artefacts"] for step in report.values()}) == 2


def _bars(report: Any) -> list[Any]:
    return [step["after"]["means"]["bars"] for step in report.values()]
