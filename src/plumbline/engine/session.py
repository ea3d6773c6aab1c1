"""One run in progress: which blocks are done, which wait, which were lost."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from plumbline.core.errors import CorruptEntryError, PlumblineError, StageError, WorkerLostError
from plumbline.engine.blocks import Task
from plumbline.engine.cache import Cache, Entry
from plumbline.engine.code_digest import CodeDigest, CodeDigests
from plumbline.engine.executor import Executor, Pool
from plumbline.engine.objects import names_in
from plumbline.engine.plan import Decision, Plan, Planner, State
from plumbline.engine.watcher import Watcher
from plumbline.engine.wiring import work_of
from plumbline.engine.work import Outcome
from plumbline.ledger.session import Completion, Ledger, Mishap

_COMMIT_SECONDS = 0.1  # of computing or of time, that finished blocks may wait to share a commit
_ATTEMPTS = 2  # of a block whose process was lost
_REPLANS = 20  # damaged results found one after the other before the run gives up


@final
@dataclass
class Books:
    """What a run knows so far of each task."""

    entries: dict[int, Entry] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    end_states: dict[int, str | None] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    problems: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    buffer: list[Completion] = field(default_factory=list)
    codes: dict[str, CodeDigest] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    unsaved: float = 0.0
    flushed: float = 0.0

    def settle(self, number: int, entry: Entry, state: str) -> None:
        """Note a task's result."""
        self.entries[number] = entry
        self.outputs[number] = entry.digest
        self.end_states[number] = entry.state_digest
        self.states[number] = state

    def told_problems(self) -> list[str]:
        """Return a sentence for each problem, with the blocks that have it."""
        return [
            f"{node} [{block}]{_and_more(len(rest))}: {what}"
            for what, ((node, block), *rest) in self.problems.items()
        ]

    def reopen(self) -> None:
        """Forget what is known of results, but not which blocks this run computed."""
        self.entries.clear()
        self.outputs.clear()
        self.end_states.clear()
        self.problems.clear()
        self.states = {n: s for n, s in self.states.items() if s == "computed"}


@final
class _ReplanError(Exception):
    """A stored result is damaged: plan again."""


@final
@dataclass(frozen=True)
class Tools:
    """What a run works with."""

    cache: Cache
    ledger: Ledger
    codes: CodeDigests
    executor: Executor
    watcher: Watcher
    prepare: Callable[[Plan], None]


