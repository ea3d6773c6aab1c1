"""Runs a small pipeline in forked children and kills them: at each write point, or at any moment.

Forking saves the start of an interpreter a crash; nothing here computes before it forks.
"""

import json
import os
import pathlib
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import event, select

from plumbline.core.address import parse_address
from plumbline.engine import code_digest, session
from plumbline.engine.executors.processes import Processes
from plumbline.engine.executors.serial import Serial
from plumbline.engine.health import checks_of
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, create_project
from plumbline.engine.run import RunOptions
from plumbline.engine.watcher import Silent
from plumbline.ledger.database import quick_check
from plumbline.ledger.models import Artefact, Run, TaskRecord
from plumbline.ledger.queries import tasks_of_run
from tests.engine.toys import Prices, Returns, Sluggish, Summary, Wealth


def small(n_bars: int = 30) -> Pipeline:
    nodes = (
        Node("prices", Prices(n_bars)),
        Node("returns", Returns(), {"prices": "prices"}),
        Node("wealth", Wealth(), {"returns": "returns"}),
        Node("summary", Summary(), {"returns": "returns", "wealth": "wealth"}),
    )
    return Pipeline("small", nodes)


def slow() -> Pipeline:
    """Return a pipeline of many blocks that takes about two seconds on two workers."""
    nodes = (
        Node("prices", Prices(130)),
        Node("returns", Returns(8), {"prices": "prices"}),
        Node("slow", Sluggish(8), {"returns": "returns"}),
        Node("wealth", Wealth(), {"returns": "slow"}),
    )
    return Pipeline("slow", nodes)


class Points:
    """Counts the points at which a crash could tear something; kills at one of them.

    ``kill_at`` is its number among all points, or among those of one ``kind``.
    """

    def __init__(self, kill_at: int | None, kind: str | None = None) -> None:
        self.kill_at = kill_at
        self.kind = kind
        self.hits: list[str] = []

    def hit(self, kind: str) -> bool:
        if self.kind is not None and kind != self.kind:
            return False
        self.hits.append(kind)
        return self.kill_at == len(self.hits) - 1

    def install(self) -> None:
        fsync, replace, opener = os.fsync, pathlib.Path.replace, pathlib.Path.open

        def die_or(kind: str, act: Callable[..., Any]) -> Callable[..., Any]:
            def acts(*args: Any) -> Any:
                if self.hit(kind):
                    die()
                return act(*args)

            return acts

        def opened(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            file = opener(path, mode, *args, **options)
            return Torn(file, self) if set(mode) & set("wx") else file

        unlink = pathlib.Path.unlink

        def unlinked(path: Path, missing_ok: bool = False) -> None:
            if path.exists() and self.hit("unlink"):  # else nothing is torn
                die()
            unlink(path, missing_ok)

        pathlib.Path.unlink = unlinked  # type: ignore[method-assign]
        os.fsync = die_or("fsync", fsync)  # type: ignore[assignment]
        pathlib.Path.replace = die_or("rename", replace)  # type: ignore[method-assign]
        pathlib.Path.open = opened  # type: ignore[assignment,method-assign]
        event.listen(Database, "commit", lambda _connection: self.hit("commit") and die())
        event.listen(Database, "before_cursor_execute", self._statement)

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        changes = statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "CREATE"))
        if changes and self.hit("statement"):
            die()


