"""Verification: stored results are computed again and compared, bit for bit.

The files that a block holds and reads are compared with their names before it is computed: a block
with a damaged file is not compared, and every damaged file is named.
"""

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
from plumbline.engine.objects import ObjectStore, names_in
from plumbline.engine.pipeline import Pipeline
from plumbline.engine.plan import Decision, State
from plumbline.engine.run import Engine
from plumbline.engine.watcher import Silent, Watcher
from plumbline.engine.wiring import work_of
from plumbline.engine.work import Outcome, Work
from plumbline.ledger.queries import unstable_blocks

_ADVICE = "; to compute it again: plumbline run"
_Found = Outcome | Sequence[Exception]  # a block computed again, or why it was not


@final
@dataclass(frozen=True)
class Verification:
    """One block computed again, or why it could not be compared.

    Parameters
    ----------
    node, block : which block.
    equal : whether every bit is the same; False if it could not be compared.
    note : the two digests, or why there is no second one; and, if it is known, that its key
        also gave another result.
    is_stable : False if the ledger knows of another result under the same key.
    damaged : paths of the damaged files that it holds or reads.
    """

    node: str
    block: str
    equal: bool
    note: str
    is_stable: bool = True
    damaged: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Verified:
    """What a verification looked at.

    Parameters
    ----------
    compared : the blocks computed again and compared.
    uncompared : the blocks that could not be: a file is damaged, or the stage failed.
    damaged : path -> what is wrong with it, of every damaged file that such a block holds or reads.
    left_out : why a block was not looked at, and how many such blocks there are.
    """

    compared: tuple[Verification, ...]
    uncompared: tuple[Verification, ...]
    damaged: Mapping[str, str]
    left_out: Mapping[str, int]

    @property
    def wrong(self) -> list[Verification]:
        """Return the blocks that differ, could not be compared, or are not deterministic."""
        return [*(v for v in self.compared if not (v.equal and v.is_stable)), *self.uncompared]


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
        kept from other code are left out; those whose files have another length are told always.
    watcher : told of each block that is computed.

    Raises
    ------
    ParameterError
        If nothing is stored for this pipeline, or ``sample`` is below 1.
    """
    tasks = tasks_of(pipeline)
    decisions = engine.plan(pipeline).decisions
    known = [d for d in decisions if d.entry is not None]
    stored = [d for d in known if d.state is State.CACHED]  # a kept one was made by other code
    cut: dict[int, _Found] = {
        d.task.number: engine.cache.damages_of(d.key.digest)
        for d in decisions
        if d.key is not None and d.damage is not None
    }
    if not stored and not cut:
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
        "not stored yet": len(decisions) - len(known) - len(cut),
    }
    found = cut | _looked_at(engine, chosen, tasks, entries, executor, watcher or Silent())
    keys = {d.task.number: d.key.digest for d in decisions if d.key is not None}
    unstable = {row["key"]: row["message"] for row in unstable_blocks(engine.cache.database)}
    compared, uncompared = [], []
    damaged: dict[str, str] = {}
    for number, outcome in sorted(found.items()):
        message = unstable.get(keys[number])
        if isinstance(outcome, Outcome):
            again = _comparison(tasks[number], entries[number], outcome)
            compared.append(_marked(again, message))
        else:
            uncompared.append(_marked(_failure(tasks[number], outcome), message))
            damaged |= {e.path: f"{e}{_ADVICE}" for e in _damages(outcome)}
    return Verified(tuple(compared), tuple(uncompared), damaged, left_out)


def _looked_at(
    engine: Engine,
    chosen: Sequence[Decision],
    tasks: Sequence[Task],
    entries: Mapping[int, Entry],
    executor: Executor,
    watcher: Watcher,
) -> dict[int, _Found]:
    """Compute the blocks whose files are whole; return what came of each block, by its number."""
    found: dict[int, _Found] = {}
    store = engine.cache.objects
    damage: dict[str, CorruptEntryError | None] = {}
    with tempfile.TemporaryDirectory(prefix="verify-", dir=store.root.parent) as folder:
        sound = []
        for decision in chosen:
            number = decision.task.number
            work = work_of(decision.task, tasks, entries, store.root, Path(folder))
            files = _files_of(work, entries[number])
            damage |= {name: _damage(store, name) for name in files if name not in damage}
            wrong = [error for name in files if (error := damage[name]) is not None]
            if wrong:
                found[number] = wrong
            else:
                sound.append(work)
        with executor.open(len(sound)) as pool:
            for work in sound:
                pool.submit(work)
            while len(found) < len(chosen):
                for work, outcome in pool.finished():
                    found[work.number] = outcome if isinstance(outcome, Outcome) else [outcome]
                    watcher.finished(tasks[work.number], "computed", None)
        engine.codes.refuse_moved_files()  # what compared was the code that the keys name
    return found


def _files_of(work: Work, entry: Entry) -> list[str]:
    """Return the stored files that a block holds, and those that it is computed from."""
    read = [{**piece.manifest, "state": {}} for load in work.loads for piece in load.pieces]
    before = [] if work.state is None else work.state["state"].values()
    names = [*names_in(entry.manifest), *(n for found in read for n in names_in(found)), *before]
    return list(dict.fromkeys(names))


def _damage(store: ObjectStore, name: str) -> CorruptEntryError | None:
    try:
        store.check(name)
    except CorruptEntryError as error:
        return error
    return None


def _comparison(task: Task, entry: Entry, outcome: Outcome) -> Verification:
    again = outcome.stored
    note = f"stored {entry.digest[:12]}, computed again {again.digest[:12]}"
    if again.state_digest != entry.state_digest:
        note += ", which ends in another state"
    equal = (again.digest, again.state_digest) == (entry.digest, entry.state_digest)
    return Verification(*task.place, equal=equal, note=note)


def _failure(task: Task, errors: Sequence[Exception]) -> Verification:
    damaged = tuple(error.path for error in _damages(errors))
    note = "; ".join(str(error) for error in errors) + (_ADVICE if damaged else "")
    return Verification(*task.place, equal=False, note=note, damaged=damaged)


def _damages(errors: Sequence[Exception]) -> list[CorruptEntryError]:
    return [error for error in errors if isinstance(error, CorruptEntryError)]


def _marked(found: Verification, message: str | None) -> Verification:
    """Return a verification with what the ledger says of a key that gave two results."""
    if message is None:
        return found
    return replace(found, is_stable=False, note=f"{found.note}; not deterministic: {message}")