@final
class Session:
    """One run in progress.

    Parameters
    ----------
    run_id : the run in the ledger.
    pipeline : its name.
    tasks : all blocks.
    tools : cache, ledger, executor and who is told.
    """

    def __init__(self, run_id: str, pipeline: str, tasks: Sequence[Task], tools: Tools) -> None:
        self.run_id = run_id
        self.pipeline = pipeline
        self.tasks = tasks
        self.tools = tools
        self.books = Books()
        self._readers = _readers(tasks)
        self._unknown: dict[int, int] = {}

    def complete(self, planner_of: Callable[[frozenset[str]], Planner]) -> Books:
        """Work until nothing is left.

        Parameters
        ----------
        planner_of : returns the planner of a plan, told the keys that this run has computed.
        """
        for attempt in range(_REPLANS):
            planner = planner_of(frozenset(self.books.own))
            plan = planner.plan(self.tasks)
            self.tools.codes.save()
            if attempt == 0:
                self.tools.watcher.planned(plan)
                self._tell_damage(plan)
            try:
                self._carry_out(plan, planner)
            except _ReplanError:
                self.books.reopen()
                continue
            return self.books
        raise StageError(f"stored results were found damaged {_REPLANS} times; check the disk")

    def _tell_damage(self, plan: Plan) -> None:
        """Tell of the results that the plan found damaged, in one word for all."""
        found = [(d.task, d.damage) for d in plan.decisions if d.damage is not None]
        if found:
            self.tools.watcher.damaged([task for task, _ in found], found[0][1])
        for task, damage in found:
            self._record(task, 0, damage)

    def _carry_out(self, plan: Plan, planner: Planner) -> None:
        ready = [d for d in plan.decisions if d.state is not State.FOLLOWS]
        try:
            if plan.is_done:
                for decision in ready:
                    self._settle(decision)
            else:
                self.tools.prepare(plan)
                self._unknown = _unknown_inputs(plan)
                blocks = plan.count(State.RUN, State.FOLLOWS)
                with self.tools.executor.open(blocks) as pool:
                    self._work_through(ready, planner, pool)
            self._check_results()
        finally:  # what is finished is kept, however the run ends
            self._flush(force=True)
        self.tools.ledger.touch(sorted(self.books.used))

    def _work_through(self, ready: list[Decision], planner: Planner, pool: Pool) -> None:
        running: dict[int, Decision] = {}
        waiting = list(reversed(ready))
        while waiting or running:
            while waiting:
                decision = waiting.pop()
                if decision.entry is not None:
                    self._settle(decision)
                else:
                    running[decision.task.number] = decision
                    pool.submit(work_of(decision.task, self.tasks, self.books.entries, self._root))
            self._flush()
            for work, outcome in pool.finished() if running else ():
                decision = running.pop(work.number)
                if isinstance(outcome, Outcome):
                    self._computed(decision, outcome)
                    waiting += self._now_ready(decision.task, planner)
                elif self._failed(decision, outcome):
                    running[work.number] = decision
                    pool.submit(work)

    def _now_ready(self, task: Task, planner: Planner) -> list[Decision]:
        """Return decisions on the blocks whose last unknown input this was, settling hits."""
        found: list[Decision] = []
        fresh = [task]
        while fresh:
            for number in self._readers[fresh.pop().number]:
                self._unknown[number] -= 1
                if self._unknown[number]:
                    continue
                reader = self.tasks[number]
                decision = planner.decide(reader, self.books.outputs, self.books.end_states)
                if decision.entry is None:
                    found.append(decision)
                    if decision.damage is not None:
                        self._record(reader, 0, decision.damage)
                else:
                    self._settle(decision)
                    fresh.append(reader)
        return found

    def _settle(self, decision: Decision) -> None:
        """Note a block whose result is there already."""
        task = decision.task
        if decision.entry is None or task.number in self.books.entries:
            return
        self.books.used.add(decision.entry.key)
        if self.books.states.get(task.number) == "computed":  # earlier in this run, and recorded
            self.books.settle(task.number, decision.entry, "computed")
            return
        state = decision.state.value
        self.books.settle(task.number, decision.entry, state)
        key = decision.entry.key  # of a kept result: that of the code which made it
        self.books.buffer.append(Completion(*task.place, key, state, decision.reason))
        self.tools.watcher.finished(task, state, None)

    def _computed(self, decision: Decision, outcome: Outcome) -> None:
        task, key, stored = decision.task, decision.key, outcome.stored
        digest = "" if key is None else key.digest
        entry = Entry(digest, stored.digest, stored.state_digest, stored.manifest, stored.n_bytes)
        self.books.settle(task.number, entry, "computed")
        if key is not None:
            self.books.codes[key.code.digest] = key.code
            self.books.own.add(digest)
        self.books.unsaved += outcome.seconds
        self.books.buffer.append(
            Completion(
                *task.place,
                key=digest or None,
                state="computed",
                reason=decision.reason,
                artefact=_artefact(self.pipeline, decision, outcome),
                lineage=_lineage(decision),
                seconds=outcome.seconds,
                peak_bytes=outcome.peak_bytes,
                worker=outcome.worker,
            )
        )
        self.tools.watcher.finished(task, "computed", outcome.seconds)

    def _failed(self, decision: Decision, error: Exception) -> bool:
        """Record a failed attempt; return whether to try again."""
        task = decision.task
        attempt = self.books.attempts.get(task.number, 0) + 1
        self.books.attempts[task.number] = attempt
        if isinstance(error, CorruptEntryError) and self._holders(error.digest):
            self._heal(task, error)
        self._record(task, attempt, error)
        if isinstance(error, WorkerLostError) and attempt < _ATTEMPTS:
            return True
        if not isinstance(error, PlumblineError):
            raise error
        self._give_up(task, str(error))
        return False

    def _check_results(self) -> None:
        """Compare the files of final results with their digests; other blocks' readers do so.

        Of those that nobody read, files of another length are found.
        """
        objects = self.tools.cache.objects
        for number, entry in self.books.entries.items():
            names = names_in(entry.manifest)
            if self._readers[number] and objects.size(names) == entry.n_bytes:
                continue
            try:
                for name in names:
                    self.tools.cache.objects.check(name)
            except CorruptEntryError as error:
                self._heal(self.tasks[number], error)

    def _record(self, task: Task, attempt: int, error: Exception) -> None:
        trace = getattr(error, "trace", "")
        mishap = Mishap(*task.place, attempt, type(error).__name__, str(error), trace)
        self.tools.ledger.record_mishap(self.run_id, mishap)

    def _holders(self, file: str) -> list[Task]:
        """Return the blocks whose result, as far as this run knows, holds a file."""
        entries = self.books.entries.items()
        return [self.tasks[n] for n, entry in entries if file in names_in(entry.manifest)]

    def _heal(self, task: Task, error: CorruptEntryError) -> None:
        """Drop the results that hold a damaged file, and any others found damaged; plan again.

        Where one file is damaged there may be more, so all that the run relies on is checked.
        """
        self._flush(force=True)
        damaged = [(next(iter(self._holders(error.digest)), task), error)]
        for number, entry in self.books.entries.items():
            for name in names_in(entry.manifest):
                try:
                    self.tools.cache.objects.check(name)
                except CorruptEntryError as other:
                    if other.digest != error.digest:
                        damaged.append((self.tasks[number], other))
        self.tools.watcher.damaged(
            list({owner.number: owner for owner, _ in damaged}.values()), error
        )
        for owner, found in damaged:
            self._record(owner, 0, found)
            self.tools.cache.forget(found.digest, self.tools.ledger)
        raise _ReplanError

    def _give_up(self, task: Task, message: str) -> None:
        node, block = task.place
        what = message.removeprefix(f"{node} [{block}]: ")
        self.books.problems.setdefault(what, []).append(task.place)
        self._close(task, "failed", message)
        waiting = list(self._readers[task.number])
        while waiting:
            reader = self.tasks[waiting.pop()]
            if reader.number not in self.books.states:
                self._close(reader, "blocked", f"its input {task.node.name} failed")
                waiting += self._readers[reader.number]

    def _close(self, task: Task, state: str, reason: str) -> None:
        self.books.states[task.number] = state
        self.books.buffer.append(Completion(*task.place, None, state, reason))
        self.tools.watcher.finished(task, state, None)

    def _flush(self, *, force: bool = False) -> None:
        books = self.books
        waited = max(books.unsaved, time.monotonic() - books.flushed)
        if books.buffer and (force or waited > _COMMIT_SECONDS):
            self.tools.codes.refuse_moved_files()
            for mishap in self.tools.ledger.commit(self.run_id, books.buffer, books.codes):
                self.tools.watcher.differed(mishap.node, mishap.block, mishap.message)
            books.buffer.clear()
            books.codes.clear()
            books.unsaved = 0.0
            books.flushed = time.monotonic()

    @property
    def _root(self) -> Path:
        return self.tools.cache.objects.root