class Torn:
    """A file of which a crash writes only half."""

    def __init__(self, file: Any, points: Points) -> None:
        self._file = file
        self._points = points

    def write(self, content: Any) -> int:
        if self._points.hit("write"):
            self._file.write(content[: len(content) // 2])
            self._file.flush()
            die()
        return int(self._file.write(content))

    def flush(self) -> None:
        if self._points.hit("flush"):
            die()
        self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Torn":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()


def die() -> None:
    """End this process and all that belong to the same forked child."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


def forked(act: Callable[[], Any], kill: Callable[[int], None] | None = None) -> tuple[int, Any]:
    """Return exit status and result of a function in a child; ``kill`` is told its number."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # so that a death takes its workers along, and nobody else
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            pipe.write(json.dumps(act()))
        os._exit(0)
    os.close(writer)
    if kill is not None:
        kill(child)
    status = os.waitpid(child, 0)[1]
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    return status, json.loads(text) if text else None


def digests_of(
    project: Project, pipeline: Pipeline, executor: Any = None, watcher: Any = None
) -> Any:
    options = RunOptions(watcher=watcher or Silent())
    result = project.engine.run(pipeline, executor or Serial(), options)
    return [[node, block, digest] for (node, block), digest in sorted(result.digests.items())]


def made(folder: Path) -> Project:
    """Make or open a project; where a server is named, each has a schema of its own there."""
    server = os.environ.get("PLUMBLINE_TEST_SERVER")
    schema = f"crash_{folder.parent.name}_{folder.name}".lower().replace("-", "_")
    return create_project(folder, parse_address(f"{server}&schema={schema}") if server else None)


def counted(folder: Path) -> Any:
    points = Points(None)
    points.install()
    return [digests_of(made(folder), small()), points.hits]


def crashed(folder: Path, kill_at: int) -> Any:
    Points(kill_at).install()
    return digests_of(made(folder), small())


def recovered(folder: Path, pipeline: Pipeline) -> dict[str, Any]:
    """Run again after a crash, and say what the ledger knew before and after."""
    project = made(folder)
    check = quick_check(project.database, 3000)
    with project.database.read() as connection:
        query = select(TaskRecord.node, TaskRecord.block).where(TaskRecord.state == "computed")
        finished = [list(row) for row in connection.execute(query)]
    sound = all(check.ok for check in checks_of(project, deep=True))
    result = project.engine.run(pipeline, Serial())
    tasks = tasks_of_run(project.database, result.run_id)
    with project.database.read() as connection:
        rows = connection.execute(select(Run.state).order_by(Run.number)).scalars().all()
        n_results = len(connection.execute(select(Artefact.key)).all())
    return {
        "check": check,
        "sound": sound and all(check.ok for check in checks_of(project, deep=True)),
        "finished": finished,
        "computed": [[t["node"], t["block"]] for t in tasks if t["state"] == "computed"],
        "digests": [[n, b, digest] for (n, b), digest in sorted(result.digests.items())],
        "runs": list(rows),
        "n_results": n_results,
        "n_files": project.engine.cache.statistics().n_files,
    }


def at_points(folder: Path, every: int) -> Any:
    """Kill at points, one of so many of each kind."""
    _, (digests, hits) = forked(lambda: counted(folder / "undisturbed"))
    undisturbed = forked(lambda: recovered(folder / "undisturbed", small()))[1]
    crashes = []
    chosen = [
        i for kind in Counter(hits) for i in [n for n, k in enumerate(hits) if k == kind][::every]
    ]
    for i in sorted(chosen):
        place = folder / f"{i}"
        status, _ = forked(lambda place=place, i=i: crashed(place, i))
        after = forked(lambda place=place: recovered(place, small()))[1]
        crashes.append([hits[i], status, after])
    return {
        "digests": digests,
        "hits": Counter(hits),
        "undisturbed": undisturbed,
        "crashes": crashes,
    }


class Bell:
    """Writes a byte to a pipe for each block that is done."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def planned(self, plan: Any) -> None: ...

    def damaged(self, tasks: Any, error: Any) -> None: ...

    def accompanied(self, run_ids: Sequence[str]) -> None: ...

    def differed(self, node: str, block: str, message: str) -> None: ...

    def finished(self, task: Any, state: str, seconds: float | None) -> None:
        os.write(self._pipe, b".")


def at_random(folder: Path, count: int, seed: int) -> Any:
    """Kill runs when some blocks are done and a random time has passed since the last of them."""

    def run(place: Path, pipe: int) -> Any:
        return digests_of(made(place), slow(), Processes(2), Bell(pipe))

    bell, ringer = os.pipe()
    digests = forked(lambda: run(folder / "undisturbed", ringer))[1]
    assert len(os.read(bell, 1000)) == len(digests)
    draws = random.Random(seed)  # noqa: S311  # moments, no secrets
    crashes = []
    for i in range(count):
        place = folder / f"{i}"
        n_done, delay = draws.randrange(len(digests) - 5), draws.uniform(0.0, 0.05)
        bell, ringer = os.pipe()

        def kill(child: int, bell: int = bell, wait: tuple[int, float] = (n_done, delay)) -> None:
            for _ in range(wait[0]):
                os.read(bell, 1)
            time.sleep(wait[1])
            os.kill(child, signal.SIGKILL)

        status, _ = forked(lambda place=place, ringer=ringer: run(place, ringer), kill)
        after = forked(lambda place=place: recovered(place, slow()))[1]
        crashes.append([f"{n_done} blocks and {delay:.3f} s", status, after])
        os.close(bell)
        os.close(ringer)
    return {"digests": digests, "crashes": crashes}


def warm_up(folder: Path) -> None:
    """Read the source files and load the libraries that every child would."""
    import polars as pl

    import plumbline.lake.lake

    assert plumbline.lake.lake
    assert pl.__version__
    code_digest.parse = lru_cache(code_digest.parse)  # type: ignore[assignment]  # for the children
    assert made(folder).lake
    for node in (*small().nodes, *slow().nodes):
        made(folder).codes.of(node.stage)


def main() -> None:
    """Serve ``FOLDER points EVERY`` or ``FOLDER COUNT SEED``; started by -c: workers start fast."""
    target = Path(sys.argv[1])
    session._COMMIT_SECONDS = 0.0  # as many commits in every child, however busy the machine is
    warm_up(target / "warm")
    if sys.argv[2] == "points":
        print(json.dumps(at_points(target, int(sys.argv[3]))))
    else:
        print(json.dumps(at_random(target, int(sys.argv[2]), int(sys.argv[3]))))
