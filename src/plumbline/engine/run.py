"""Running a pipeline: plan, compute what is missing, commit each block once, plan again.

A run holds no state of its own: what is finished is in the ledger, so resuming after a crash is
planning again, and so is going on after a damaged result was found.
"""

import time
import traceback
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from plumbline.core.errors import CorruptEntryError, MissingDataError, RunError, nearest_names
from plumbline.core.logs import log_ids
from plumbline.engine.blocks import Selection, Task, tasks_of
from plumbline.engine.books import Books
from plumbline.engine.cache import Cache, Entry
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.dead import dead_blocks, refuse_others, tasks_of_dead
from plumbline.engine.executor import Executor
from plumbline.engine.interruption import is_interrupted, sigterm_as_interrupt
from plumbline.engine.key import KeyMaker
from plumbline.engine.objects import names_in
from plumbline.engine.observer import Begun, Observers, observers
from plumbline.engine.pipeline import Pipeline
from plumbline.engine.plan import Plan, Planner, collection_paused
from plumbline.engine.retries import Retries
from plumbline.engine.root import project_option
from plumbline.engine.session import Session, Tools
from plumbline.engine.stage import Value
from plumbline.engine.watcher import Silent, Watcher
from plumbline.engine.work import join
from plumbline.ledger.queries import failures_of_run, run_that_used, runs_going_on
from plumbline.ledger.session import Ledger, Mishap


@final
@dataclass(frozen=True)
class RunOptions:
    """How to run; nothing here changes a result.

    Parameters
    ----------
    recipe : resolved text, and its digest, for the ledger.
    watcher : told of progress.
    use_cache : False computes every block again.
    prepare : called with the plan before its first block is computed; once more only when a
        damaged result makes the run plan again.
    retries : how often a block is tried, how long it waits, how long it may take.
    base : folder of the recipe, for the ledger.
    memory : bytes that all processes of the run may take together, or None.
    retried : a run whose dead blocks are computed, with those that waited for them and no other.
    """

    recipe: tuple[str, str] = ("", "")
    watcher: Watcher = field(default_factory=Silent)
    use_cache: bool = True
    prepare: Callable[[Plan], None] = lambda _plan: None
    retries: Retries = field(default_factory=Retries)
    base: Path | None = None
    retried: str | None = None
    memory: int | None = None


