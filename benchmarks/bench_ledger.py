"""Rows into and out of the ledger, on SQLite and on PostgreSQL: a million metrics, many runs.

The server is that of the tests; its disk is synced here, as that of people is.

Run: python -m benchmarks.bench_ledger
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.harness import Report

from sqlalchemy import func, select  # isort: skip

from plumbline.core.address import parse_address  # isort: skip
from plumbline.engine.project import Project, create_project  # isort: skip
from plumbline.ledger.models import FindingsRecord, Metric, Run, TaskRecord  # isort: skip
from plumbline.ledger.queries import (  # isort: skip
    get_run,
    keys_of_newest_runs,
    list_runs,
    present_states,
    run_that_told_the_same,
)
from plumbline.ledger.rows import insert_many  # isort: skip
from tests.postgres import Server  # isort: skip

METRICS = 1_000_000
CHUNK = 100_000  # metrics of one call
RUNS, BLOCKS = 2_000, 500  # 1,000,000 tasks
LEAST_RATE = 50_000  # rows a second
MOST_SECONDS = 0.05  # for the newest 50 runs
LOOKS = 21


def write_metrics(project: Project) -> float:
    """Write a million metrics by the ledger's own call; return the seconds."""
    ledger = project.engine.ledger
    parts = [
        {(f"metric {i % 100}", f"subject {i // 100:06d}"): i / 7.0 for i in range(at, at + CHUNK)}
        for at in range(0, METRICS, CHUNK)
    ]
    run_id = ledger.start_run("metrics", "recipe", "d" * 64, "Serial()")
    start = time.perf_counter()
    for part in parts:
        ledger.record_findings(run_id, part, [], "code")
    seconds = time.perf_counter() - start
    ledger.finish_run(run_id, "done")
    with project.database.read() as connection:
        found = connection.execute(select(func.count(), func.sum(Metric.value))).one()
    assert found[0] == METRICS
    assert abs(found[1] / (sum(range(METRICS)) / 7.0) - 1) < 1e-9
    return seconds


def write_runs(project: Project) -> float:
    """Write runs and their tasks in bulk; return the seconds."""
    began = datetime(2024, 1, 1)  # noqa: DTZ001  # the ledger holds UTC without a zone
    runs = [
        {
            "id": f"run-{i:06d}",
            "number": 10 + i,
            "pipeline": f"study {i % 20}",
            "state": "running" if i % 500 == 0 else "done",
            "owner": "me",
            "started": began + timedelta(minutes=i),
            "finished": None,
            "recipe": "name: study\n" * 100,
            "recipe_digest": f"{i % 20:064d}",
            "executor": "Serial()",
            "machine": {},
            "process": "elsewhere:1:2",
        }
        for i in range(RUNS)
    ]
    start = time.perf_counter()
    with project.database.begin() as connection:
        insert_many(connection, Run.__table__, runs)
        told = [{"run_id": run["id"], "code": "code"} for run in runs]
        insert_many(connection, FindingsRecord.__table__, told)
        for run in runs:
            tasks = [
                {
                    "run_id": run["id"],
                    "node": f"node {k // 10}",
                    "block": f"bars {k % 10}",
                    "key": f"{k:08d}{run['number'] % 20:056d}",
                    "state": "cached" if k else "kept",
                    "reason": "nothing changed",
                    "finished": run["started"],
                    "seconds": None,
                    "peak_bytes": None,
                    "worker": None,
                }
                for k in range(BLOCKS)
            ]
            insert_many(connection, TaskRecord.__table__, tasks)
    return time.perf_counter() - start


def median_seconds(act: Callable[[], object]) -> float:
    times = []
    for _ in range(LOOKS):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def queries(project: Project) -> dict[str, float]:
    """Return the median seconds of the queries that commands wait for, checked first."""
    database = project.database
    listed = list_runs(database)
    assert [run["id"] for run in listed] == [f"run-{RUNS - 1 - i:06d}" for i in range(50)]
    assert listed[0]["counts"] == {"kept": 1, "cached": BLOCKS - 1}
    last = f"run-{RUNS - 1:06d}"
    same = run_that_told_the_same(database, last, "code")
    assert same == f"run-{RUNS - 21:06d}"
    assert len(keys_of_newest_runs(database)) == 20 * BLOCKS
    with database.read() as connection:
        assert len(present_states(connection)) == RUNS // 500

    def states() -> object:
        with database.read() as connection:
            return present_states(connection)

    with database.hold():
        return {
            "newest_50_runs_s": median_seconds(lambda: list_runs(database)),
            "present_states_s": median_seconds(states),
            "told_the_same_s": median_seconds(
                lambda: run_that_told_the_same(database, last, "code")
            ),
            "keys_in_use_s": median_seconds(lambda: keys_of_newest_runs(database)),
            "one_run_s": median_seconds(lambda: get_run(database, last)),
        }


def main() -> None:
    report = Report("ledger")
    server = Server(fsync="on", full_page_writes="on", shared_buffers="128MB")
    try:
        for name in ("sqlite", "postgresql"):
            with tempfile.TemporaryDirectory() as folder:
                address = None if name == "sqlite" else parse_address(server.fresh())
                project = create_project(Path(folder), address)
                rate = METRICS / write_metrics(project)
                task_rate = RUNS * BLOCKS / write_runs(project)
                report.add(name, metrics_a_second=rate, tasks_a_second=task_rate)
                found = queries(project)
                report.add(f"{name}, {RUNS:,} runs, {RUNS * BLOCKS:,} tasks", **found)
                newest = 1e3 * found["newest_50_runs_s"]
                print(
                    f"{name}: {rate:,.0f} metrics/s, at least {LEAST_RATE:,}; newest 50 runs in "
                    f"{newest:.1f} ms, at most {1e3 * MOST_SECONDS:.0f}"
                )
    finally:
        server.close()
    report.save()


if __name__ == "__main__":
    main()
