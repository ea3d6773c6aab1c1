"""Clearing away: what a kept run needs stays, whatever else goes and whenever it is killed."""

import os
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from plumbline.core.errors import ParameterError
from plumbline.core.settings import clock_time
from plumbline.engine.collect import collect_garbage
from plumbline.engine.executors.serial import Serial
from plumbline.engine.garbage import Cleared, Keeping
from plumbline.engine.health import checks_of
from plumbline.engine.project import Project, open_project
from plumbline.engine.verify import verify
from plumbline.ledger.models import Artefact, Run
from plumbline.ledger.queries import kept_runs
from tests.engine.history import age, store_days
from tests.engine.pipelines import BLOCKS, study
from tests.engine.toys import Prices

ALL = 10**12


def runs(project: Project, *seeds: int) -> list[str]:
    made = [project.engine.run(study(Prices(seed=s)), Serial()).run_id for s in seeds]
    age(project)
    return made


def stored(project: Project) -> set[int]:
    return {seed for seed in range(1, 7) if project.engine.plan(study(Prices(seed=seed))).is_done}


def content(project: Project) -> dict[str, int]:
    files = project.root.rglob("*")
    return {str(p): p.stat().st_size for p in files if p.is_file() and "plumbline.db" not in p.name}


def test_a_kept_run_keeps_all_that_its_report_and_verification_read(project: Project) -> None:
    kept, *_ = runs(project, 2, 3, 1)
    project.engine.ledger.keep_run(kept, is_kept=True)
    assert kept_runs(project.database) == [kept]
    cleared = collect_garbage(project, Keeping(max_bytes=1))
    assert cleared.results == len(BLOCKS)
    assert stored(project) == {1, 2}
    found = verify(project.engine, study(Prices(seed=2)), Serial())
    assert len(found.compared) == len(BLOCKS)
    assert not found.wrong
    project.engine.ledger.keep_run(kept, is_kept=False)
    age(project)
    collect_garbage(project, Keeping(max_bytes=1))
    assert stored(project) == {1}


def test_the_newest_runs_of_each_recipe_are_kept_and_others_go(project: Project) -> None:
    project.engine.run(replace(study(Prices(seed=6)), name="other"), Serial())
    runs(project, 5, 4, 3, 2, 1)
    collect_garbage(project, Keeping(ALL, keep_runs=2))
    assert stored(project) == {1, 2, 6}


def test_results_that_were_used_long_ago_go(project: Project) -> None:
    runs(project, 3, 2, 1)
    with project.database.begin() as connection:
        for run_id, number in connection.execute(select(Run.id, Run.number)).all():
            used = clock_time() - timedelta(days={1: 20, 2: 5, 3: 0.5}[number])
            mine = update(Artefact).where(Artefact.run_id == run_id).values(used=used)
            connection.execute(mine)
    collect_garbage(project, Keeping(ALL, older_than=timedelta(days=30)))
    assert stored(project) == {1, 2, 3}
    age_files(project)
    collect_garbage(project, Keeping(ALL, older_than=timedelta(days=10)))
    assert stored(project) == {1, 2}


def age_files(project: Project) -> None:
    old = time.time() - 7200
    for path in (project.store / "objects").rglob("*"):
        os.utime(path, (old, old))


def test_both_demands_together_drop_what_fails_both(project: Project) -> None:
    runs(project, 3, 2, 1)
    collect_garbage(project, Keeping(ALL, keep_runs=1, older_than=timedelta(days=365 * 100)))
    assert stored(project) == {1, 2, 3}
    collect_garbage(project, Keeping(ALL, keep_runs=1, older_than=timedelta(days=365)))
    assert stored(project) == {1}


def test_a_size_is_kept_to_by_dropping_the_least_recently_used(project: Project) -> None:
    runs(project, 3, 2, 1)
    whole = project.engine.cache.statistics().n_bytes
    cleared = collect_garbage(project, Keeping(int(whole * 0.7)))
    assert project.engine.cache.statistics().n_bytes == whole - cleared.n_bytes <= whole * 0.7


def test_a_dry_run_tells_what_a_real_one_does_and_touches_nothing(project: Project) -> None:
    runs(project, 3, 2, 1)
    (project.store / "segments").mkdir()
    orphan = project.store / "segments" / ("cd" * 32 + ".parquet")
    orphan.write_bytes(b"12345")
    os.utime(orphan, (0, 0))
    before = content(project)
    told = collect_garbage(project, Keeping(max_bytes=1), dry_run=True)
    assert content(project) == before
    assert stored(project) == {1, 2, 3}
    age_files(project)
    done = collect_garbage(project, Keeping(max_bytes=1))
    assert shown(told) == shown(done)
    assert done.results == 2 * len(BLOCKS)
    gone = {str(file.path) for file in (*done.files, *done.others)}
    assert {path for path in before if path not in content(project)} == gone
    assert str(orphan) in gone