@final
@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Parameters
    ----------
    run_id : its name in the ledger.
    counts : state -> number of blocks.
    digests : (node, block) -> digest of the output.
    pieces : node -> kind of its blocks, and their stored results in order.
    seconds : wall-clock time.
    """

    run_id: str
    counts: Mapping[str, int]
    digests: Mapping[tuple[str, str], str] = field(repr=False)
    pieces: Mapping[str, tuple[str, tuple[Entry, ...]]] = field(repr=False)
    seconds: float


@final
@dataclass(frozen=True)
class Engine:
    """Plans and runs pipelines on one cache and one ledger."""

    cache: Cache
    ledger: Ledger
    codes: CodeDigests

    @property
    def root(self) -> Path:
        """Return the folder of the project."""
        return self.cache.objects.root.parent.parent

    def planner(
        self, pipeline: Pipeline, *, use_cache: bool = True, own: Container[str] = ()
    ) -> Planner:
        """Return a planner for a pipeline; ``own`` as for :class:`Planner`."""
        return Planner(
            pipeline.name,
            KeyMaker(self.codes),
            self.cache,
            keep_code=pipeline.on_code_change == "keep",
            use_cache=use_cache,
            own=own,
        )

    def plan(self, pipeline: Pipeline, *, use_cache: bool = True) -> Plan:
        """Say what a run would do, without doing it."""
        self.codes.refuse_moved_files()
        with self.cache.database.hold(), collection_paused():
            plan = self.planner(pipeline, use_cache=use_cache).plan(tasks_of(pipeline))
            self.codes.save()
        return plan

    def run(
        self, pipeline: Pipeline, executor: Executor, options: RunOptions | None = None
    ) -> RunResult:
        """Compute what is missing and say where everything is.

        Raises
        ------
        RunError
            If blocks failed; those that do not depend on them were computed all the same.
        MissingDataError
            If dead blocks of a run are to be tried again and what they read is not there any more.
        """
        started = time.perf_counter()
        options = options or RunOptions()
        tools = Tools(
            self.cache,
            self.ledger,
            self.codes,
            executor,
            options.watcher,
            options.prepare,
            options.retries,
            options.memory,
            Observers(observers()),
        )
        with collection_paused():
            tasks = tasks_of(pipeline)
        self.codes.refuse_moved_files()
        if options.retried is not None:
            tasks = self._dead_tasks(pipeline, tasks, options.retried)
        with self.cache.database.hold(), sigterm_as_interrupt():
            others = runs_going_on(self.cache.database, pipeline.name)
            if others:
                options.watcher.accompanied(others)
            origin = self._origin(options)
            run_id = self.ledger.start_run(pipeline.name, *options.recipe, repr(executor), origin)
            tools.observer.run_began(Begun(run_id, pipeline.name, repr(executor)))
            with self._closing(run_id, tools), log_ids(run_id=run_id):
                books = Session(run_id, pipeline.name, tasks, tools).complete(
                    lambda own: self.planner(pipeline, use_cache=options.use_cache, own=own)
                )
                if books.problems:
                    see = f"plumbline runs {run_id}{project_option(self.root)}"
                    told = f"run {run_id} (tracebacks: {see})"
                    raise RunError(told, books.told_problems())
        return _result(run_id, tasks, books, time.perf_counter() - started)

    def recorded(self, pipeline: Pipeline, plan: Plan, recipe_digest: str) -> RunResult | None:
        """Return the newest run of a recipe that used the results of a plan, or None.

        Parameters
        ----------
        plan : in which every result is there.
        """
        used = {d.task.place: d.entry.key for d in plan.decisions if d.entry is not None}
        run_id = run_that_used(self.cache.database, pipeline.name, recipe_digest, used)
        if run_id is None:
            return None
        books = Books()
        for decision in plan.decisions:
            if decision.entry is not None:
                books.settle(decision.task.number, decision.entry, decision.state.value)
        return _result(run_id, [d.task for d in plan.decisions], books, 0.0)

    def output(self, result: RunResult, node: str) -> Value:
        """Return the whole output of a node: a panel, memory-mapped if one block, or tables.

        Raises
        ------
        MissingDataError
            If the run has no such node.
        CorruptEntryError
            If a file is missing or damaged; it is dropped, and the next run makes it again.
        """
        if node not in result.pieces:
            hint = nearest_names(node, result.pieces)
            raise MissingDataError(f"run {result.run_id} has no node {node!r}; {hint}")
        kind, entries = result.pieces[node]
        try:
            values = [self.cache.objects.read(entry.manifest) for entry in entries]
        except CorruptEntryError as error:
            names = {name for entry in entries for name in names_in(entry.manifest)}
            for name in sorted(names):  # where one is damaged there may be more
                self.cache.forget(name, self.ledger)
            reason = f"{error.reason}; run again: what was damaged of {node} is computed again"
            raise CorruptEntryError(error.digest, error.path, reason) from error
        return join(values, kind, Selection())

    @contextmanager
    def _closing(self, run_id: str, tools: Tools) -> Iterator[None]:
        state, started = "interrupted", time.perf_counter()
        try:
            yield
            state = "done"
        except Exception as error:
            if is_interrupted():  # and a library made an error of that
                raise
            state = "failed"
            if not failures_of_run(self.cache.database, run_id):  # no block says why
                trace = "".join(traceback.format_exception(error))
                self.ledger.record_mishap(
                    run_id, Mishap("", "", 1, type(error).__name__, str(error), trace)
                )
            raise
        finally:
            tools.observer.run_ended(state, time.perf_counter() - started)
            tools.retries.call("finish", lambda: self.ledger.finish_run(run_id, state))

    def _dead_tasks(
        self, pipeline: Pipeline, tasks: Sequence[Task], run_id: str
    ) -> tuple[Task, ...]:
        dead = dead_blocks(self.cache.database, run_id)
        chosen = tasks_of_dead(tasks, dead, run_id)
        with self.cache.database.hold():
            refuse_others(self.planner(pipeline).plan(chosen), dead, run_id)
        return chosen

    def _origin(self, options: RunOptions) -> tuple[str, str | None] | None:
        """Return the recipe's folder, as seen from the project's, and the run tried again."""
        if options.base is None:
            return None
        base = options.base.resolve()
        is_inside = base.is_relative_to(self.root.resolve())
        shown = base.relative_to(self.root.resolve()) if is_inside else base
        return shown.as_posix(), options.retried


def _result(run_id: str, tasks: Sequence[Task], books: Books, seconds: float) -> RunResult:
    counts: dict[str, int] = {}
    kinds: dict[str, str] = {}
    entries: dict[str, list[Entry]] = {}
    for task in tasks:
        state = books.states[task.number]
        counts[state] = counts.get(state, 0) + 1
        kinds[task.node.name] = task.block.kind
        entries.setdefault(task.node.name, []).append(books.entries[task.number])
    return RunResult(
        run_id,
        counts,
        {task.place: books.outputs[task.number] for task in tasks},
        {name: (kinds[name], tuple(found)) for name, found in entries.items()},
        seconds,
    )
