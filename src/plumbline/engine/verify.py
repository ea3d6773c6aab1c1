"""Verification: stored results are computed again and compared, bit for bit."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

from plumbline.core.errors import CorruptEntryError, ParameterError
from plumbline.core.random import random_stream
from plumbline.engine.blocks import Task, tasks_of
from plumbline.engine.cache import Entry
from plumbline.engine.executor import Executor
from plumbline.engine.pipeline import Pipeline
from plumbline.engine.plan import Decision, State
from plumbline.engine.run import Engine
from plumbline.engine.watcher import Silent, Watcher
from plumbline.engine.wiring import work_of
from plumbline.engine.work import Outcome


@final
@dataclass(frozen=True)
class Verification:
    """One block computed again.

    Parameters
    ----------
    node, block : which block.
    equal : whether every bit is the same.
    note : the two digests, or why there is no second one.
    """

    node: str
    block: str
    equal: bool
    note: str


def verify(
    engine: Engine,
    pipeline: Pipeline,
    executor: Executor,
    *,
    sample: int | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> list[Verification]:
    """Compute stored blocks again, without storing them, and compare digests.

    Parameters
    ----------
    engine : has the cache.
    pipeline : whose blocks.
    executor : where to compute.
    sample : how many blocks, drawn with ``seed``; all if None or larger than their number. Those
        kept from other code are left out.
    watcher : told of each block.

    Raises
    ------
    ParameterError
        If nothing is stored for this pipeline, or ``sample`` is below 1.
    """
    tasks = tasks_of(pipeline)
    known = [d for d in engine.plan(pipeline).decisions if d.entry is not None]
    stored = [d for d in known if d.state is State.CACHED]  # a kept one was made by other code
    if not stored:
        raise ParameterError(f"nothing is stored for {pipeline.name!r}; run it first")
    if sample is not None and sample < 1:
        raise ParameterError(f"sample={sample} must be at least 1")
    chosen = stored
    if sample is not None and sample < len(stored):
        order = random_stream(seed, "verify", pipeline.name).permutation(len(stored))
        chosen = [stored[i] for i in sorted(order[:sample])]
    entries = {d.task.number: d.entry for d in known if d.entry is not None}
    return _compare(engine, chosen, tasks, entries, executor, watcher or Silent())


def _compare(
    engine: Engine,
    chosen: list[Decision],
    tasks: tuple[Task, ...],
    entries: dict[int, Entry],
    executor: Executor,
    watcher: Watcher,
) -> list[Verification]:
    found: dict[int, Verification] = {}
    root = engine.cache.objects.root
    with (
        tempfile.TemporaryDirectory(prefix="verify-", dir=root.parent) as folder,
        executor.open() as pool,
    ):
        for decision in chosen:
            pool.submit(work_of(decision.task, tasks, entries, root, Path(folder)))
        while len(found) < len(chosen):
            for work, outcome in pool.finished():
                task = tasks[work.number]
                found[work.number] = _verification(engine, task, entries[work.number], outcome)
                watcher.finished(task, "computed", None)
    return [found[decision.task.number] for decision in chosen]


def _verification(
    engine: Engine, task: Task, entry: Entry, outcome: Outcome | Exception
) -> Verification:
    node, block = task.place
    if not isinstance(outcome, Outcome):
        return Verification(node, block, equal=False, note=str(outcome))
    again = outcome.stored
    equal = again.digest == entry.digest and again.state_digest == entry.state_digest
    note = f"stored {entry.digest[:12]}, computed again {again.digest[:12]}"
    try:
        engine.cache.objects.read(entry.manifest)
    except CorruptEntryError as error:
        return Verification(node, block, equal=False, note=str(error))
    return Verification(node, block, equal, note)
