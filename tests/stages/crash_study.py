"""Kills `plumbline run` of a real study in forked children: at any moment, and where it writes.

Forking saves the start of an interpreter a run; this process itself computes no table, because
threads of a table library do not survive a fork.
"""

import functools
import json
import os
import random
import signal
import sys
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from plumbline.cli.app import build, call
from plumbline.core.calendar import Calendar
from plumbline.engine import code_digest, session
from plumbline.engine.executors import processes
from plumbline.engine.health import checks_of
from plumbline.engine.project import create_project, open_project
from plumbline.kernels.warm import warm
from plumbline.ledger.models import Artefact, Run, TaskRecord
from plumbline.ledger.queries import tasks_of_run
from tests.engine.crash_server import Points, forked
from tests.study_files import write_study

YEARS = (2009, 2010, 2011)
KINDS = ("write", "fsync", "rename", "commit")
WORKER_POINTS = 40  # of each kind: every worker of the study passes more
EXECUTORS = {"serial": [], "processes": ["--executor", "processes", "--workers", "2"]}
_prepare_worker = processes._prepare_worker


def armed_worker(kind: str, kill_at: int, parent: int) -> None:
    """Prepare a worker in which a crash of the whole tree is planted."""
    _prepare_worker(parent)
    Points(kill_at, kind).install()


def run(folder: Path, executor: str = "serial") -> int:
    """Do what `plumbline run` does, without a word."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    return call(["run", str(folder / "study.yaml"), *EXECUTORS[executor]])


def new_study(folder: Path) -> None:
    write_study(folder, years=YEARS)
    create_project(folder)


def counted(folder: Path) -> Any:
    """Run without a disturbance; return how long it took, the points it passed, and the ledger."""
    new_study(folder)
    points = Points(None)
    points.install()
    started = time.monotonic()
    assert run(folder) == 0
    seconds = time.monotonic() - started
    return {"seconds": seconds, "points": points.hits, **told(folder)}


def told(folder: Path) -> dict[str, Any]:
    """Return what the ledger says of the newest run: digests of all outputs, blocks computed."""
    project = open_project(folder)
    query = select(Run.id, Run.state).order_by(Run.started, Run.id)
    with project.database.read() as connection:
        runs = [tuple(row) for row in connection.execute(query)]
        digests = {
            row[0]: row[1] for row in connection.execute(select(Artefact.key, Artefact.digest))
        }
    tasks = tasks_of_run(project.database, runs[-1][0])
    return {
        "digests": sorted([t["node"], t["block"], digests.get(t["key"])] for t in tasks),
        "computed": sorted([t["node"], t["block"]] for t in tasks if t["state"] == "computed"),
        "runs": [state for _, state in runs],
        "n_results": len(digests),
    }


def recovered(folder: Path) -> dict[str, Any]:
    """Look at what a crash left, give the command again, and look again."""
    project = open_project(folder)
    with project.database.read() as connection:
        query = select(TaskRecord.node, TaskRecord.block).where(TaskRecord.state == "computed")
        finished = sorted(list(row) for row in connection.execute(query))
    sound = [check.found for check in checks_of(project, deep=True) if not check.ok]
    code = run(folder)
    sound += [check.found for check in checks_of(project, deep=True) if not check.ok]
    report = folder / "reports" / "small" / "study.json"
    return {
        "code": code,
        "wrong": sound,
        "finished": finished,
        "report": sorted(json.loads(report.read_text())),
        **told(folder),
    }


def killed_at_a_point(
    folder: Path, executor: str, draws: random.Random, points: list[str]
) -> tuple[str, int]:
    """Kill a run where it writes: in the coordinator, or in a worker, which takes all along."""
    kind = draws.choice(KINDS)
    in_worker = executor == "processes" and kind != "commit"
    n_points = WORKER_POINTS if in_worker else points.count(kind)
    if executor == "processes" and not in_worker:
        n_points //= 2  # commits are fewer where blocks end together
    kill_at = draws.randrange(n_points)

    def act() -> int:
        if in_worker:
            processes._prepare_worker = functools.partial(armed_worker, kind, kill_at)
        else:
            Points(kill_at, kind).install()
        return run(folder, executor)

    where = "worker" if in_worker else "coordinator"
    return f"{kind} {kill_at} of the {where}, {executor}", forked(act)[0]


def killed_at_a_moment(
    folder: Path, executor: str, draws: random.Random, seconds: float
) -> tuple[str, int]:
    slower = 2.0 if executor == "processes" else 1.0  # its workers start first
    wait = draws.uniform(0.1, 1.0) * seconds * slower

    def kill(child: int) -> None:
        time.sleep(wait)
        os.killpg(child, signal.SIGKILL)

    return f"after {wait:.3f} s, {executor}", forked(lambda: run(folder, executor), kill)[0]


def crashes(folder: Path, count: int, seed: int) -> Any:
    """Return the undisturbed run and crashes, half of them at points, 3 of 5 of one process."""
    undisturbed = forked(lambda: counted(folder / "undisturbed"))[1]
    draws = random.Random(seed)  # noqa: S311  # moments, no secrets
    found: list[Any] = []
    missed = 0
    for executor, share in (("serial", 3), ("processes", 2)):
        for _ in range(count * share // 10):
            for at_point in (True, False):
                status, place = 0, folder
                while status != signal.SIGKILL:  # a run may end before its moment has come
                    place = folder / f"{len(found)}-{missed}"
                    forked(lambda place=place: new_study(place))
                    if at_point:
                        points = undisturbed["points"]
                        moment, status = killed_at_a_point(place, executor, draws, points)
                    else:
                        seconds = undisturbed["seconds"] * 0.8**missed  # it was slower then
                        moment, status = killed_at_a_moment(place, executor, draws, seconds)
                    missed += status != signal.SIGKILL
                    assert missed <= count, moment
                after = forked(lambda place=place: recovered(place))[1]
                found.append([moment, after])
    return {"undisturbed": undisturbed, "crashes": found, "missed": missed}


def warm_up() -> None:
    """Load what every child would: modules, compiled kernels, the calendar, source files."""
    import plumbline.lake.preparation
    import plumbline.report.publish

    assert plumbline.lake.preparation
    assert plumbline.report.publish
    build()
    warm()
    for year in (*YEARS, YEARS[-1] + 1):
        Calendar("XNYS").session_closes(np.array([f"{year}-06-01"], dtype="datetime64[D]"))
    code_digest.parse = lru_cache(code_digest.parse)  # type: ignore[assignment]  # for the children
    for path in sorted(Path(code_digest.__file__).parents[1].rglob("*.py")):
        code_digest.parse(path.read_bytes(), path)


def main() -> None:
    """Serve ``FOLDER COUNT SEED``; started by -c: workers start fast."""
    session._COMMIT_SECONDS = 0.0  # a commit a block, however fast the machine is
    warm_up()
    print(json.dumps(crashes(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