def shown(cleared: Cleared) -> Any:
    files = sorted((str(f.path), f.n_bytes) for f in (*cleared.files, *cleared.others))
    return cleared.results, cleared.n_bytes, files


def test_files_that_nothing_names_go_when_they_are_old_and_others_stay(project: Project) -> None:
    store_days(project, project.root / "files", "named", 1)
    segments = project.lake.segment_folder
    (segment,) = project.lake.segment_paths(project.lake.dataset("named"))
    loose = [
        segments / ("ab" * 32 + ".parquet"),
        segments / ".0123.part",
        project.store / "objects" / "ab" / ("ab" * 32 + ".npy"),
        project.store / "objects" / "ab" / ".0123.part",
        project.root / "reports" / "study" / ".0123.part",
    ]
    kept = [segment, segment.with_suffix(".0123.damaged"), project.root / ".other.part"]
    for path in (*loose, *kept[1:]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    folder = project.store / "verify-abc"
    folder.mkdir()
    assert collect_garbage(project, Keeping(ALL)).n_bytes == 0
    for path in (*loose, *kept, folder):
        os.utime(path, (0, 0))
    cleared = collect_garbage(project, Keeping(ALL))
    assert [path for path in (*loose, folder) if path.exists()] == []
    assert all(path.exists() for path in kept)
    assert cleared.n_bytes == 5 * len(loose)


def test_what_remote_sources_gave_goes_by_age_alone_and_never_from_under_a_fetch(
    project: Project,
) -> None:
    import fcntl

    places = {name: project.store / "fetched" / name for name in ("old", "fresh", "busy")}
    for name, folder in places.items():
        folder.mkdir(parents=True)
        for file in ("lock", "a.portion", "b.portion"):
            (folder / file).write_bytes(b"" if file == "lock" else b"123")
            os.utime(folder / file, (0, 0))
        assert name
    os.utime(places["fresh"] / "lock")
    asked = Keeping(ALL, older_than=timedelta(days=30))
    with (places["busy"] / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert collect_garbage(project, Keeping(ALL)).n_bytes == 0
        assert collect_garbage(project, asked, dry_run=True).n_bytes == 6
        assert collect_garbage(project, asked).n_bytes == 6
    left = {name: sorted(p.name for p in folder.iterdir()) for name, folder in places.items()}
    whole = ["a.portion", "b.portion", "lock"]
    assert left == {"old": ["lock"], "fresh": whole, "busy": whole}
    assert collect_garbage(project, asked).n_bytes == 6  # the fetch is over


def test_a_grace_period_may_be_said(project: Project) -> None:
    orphan = project.store / "objects" / "ab" / ("ab" * 32 + ".npy")
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"12345")
    os.utime(orphan, (time.time() - 20, time.time() - 20))
    assert collect_garbage(project, Keeping(ALL, grace_seconds=60)).n_bytes == 0
    assert collect_garbage(project, Keeping(ALL, grace_seconds=10)).n_bytes == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_bytes": 0}, "max_bytes=0 must be at least 1"),
        ({"max_bytes": 1, "keep_runs": 0}, "keep_runs=0 must be at least 1"),
        ({"max_bytes": 1, "older_than": timedelta(-1)}, "must not be negative"),
        ({"max_bytes": 0, "grace_seconds": -1}, "max_bytes=0 .*; grace_seconds=-1"),
    ],
)
def test_a_demand_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Keeping(**wrong)


def test_runs_and_ingests_beside_clearing_come_out_whole(project: Project) -> None:
    """One thread clears all that is old, again and again, beside one that runs and one that reads.

    What the clearing takes is old; what runs and ingests write is young.
    """
    expected = project.engine.run(study(), Serial()).digests
    stop = threading.Event()
    taken: list[int] = []
    errors: list[BaseException] = []

    def guarded(act: Any) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)
            stop.set()

    def clear() -> None:
        other = open_project(project.root)
        while not stop.is_set():
            taken.append(collect_garbage(other, Keeping(max_bytes=1)).results)
            time.sleep(0.005)

    def read() -> None:
        other = open_project(project.root)
        for i in range(15):
            store_days(other, project.root / "files", f"d{i}", i)

    threads = [threading.Thread(target=guarded, args=[act]) for act in (clear, read)]
    for thread in threads:
        thread.start()
    try:
        for seed in (1, 2, 1, 3, 1):
            with project.database.begin() as connection:
                connection.execute(update(Artefact).values(used=datetime(2000, 1, 1)))  # noqa: DTZ001  # as stored
            age_files(project)
            result = open_project(project.root).engine.run(study(Prices(seed=seed)), Serial())
            if seed == 1:
                assert result.digests == expected
        threads[1].join()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert sum(taken) > 0
    for i in range(15):
        assert len(project.lake.segment_paths(project.lake.dataset(f"d{i}"))) == 1
    data = next(c for c in checks_of(project, deep=True) if c.name == "data sets")
    assert data.ok
