"""Verification: stored results are computed again and compared, bit for bit."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from plumbline.ledger.queries import unstable_blocks


@final
@dataclass(frozen=True)
class Verification:
    """One block computed again.

    Parameters
    ----------
    node, block : which block.
    equal : whether every bit is the same.
    note : the two digests, or why there is no second one; and, if it is known, that its key
        also gave another result.
    is_stable : False if the ledger knows of another result under the same key.
    damaged : path of the damaged file that it holds or reads, if there is one.
    """

    node: str
    block: str
    equal: bool
    note: str
    is_stable: bool = True
    damaged: str | None = None


@final
@dataclass(frozen=True)
class Verified:
    """What a verification looked at.

    Parameters
    ----------
    compared : the blocks computed again.
    left_out : why a block was not, and how many such blocks there are.
    """

    compared: tuple[Verification, ...]
    left_out: Mapping[str, int]

    @property
    def wrong(self) -> list[Verification]:
        """Return the blocks that differ, and those known not to be deterministic."""
        return [v for v in self.compared if not (v.equal and v.is_stable)]


def verify(
    engine: Engine,
    pipeline: Pipeline,
    executor: Executor,
    *,
    sample: int | None = None,
    seed: int = 0,
    watcher: Watcher | None = None,
) -> Verified:
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
    decisions = engine.plan(pipeline).decisions
    known = [d for d in decisions if d.entry is not None]
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
    left_out = {
        "not drawn into the sample": len(stored) - len(chosen),
        "kept from other code": len(known) - len(stored),
        "not stored yet": len(decisions) - len(known),
    }
    compared = _compare(engine, chosen, tasks, entries, executor, watcher or Silent())
    return Verified(_marked(engine, compared, entries, chosen), left_out)


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
        executor.open(len(chosen)) as pool,
    ):
        for decision in chosen:
            pool.submit(work_of(decision.task, tasks, entries, root, Path(folder)))
        while len(found) < len(chosen):
            for work, outcome in pool.finished():
                task = tasks[work.number]
                found[work.number] = _verification(engine, task, entries[work.number], outcome)
                watcher.finished(task, "computed", None)
        engine.codes.refuse_moved_files()  # what compared was the code that the keys name
    return [found[decision.task.number] for decision in chosen]


def _marked(
    engine: Engine,
    compared: Sequence[Verification],
    entries: Mapping[int, Entry],
    chosen: Sequence[Decision],
) -> tuple[Verification, ...]:
    """Mark the blocks whose key, as the ledger knows, also gave another result."""
    known = {row["key"]: row["message"] for row in unstable_blocks(engine.cache.database)}
    messages = [known.get(entries[decision.task.number].key) for decision in chosen]
    return tuple(
        found
        if message is None
        else replace(found, is_stable=False, note=f"{found.note}; not deterministic: {message}")
        for found, message in zip(compared, messages, strict=True)
    )


def _verification(
    engine: Engine, task: Task, entry: Entry, outcome: Outcome | Exception
) -> Verification:
    node, block = task.place
    if not isinstance(outcome, Outcome):
        if isinstance(outcome, CorruptEntryError):
            return _damaged(task, outcome)
        return Verification(node, block, equal=False, note=str(outcome))
    again = outcome.stored
    equal = again.digest == entry.digest and again.state_digest == entry.state_digest
    note = f"stored {entry.digest[:12]}, computed again {again.digest[:12]}"
    if again.state_digest != entry.state_digest:
        note += ", which ends in another state"
    try:
        engine.cache.objects.read(entry.manifest)
    except CorruptEntryError as error:
        return _damaged(task, error)
    return Verification(node, block, equal, note)


def _damaged(task: Task, error: CorruptEntryError) -> Verification:
    node, block = task.place
    told = f"{error}; to compute it again: plumbline run"
    return Verification(node, block, equal=False, note=told, damaged=error.path)