def _and_more(count: int) -> str:
    return f" and {count} more block{'' if count == 1 else 's'}" if count else ""


def _readers(tasks: Sequence[Task]) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in tasks]
    for task in tasks:
        for number in task.needs:
            readers[number].append(task.number)
    return readers


def _unknown_inputs(plan: Plan) -> dict[int, int]:
    """Return for each block that follows how many of its inputs are still to be computed."""
    unknown = {d.task.number for d in plan.decisions if d.entry is None}
    return {
        d.task.number: sum(n in unknown for n in d.task.needs)
        for d in plan.decisions
        if d.state is State.FOLLOWS
    }


def _artefact(pipeline: str, decision: Decision, outcome: Outcome) -> Mapping[str, Any] | None:
    key = decision.key
    if key is None:
        return None
    node, block = decision.task.place
    return {
        "key": key.digest,
        "basis": key.basis,
        "digest": outcome.stored.digest,
        "manifest": json.dumps(outcome.stored.manifest),
        "n_bytes": outcome.stored.n_bytes,
        "pipeline": pipeline,
        "node": node,
        "block": block,
        "parts": json.dumps(key.parts),
    }


def _lineage(decision: Decision) -> list[Mapping[str, Any]]:
    if decision.key is None:
        return []
    return [
        {
            "key": decision.key.digest,
            "position": position,
            "name": name,
            "dataset_id": dataset_id,
            "digest": digest,
        }
        for position, (name, dataset_id, digest) in enumerate(decision.key.inputs)
    ]
