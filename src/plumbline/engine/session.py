"""One run in progress: which blocks are done, which wait, which were lost."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import final

from plumbline.core.errors import (
    CorruptEntryError,
    OutOfMemoryError,
    PlumblineError,
    StageError,
)
from plumbline.core.memory import process_bytes
from plumbline.engine.blocks import Task
from plumbline.engine.books import Books, artefact_of, lineage_of
from plumbline.engine.cache import Cache, Entry
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.executor import Executor, Pool
from plumbline.engine.expectation import Expected
from plumbline.engine.fitting import Footing, fitted
from plumbline.engine.objects import names_in
from plumbline.engine.observer import LogObserver, Observer
from plumbline.engine.plan import Decision, Plan, Planner, State
from plumbline.engine.retries import Delayed, Retries
from plumbline.engine.transient import may_pass
from plumbline.engine.watcher import Watcher
from plumbline.engine.wiring import work_of
from plumbline.engine.work import ALONE, Outcome, Work
from plumbline.ledger.session import Completion, Ledger, Mishap

_COMMIT_SECONDS = 0.1  # of computing or of time, that finished blocks may wait to share a commit
_REPLANS = 20  # damaged results found one after the other before the run gives up


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
    retries: Retries = field(default_factory=Retries)
    memory: int | None = None
    observer: Observer = field(default_factory=LogObserver)


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
        self._executor = tools.executor
        self._costs: Mapping[int, Expected] = {}

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
            if not plan.is_done:
                plan = self._within_memory(plan)
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

    def _within_memory(self, plan: Plan) -> Plan:
        """Return a plan with the memory that it is expected to take; it runs within the limit.

        Raises
        ------
        MemoryLimitError
            If it does not fit; it says what would.
        """
        footing = Footing(process_bytes(), plan.costs)
        self._executor = self.tools.executor
        if self.tools.memory is not None:
            self._executor = fitted(self._executor, plan, footing, self.tools.memory)
        self._costs = plan.costs
        workers = self._executor.workers_for(len(plan.costs))
        return replace(plan, peak_bytes=footing.peak_bytes(workers))

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
                with self._executor.open(blocks) as pool:
                    self._work_through(ready, planner, pool)
            self._check_results()
        finally:  # what is finished is kept, however the run ends
            self._flush(force=True)
        self.tools.ledger.touch(sorted(self.books.used))

    def _work_through(self, ready: list[Decision], planner: Planner, pool: Pool) -> None:
        running: dict[int, Decision] = {}
        waiting = list(reversed(ready))
        delayed = Delayed()
        while waiting or running:
            while waiting:
                decision = waiting.pop()
                if decision.entry is not None:
                    self._settle(decision)
                else:
                    running[decision.task.number] = decision
                    pool.submit(self._work_of(decision.task))
            for work in delayed.due():
                pool.submit(work)
            self._flush()
            for work, outcome in self._ended(pool, len(running), delayed):
                decision = running[work.number]
                if isinstance(outcome, Outcome):
                    self._computed(decision, outcome)
                    waiting += self._now_ready(decision.task, planner)
                elif (wait := self._wait_after(work, decision, outcome)) is not None:
                    again = _alone(work) if isinstance(outcome, OutOfMemoryError) else work
                    delayed.add(again, wait)
                    continue
                del running[work.number]

    def _work_of(self, task: Task) -> Work:
        work = work_of(task, self.tasks, self.books.entries, self._root)
        cost = self._costs.get(task.number)
        needed = work.memory_bytes if cost is None else cost.n_bytes
        seconds = self.tools.retries.limit_of(work)
        return replace(work, seconds=seconds, memory_bytes=needed, run_id=self.run_id)

    def _ended(
        self, pool: Pool, n_running: int, delayed: Delayed
    ) -> Iterator[tuple[Work, Outcome | Exception]]:
        """Yield what has ended, or nothing when a block that waits is due before anything ends."""
        if n_running > len(delayed):
            yield from pool.finished(delayed.seconds)
        elif delayed:
            self._flush(force=True)
            time.sleep(delayed.seconds or 0.0)

    def _attempts(self, work: Work) -> int:
        return self.books.attempts.get(work.number, 0)

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
        self._note(task, Completion(*task.place, key, state, decision.reason))

    def _computed(self, decision: Decision, outcome: Outcome) -> None:
        task, key, stored = decision.task, decision.key, outcome.stored
        digest = "" if key is None else key.digest
        entry = Entry(digest, stored.digest, stored.state_digest, stored.manifest, stored.n_bytes)
        self.books.settle(task.number, entry, "computed")
        if key is not None:
            self.books.codes[key.code.digest] = key.code
            self.books.own.add(digest)
        self.books.unsaved += outcome.seconds
        done = Completion(
            *task.place,
            key=digest or None,
            state="computed",
            reason=decision.reason,
            artefact=artefact_of(self.pipeline, decision, outcome),
            lineage=lineage_of(decision),
            seconds=outcome.seconds,
            peak_bytes=outcome.peak_bytes,
            worker=outcome.worker,
        )
        self._note(task, done, outcome.began)

    def _wait_after(self, work: Work, decision: Decision, error: Exception) -> float | None:
        """Record a failed attempt; return how long the next one waits, or give the block up."""
        task = decision.task
        attempt = self._attempts(work) + 1
        self.books.attempts[task.number] = attempt
        if isinstance(error, CorruptEntryError) and self._holders(error.digest):
            self._heal(task, error)
        self._record(task, attempt, error)
        is_last = not may_pass(error) or attempt >= self.tools.retries.attempts_of(work)
        wait = None if is_last else self.tools.retries.wait(task.place, attempt)
        self.tools.observer.attempt_failed(_mishap(task, attempt, error), wait)
        if wait is not None:
            return wait
        if not isinstance(error, PlumblineError):
            raise error
        self._give_up(task, _mishap(task, attempt, error))
        return None

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
        mishap = _mishap(task, attempt, error)
        if attempt == 0:  # no attempt, but a stored result that is damaged
            self.tools.observer.attempt_failed(mishap, None)
        act = partial(self.tools.ledger.record_mishap, self.run_id, mishap)
        self.tools.retries.call("record", act)

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

    def _give_up(self, task: Task, last: Mishap) -> None:
        node, block = task.place
        what = last.message.removeprefix(f"{node} [{block}]: ")
        self.books.problems.setdefault(what, []).append(task.place)
        self._close(task, "failed", last.message, last)
        waiting = list(self._readers[task.number])
        while waiting:
            reader = self.tasks[waiting.pop()]
            if reader.number not in self.books.states:
                self._close(reader, "blocked", f"its input {task.node.name} failed")
                waiting += self._readers[reader.number]

    def _close(self, task: Task, state: str, reason: str, death: Mishap | None = None) -> None:
        self.books.states[task.number] = state
        self._note(task, Completion(*task.place, None, state, reason, death=death))

    def _note(self, task: Task, done: Completion, began: float | None = None) -> None:
        """Enter a block that is done into the books, and tell of it."""
        self.books.buffer.append(done)
        self.tools.observer.block_ended(done, began)
        self.tools.watcher.finished(task, done.state, done.seconds)

    def _flush(self, *, force: bool = False) -> None:
        books = self.books
        waited = max(books.unsaved, time.monotonic() - books.flushed)
        if books.buffer and (force or waited > _COMMIT_SECONDS):
            self.tools.codes.refuse_moved_files()
            act = partial(self.tools.ledger.commit, self.run_id, books.buffer, books.codes)
            for mishap in self.tools.retries.call("commit", act):
                self.tools.watcher.differed(mishap.node, mishap.block, mishap.message)
            books.buffer.clear()
            books.codes.clear()
            books.unsaved = 0.0
            books.flushed = time.monotonic()

    @property
    def _root(self) -> Path:
        return self.tools.cache.objects.root


def _alone(work: Work) -> Work:
    """Return the work of a block that is to run beside no other."""
    return replace(work, memory_bytes=ALONE)


def _mishap(task: Task, attempt: int, error: Exception) -> Mishap:
    trace = getattr(error, "trace", "")
    return Mishap(*task.place, attempt, type(error).__name__, str(error), trace)


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
