"""A connection that a server drops in any step of a history loses nothing and leaves no half.

``PLUMBLINE_TEST_EVERY`` says of how many statements and commits one is tried; 1 tries all.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from plumbline.engine import session
from plumbline.ledger.database import refusal
from tests.engine.dropping import DROP, acting_at
from tests.engine.history import HISTORY, Place, Step, left, meanings, write_files, wrong
from tests.postgres import Server

EVERY = int(os.environ.get("PLUMBLINE_TEST_EVERY", "61"))
STEPS = ("ingest", "append", "compact", "correct", "forget", "gc")


@pytest.fixture(autouse=True)
def every_block_is_committed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_COMMIT_SECONDS", 0.0)


def ids(versions: list[Any]) -> list[Any]:
    return [[number, dataset_id] for number, dataset_id, _ in versions]


def dropped(place: Place, step: Step, server: Server, number: int) -> str:
    """Do a step that loses its connections before one of its statements; return how it ended."""
    project = place.project()
    try:
        with acting_at(project, number, lambda: server.execute(DROP)):
            step.act(project)
    except DBAPIError as error:
        told = refusal(error)
    else:
        return "went on"
    assert "the connection was lost; what was committed is kept" in told
    return "ended"


def tried(place: Place, step: Step, server: Server, first: int) -> Counter[tuple[str, str]]:
    """Drop the connections of a step at its statements; each time look, do it again, and look."""

    def put_back(name: str) -> None:
        server.execute(DROP)  # also those that are kept open for the next command
        place.put_back(name)

    project = place.project()
    before = meanings(project)
    with acting_at(project, None, lambda: None) as hits:
        step.act(project)
    server.execute(DROP)
    place.keep(f"after_{step.name}")
    expected = left(place.project())
    ends: Counter[tuple[str, str]] = Counter()
    change = next(i for i, kind in enumerate(hits) if kind not in ("SELECT", "COMMIT"))
    for number in sorted({change, *range(first % len(hits), len(hits), EVERY)}):
        put_back(f"before_{step.name}")
        end = dropped(place, step, server, number)
        again = place.project()
        where = (step.name, number, hits[number], end)
        assert wrong(again) == [], where
        for name, versions in meanings(again).items():
            either = (before.get(name, []), expected["means"].get(name, []))
            assert ids(versions) in map(ids, either), where
        if end == "ended":
            step.act(again)
        found = left(again)
        if found != expected:  # then it was done before the connection was lost: twice by now
            put_back(f"after_{step.name}")
            step.act(place.project())
            assert found == left(place.project()), where
        ends[hits[number], end] += 1
    put_back(f"after_{step.name}")
    return ends


def test_a_dropped_connection_ends_a_step_with_advice_or_not_at_all_and_a_second_try_ends_it(
    postgres: Server, tmp_path: Path
) -> None:
    place = Place(tmp_path, postgres.url)
    write_files(place.root)
    ends: Counter[tuple[str, str]] = Counter()
    for i, step in enumerate(HISTORY):
        step.before(place.project())
        if step.name not in STEPS:
            step.act(place.project())
            continue
        postgres.execute(DROP)
        place.keep(f"before_{step.name}")
        found = tried(place, step, postgres, 7 * i)
        print(step.name, dict(found))
        ends += found
    assert {kind for kind, _ in ends} >= {"SELECT", "INSERT"}
    assert {end for _, end in ends} == {"went on", "ended"}
