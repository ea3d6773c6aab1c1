import os
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from plumbline.engine.executors.serial import Serial
from plumbline.engine.objects import names_in
from plumbline.engine.project import Project, open_project
from plumbline.ledger.models import Artefact, Run
from tests.engine.pipelines import BLOCKS, computed, last_run, study
from tests.engine.toys import Prices

pytestmark = pytest.mark.usefixtures("each_database")

HOURS = 3600.0


def age(project: Project, hours: float = 2.0) -> None:
    """Make all files of the store look old."""
    for path in (project.store / "objects").glob("*/*"):
        with suppress(FileNotFoundError):  # which another thread clears away
            found = path.stat()
            os.utime(path, (found.st_atime, found.st_mtime - hours * HOURS))


def end_long_ago(project: Project, *run_ids: str) -> None:
    with project.database.begin() as connection:
        for run_id in run_ids:
            row = connection.execute(select(Run.finished).where(Run.id == run_id)).scalar_one()
            values = {"finished": row - timedelta(hours=2)}
            connection.execute(update(Run).where(Run.id == run_id).values(values))
            made = select(Artefact.key, Artefact.used).where(Artefact.run_id == run_id)
            for key, used in connection.execute(made).all():
                values = {"used": used - timedelta(hours=2)}
                connection.execute(update(Artefact).where(Artefact.key == key).values(values))


def trim(project: Project, max_bytes: int) -> int:
    return project.engine.cache.trim(max_bytes)


def test_trimming_keeps_what_the_last_run_used_whatever_its_size(project: Project) -> None:
    first = project.engine.run(study(Prices(seed=2)), Serial())
    second = project.engine.run(study(), Serial())
    age(project)
    end_long_ago(project, first.run_id, second.run_id)
    before = project.engine.cache.statistics()
    removed = trim(project, 1)
    after = project.engine.cache.statistics()
    assert removed > 0
    assert after.n_bytes == before.n_bytes - removed
    assert after.n_results == len(BLOCKS)
    assert project.engine.run(study(), Serial()).counts == {"cached": len(BLOCKS)}
    result = project.engine.run(study(Prices(seed=2)), Serial())
    assert computed(project, result.run_id) == BLOCKS
    assert result.digests == first.digests


def test_the_least_recently_used_go_first(project: Project) -> None:
    runs = [project.engine.run(study(Prices(seed=seed)), Serial()) for seed in (1, 2, 3)]
    runs.append(project.engine.run(study(Prices(seed=1)), Serial()))  # used again
    runs.append(project.engine.run(study(Prices(seed=3)), Serial()))
    age(project)
    end_long_ago(project, *(run.run_id for run in runs))
    whole = project.engine.cache.statistics().n_bytes
    trim(project, int(whole * 0.7))
    assert project.engine.cache.statistics().n_bytes <= whole * 0.7
    assert project.engine.plan(study(Prices(seed=3))).is_done
    assert project.engine.plan(study(Prices(seed=1))).is_done
    assert not project.engine.plan(study(Prices(seed=2))).is_done


def test_results_of_a_run_that_goes_on_or_has_just_ended_stay(project: Project) -> None:
    ended = project.engine.run(study(Prices(seed=2)), Serial())
    going = project.engine.run(study(Prices(seed=3)), Serial())
    last = project.engine.run(study(), Serial())
    age(project)
    end_long_ago(project, going.run_id, last.run_id)
    with project.database.begin() as connection:
        connection.execute(update(Run).where(Run.id == going.run_id).values(state="running"))
    assert trim(project, 1) == 0
    assert project.engine.cache.statistics().n_results == 3 * len(BLOCKS)
    end_long_ago(project, ended.run_id)
    assert trim(project, 1) > 0
    assert project.engine.plan(study(Prices(seed=3))).is_done


def test_a_store_within_its_size_loses_only_what_nothing_names_and_that_late(
    project: Project,
) -> None:
    project.engine.run(study(), Serial())
    orphan = project.store / "objects" / "ab" / ("ab" * 32 + ".npy")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"12345")
    half = orphan.with_name(".0123.part")
    half.write_bytes(b"123")
    assert trim(project, 10**9) == 0
    assert orphan.exists()
    before = project.engine.cache.statistics()
    age(project)
    assert trim(project, 10**9) == 8
    assert not orphan.exists()
    assert not half.exists()
    assert project.engine.cache.statistics().n_files == before.n_files - 1
    assert project.engine.plan(study()).is_done


def test_half_written_files_are_no_results(project: Project) -> None:
    project.engine.run(study(), Serial())
    before = project.engine.cache.statistics()
    path = next((project.store / "objects").glob("*/*"))
    path.with_name(".0123.part").write_bytes(b"123")
    assert project.engine.cache.statistics() == before


def test_left_over_folders_of_killed_verifications_go(project: Project) -> None:
    project.engine.run(study(), Serial())
    folder = project.store / "verify-abc"
    folder.mkdir()
    trim(project, 10**9)
    assert folder.exists()
    os.utime(folder, (0, 0))
    trim(project, 10**9)
    assert not folder.exists()


def test_a_reader_beside_trimming_computes_what_was_taken_away(project: Project) -> None:
    """One thread trims all that is old, again and again, beside another that reads and runs."""
    expected = project.engine.run(study(), Serial()).digests
    stop = threading.Event()
    trims: list[int] = []

    def keep_trimming() -> None:
        other = open_project(project.root)
        while not stop.is_set():
            trims.append(other.engine.cache.trim(1))
            time.sleep(0.01)

    thread = threading.Thread(target=keep_trimming)
    thread.start()
    try:
        for seed in (1, 2, 1, 3, 1):
            age(project)
            with project.database.begin() as connection:
                connection.execute(update(Artefact).values(used=datetime(2000, 1, 1)))  # noqa: DTZ001  # as stored
            result = open_project(project.root).engine.run(study(Prices(seed=seed)), Serial())
            if seed == 1:
                assert result.digests == expected
    finally:
        stop.set()
        thread.join()
    assert sum(trims) > 0


def test_forgetting_a_file_drops_every_result_that_holds_it(project: Project) -> None:
    project.engine.run(study(), Serial())
    cache = project.engine.cache
    with project.database.read() as connection:
        rows = dict(connection.execute(select(Artefact.key, Artefact.manifest)).all())
    import json

    shared = json.loads(next(iter(rows.values())))["assets"]
    holders = {key for key, text in rows.items() if shared in names_in(json.loads(text))}
    assert cache.forget(shared, project.engine.ledger) == 0  # it is whole
    cache.objects.path(shared).write_bytes(b"")
    assert cache.forget(shared, project.engine.ledger) == len(holders)
    assert cache.statistics().n_results == len(BLOCKS) - len(holders)
    result = project.engine.run(study(), Serial())
    assert len(computed(project, result.run_id)) == len(holders)
    assert last_run(project) == result.run_id


@pytest.mark.parametrize("n_files", [1, 3])
def test_results_without_their_files_are_no_results(project: Project, n_files: int) -> None:
    project.engine.run(study(), Serial())
    for path in sorted((project.store / "objects").glob("*/*"))[:n_files]:
        path.unlink()
    assert not open_project(project.root).engine.plan(study()).is_done
