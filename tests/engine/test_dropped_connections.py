"""A server that drops connections, or goes and comes back, costs a run no result that it has."""

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from plumbline.core.address import parse_address
from plumbline.engine import session
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.project import Project, create_project, open_project
from plumbline.ledger import database as ledger_database
from plumbline.ledger.database import refusal
from plumbline.ledger.models import TaskRecord
from plumbline.ledger.queries import list_runs
from tests.engine.dropping import DROP, acting_at
from tests.engine.pipelines import BLOCKS, computed, study
from tests.postgres import Server

MOMENTS = 5
EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "21"))  # of the statements one is tried


@pytest.fixture(autouse=True)
def every_block_is_committed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_COMMIT_SECONDS", 0.0)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("undisturbed")
    return create_project(folder).engine.run(study(), Serial()).digests


def made(server: Server, folder: Path) -> Project:
    return create_project(folder, parse_address(server.fresh()))


def disturbed(project: Project, expected: Any) -> str:
    """Run a project that is disturbed, and return whether it went on or ended with advice."""
    try:
        result = project.engine.run(study(), Serial())
    except DBAPIError as error:
        told = refusal(error)
    else:
        assert result.digests == expected
        return "went on"
    assert "the connection was lost; what was committed is kept" in told
    return "ended"


def recover(project: Project, expected: Any) -> None:
    """Run a project again, and see that nothing it had is lost or computed again."""
    again = open_project(project.root)
    with again.database.read() as connection:
        query = select(TaskRecord.node, TaskRecord.block).where(TaskRecord.state == "computed")
        before = {(node, block) for node, block in connection.execute(query)}
    rerun = again.engine.run(study(), Serial())
    assert rerun.digests == expected
    assert computed(again, rerun.run_id) == BLOCKS - before
    assert all(check.ok for check in checks_of(again, deep=True))


def test_a_connection_dropped_before_a_statement_or_commit_loses_nothing(
    postgres: Server, tmp_path: Path, expected: Any
) -> None:
    project = made(postgres, tmp_path / "counted")
    with acting_at(project, None, lambda: None) as hits:
        project.engine.run(study(), Serial())
    ends: Counter[tuple[str, str]] = Counter()
    for number in range(0, len(hits), EVERY):
        project = made(postgres, tmp_path / f"{number}")
        with acting_at(project, number, lambda: postgres.execute(DROP)):
            ends[hits[number], disturbed(project, expected)] += 1
        recover(project, expected)
    print(dict(ends))
    assert {kind for kind, _ in ends} >= {"SELECT", "INSERT", "COMMIT"}
    assert {end for _, end in ends} == {"went on", "ended"}


def test_a_connection_dropped_at_random_moments_loses_nothing(
    postgres: Server, tmp_path: Path, expected: Any
) -> None:
    draws = random.Random(11)  # noqa: S311  # moments, no secrets
    started = time.monotonic()
    made(postgres, tmp_path / "timed").engine.run(study(), Serial())
    lasts = time.monotonic() - started
    for i in range(MOMENTS):
        project = made(postgres, tmp_path / f"{i}")
        timer = threading.Timer(draws.uniform(0, lasts), postgres.execute, (DROP,))
        timer.start()
        disturbed(project, expected)
        timer.join()
        recover(project, expected)


def test_a_server_that_stops_and_starts_at_random_moments_is_waited_for(
    postgres: Server, tmp_path: Path, expected: Any
) -> None:
    draws = random.Random(12)  # noqa: S311  # the same

    def restart() -> None:
        postgres.tell("stop")
        time.sleep(draws.uniform(0, 0.5))
        postgres.tell("start")

    for i in range(4):
        project = made(postgres, tmp_path / f"{i}")
        timer = threading.Timer(draws.uniform(0, 0.3), restart)
        timer.start()
        disturbed(project, expected)
        timer.join()
        recover(project, expected)


def test_a_server_that_stays_away_ends_a_run_with_advice(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Any
) -> None:
    monkeypatch.setattr(ledger_database, "_BACK_SECONDS", 0.3)
    project = made(postgres, tmp_path)
    stopped = False
    try:
        with acting_at(project, 30, lambda: postgres.tell("stop")):
            started = time.monotonic()
            with pytest.raises(DBAPIError) as caught:
                project.engine.run(study(), Serial())
            stopped = True
        assert time.monotonic() - started < 20
        assert "; see that the server runs there" in refusal(caught.value)
    finally:
        if stopped:
            postgres.tell("start")
    assert open_project(project.root).engine.run(study(), Serial()).digests == expected
    assert next(run["state"] for run in list_runs(project.database)) == "done"
