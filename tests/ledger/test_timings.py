from datetime import datetime, timedelta
from typing import Any

import pytest

from plumbline.ledger.timings import timings_by_node, timings_by_worker, wall_seconds


def task(node: str, block: str, seconds: float | None, peak: int | None = 1) -> dict[str, Any]:
    return {
        "node": node,
        "block": block,
        "seconds": seconds,
        "peak_bytes": peak,
        "worker": None if seconds is None else f"process {len(block)}",
    }


TASKS = [
    task("a", "x", 1.0, 5),
    task("a", "yy", 4.0, None),
    task("a", "z", 2.0, 9),
    task("b", "x", 3.0, None),
    task("c", "x", None),
]


def test_the_time_of_a_run_adds_up_over_its_nodes() -> None:
    a, b = timings_by_node(TASKS)
    assert a == {
        "node": "a",
        "blocks": 3,
        "seconds": 7.0,
        "median": 2.0,
        "slowest": 4.0,
        "slowest_block": "yy",
        "share": 0.7,
        "peak_bytes": 9,
    }
    assert (b["node"], b["share"], b["peak_bytes"]) == ("b", pytest.approx(0.3), None)


def test_a_worker_is_idle_while_it_computes_nothing() -> None:
    first, second = timings_by_worker(TASKS, 7.0)
    assert first == {"worker": "process 1", "blocks": 3, "busy_seconds": 6.0, "idle_seconds": 1.0}
    assert second["idle_seconds"] == 3.0
    assert timings_by_worker(TASKS, None)[0]["idle_seconds"] is None


def test_a_clock_that_stands_still_tells_no_time() -> None:
    begin = datetime(2020, 1, 1)  # noqa: DTZ001  # as the ledger holds it
    assert wall_seconds({"started": begin, "finished": begin + timedelta(seconds=2)}) == 2.0
    assert wall_seconds({"started": begin, "finished": begin}) is None
    assert wall_seconds({"started": begin, "finished": None}) is None
