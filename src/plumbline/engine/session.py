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

_COMMIT_SECONDS = 0.1  # finished blocks wait this long at most for others to share a transaction
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
    problems: list[str] = field(default_factory=list)
    buffer: list[Completion] = field(default_factory=list)
    codes: dict[str, CodeDigest] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    flushed: float = 0.0

    def settle(self, number: int, entry: Entry, state: str) -> None:
        """Note a task's result."""
        self.entries[number] = entry
        self.outputs[number] = entry.digest
        self.end_states[number] = entry.state_digest
        self.states[number] = state

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

    def complete(self, planner_of: Callable[[int], Planner]) -> Books:
        """Work until nothing is left.

        Parameters
        ----------
        planner_of : returns the planner of the first, second … plan of this run.
        """
        for attempt in range(_REPLANS):
            planner = planner_of(attempt)
            plan = planner.plan(self.tasks)
            self.tools.codes.save()
            if attempt == 0:
                self.tools.watcher.planned(plan)
            try:
                self._carry_out(plan, planner)
            except _ReplanError:
                self.books.reopen()
                continue
            return self.books
        raise StageError(f"stored results were found damaged {_REPLANS} times; check the disk")

    def _carry_out(self, plan: Plan, planner: Planner) -> None:
        ready = [d for d in plan.decisions if d.state is not State.FOLLOWS]
        if plan.is_done:
            for decision in ready:
                self._settle(decision)
        else:
            self.tools.prepare(plan)
            with self.tools.executor.open() as pool:
                self._work_through(ready, planner, pool)
        self._check_results()
        self._flush(force=True)
        self.tools.ledger.touch(self.books.used)

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
                reader = self.tasks[number]
                if number in self.books.states and number in self.books.entries:
                    continue
                if self.books.states.get(number) in ("submitted", "failed", "blocked"):
                    continue
                if not all(n in self.books.entries for n in reader.needs):
                    continue
                decision = planner.decide(reader, self.books.outputs, self.books.end_states)
                if decision.entry is not None:
                    self._settle(decision)
                    fresh.append(reader)
                else:
                    self.books.states[number] = "submitted"
                    found.append(decision)
        return found

    def _settle(self, decision: Decision) -> None:
        """Note a block whose result is there already."""
        task = decision.task
        if decision.entry is None or task.number in self.books.entries:
            return
        state = self.books.states.get(task.number, decision.state.value)
        self.books.settle(task.number, decision.entry, state)
        key = None if decision.key is None else decision.key.digest
        self.books.buffer.append(Completion(*task.place, key, state, decision.reason))
        self.books.used.append(decision.entry.key)
        self.tools.watcher.finished(task, state, None)

    def _computed(self, decision: Decision, outcome: Outcome) -> None:
        task, key, stored = decision.task, decision.key, outcome.stored
        digest = "" if key is None else key.digest
        entry = Entry(digest, stored.digest, stored.state_digest, stored.manifest)
        self.books.settle(task.number, entry, "computed")
        if key is not None:
            self.books.codes[key.code.digest] = key.code
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
        self._record(task, attempt, error)
        if isinstance(error, CorruptEntryError):
            self._forget(task, error)
        if isinstance(error, WorkerLostError) and attempt < _ATTEMPTS:
            return True
        if not isinstance(error, PlumblineError):
            raise error
        self._give_up(task, str(error))
        return False

    def _check_results(self) -> None:
        """Compare the files of final results with their digests; other blocks' readers do so."""
        for number, entry in self.books.entries.items():
            if self._readers[number]:
                continue
            try:
                for name in names_in(entry.manifest):
                    self.tools.cache.objects.check(name)
            except CorruptEntryError as error:
                self._record(self.tasks[number], 0, error)
                self._forget(self.tasks[number], error)
                raise

    def _record(self, task: Task, attempt: int, error: Exception) -> None:
        trace = getattr(error, "trace", "")
        mishap = Mishap(*task.place, attempt, type(error).__name__, str(error), trace)
        self.tools.ledger.record_mishap(self.run_id, mishap)

    def _forget(self, task: Task, error: CorruptEntryError) -> None:
        """Drop results that hold a damaged file and plan again; do nothing if none does."""
        self._flush(force=True)
        if self.tools.cache.forget(error.digest, self.tools.ledger):
            self.tools.watcher.damaged(task, error)
            raise _ReplanError

    def _give_up(self, task: Task, message: str) -> None:
        self.books.problems.append(message)
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
        if books.buffer and (force or time.monotonic() - books.flushed > _COMMIT_SECONDS):
            self.tools.ledger.commit(self.run_id, books.buffer, books.codes)
            books.buffer.clear()
            books.codes.clear()
            books.flushed = time.monotonic()

    @property
    def _root(self) -> Path:
        return self.tools.cache.objects.root


def _readers(tasks: Sequence[Task]) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in tasks]
    for task in tasks:
        for number in task.needs:
            readers[number].append(task.number)
    return readers


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
