"""Profiles of blocks, by node: where the time of a stage goes, function by function."""

import cProfile
import marshal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import final

from threadpoolctl import threadpool_limits

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.engine.blocks import tasks_of
from plumbline.engine.dead import tasks_of_node
from plumbline.engine.executor import Executor, Pool
from plumbline.engine.pipeline import Pipeline
from plumbline.engine.run import Engine
from plumbline.engine.wiring import work_of
from plumbline.engine.work import Outcome, Work, perform
from plumbline.lake.durable import sync_folder, write_durably


@final
@dataclass(frozen=True)
class Profiled(Executor):
    """Compute one block after the other in this process, and write a profile of them.

    The file is what ``cProfile`` writes: ``python -m pstats``, snakeviz and gprof2dot read it. Each
    node is a function of its own, ``node NAME``, above all that its blocks called. Without a block
    to compute no file is written.

    Parameters
    ----------
    file : where the profile is written, when the run ends, however it does.
    """

    file: str

    @contextmanager
    def open(self, blocks: int | None = None) -> Iterator[Pool]:  # noqa: ARG002  # of others
        """Limit linear algebra to one thread, as without a profile."""
        queue = _Queue()
        try:
            with threadpool_limits(limits=1):
                yield queue
        finally:
            queue.write(Path(self.file))


@final
class _Queue:
    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._profile = cProfile.Profile()
        self._named: dict[str, Callable[[Work], Outcome]] = {}

    def submit(self, work: Work) -> None:
        self._waiting.append(work)

    def finished(
        self,
        seconds: float | None = None,  # noqa: ARG002  # of others
    ) -> Iterator[tuple[Work, Outcome | Exception]]:
        work = self._waiting.popleft()
        name = work.place[0]
        if name not in self._named:
            self._named[name] = _perform_of(name)
        try:
            outcome: Outcome | Exception = self._profile.runcall(self._named[name], work)
        except Exception as error:  # the engine's edge: recorded and raised by the run
            outcome = error
        yield work, outcome

    def write(self, path: Path) -> None:
        """Write the profile, if there is anything in it."""
        if not self._named:
            return
        self._profile.create_stats()
        stats = self._profile.stats
        write_durably(path, marshal.dumps(stats))
        sync_folder(path.parent)


def _perform_of(node: str) -> Callable[[Work], Outcome]:
    """Return a function that computes a block and bears the name of a node in a profile."""
    name = f"node {node}"
    code = _CALL.replace(co_name=name, co_qualname=name, co_filename="plumbline")
    return FunctionType(code, globals())


_CALL = (lambda work: perform(work)).__code__


def require_place(file: str) -> None:
    """Refuse a file that a profile cannot be written to, before anything is computed.

    Raises
    ------
    ParameterError
        If its folder is not there, or it is a folder.
    """
    path = Path(file)
    if not path.absolute().parent.is_dir() or path.is_dir():
        what = "is a folder" if path.is_dir() else "lies in no folder that is there"
        raise ParameterError(f"profile={file!r} {what}; name a file to write the profile to")


def profile_node(engine: Engine, pipeline: Pipeline, node: str, file: str) -> int:
    """Compute the blocks of a node again, store nothing, and write a profile; return how many.

    Parameters
    ----------
    engine, pipeline : which pipeline.
    node : its name.
    file : where the profile is written.

    Raises
    ------
    UnknownNameError
        If there is no such node.
    MissingDataError
        If what its blocks read is not stored.
    StageError
        If a block fails.
    """
    require_place(file)
    part = tasks_of_node(tasks_of(pipeline), node)
    with engine.cache.database.hold():
        plan = engine.planner(pipeline).plan(part)
    entries = {d.task.number: d.entry for d in plan.decisions if d.entry is not None}
    own = [task for task in part if task.node.name == node]
    lacking = [part[n] for task in own for n in task.needs if n not in entries]
    if lacking:
        place = f"{lacking[0].place[0]} [{lacking[0].place[1]}]"
        raise MissingDataError(
            f"{node} reads {place}, which is not stored as the recipe asks; first: plumbline run"
        )
    store = engine.cache.objects.root
    with (
        tempfile.TemporaryDirectory(prefix="verify-", dir=store.parent) as folder,
        Profiled(file).open(len(own)) as pool,
    ):
        for task in own:
            pool.submit(work_of(task, part, entries, store, Path(folder)))
        for _ in own:
            for _, outcome in pool.finished():
                if isinstance(outcome, Exception):
                    raise outcome
    return len(own)
