"""Computing and storing the portfolio-days of a plan, chunk by chunk, each in one transaction."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Final, final

import numpy as np
import polars as pl

from plumbline.core.failure import Failure
from plumbline.core.logs import log_ids
from plumbline.engine.cells import attempt_cell
from plumbline.engine.interruption import sigterm_as_interrupt
from plumbline.kernels.warm import families_among, is_warm, warm
from plumbline.lake.prepared import Progress, silent
from plumbline.ledger.queries import runs_going_on
from plumbline.ledger.session import Completion, Ledger, Mishap
from plumbline.risk.measurement import BLOCK, Measurement
from plumbline.risk.portfolio_keys import key_texts
from plumbline.risk.result import RiskResult
from plumbline.stages.nightly_inputs import NightlyInputs
from plumbline.stages.nightly_plan import Group, NightlyPlan, shared_keys
from plumbline.stages.nightly_tally import Tally, record_tally
from plumbline.store.portfolio_store import Chunk, PortfolioStore
from plumbline.store.tables import FRAMES

CHUNK_DAYS: Final = 24_000
"""Portfolio-days that are computed before they are written, about 80 MB of tables."""
_DATES_AT_ONCE: Final = 16  # correlations of 1,500 symbols on a date are 7 MB
_WRITERS: Final = 2  # what is written together, while the next is made


@final
@dataclass(frozen=True)
class NightlyOptions:
    """How a nightly run works; nothing here changes a result.

    Parameters
    ----------
    progress : told ``portfolio-days``, how many are stored, how many there will be.
    compiling : told of kernels that are compiled.
    accompanied : told of runs of the same recipe that go on, if there are any.
    retried : run whose failed portfolio-days are computed again.
    """

    progress: Progress = silent
    compiling: Progress = silent
    accompanied: Callable[[Sequence[str]], None] | None = None
    retried: str | None = None


@final
@dataclass(frozen=True, eq=False)
class NightlyResult:
    """What a nightly run did.

    Parameters
    ----------
    run_id : its name in the ledger.
    counts : state -> portfolio-days, as they were planned.
    tally : rows, statements, seconds a phase, coverage, failures.
    seconds : wall clock.
    warnings : what was not counted.
    n_removed : portfolio-days from before their portfolio opens, or of no session of the prices.
    others : portfolios that the store holds and the book lacks.
    """

    run_id: str
    counts: Mapping[str, int]
    tally: Tally
    seconds: float
    warnings: tuple[str, ...] = ()
    n_removed: int = 0
    others: tuple[str, ...] = ()

    @property
    def n_failures(self) -> int:
        """Return how many cells failed."""
        return sum(self.tally.failures.values())

    def told_failures(self) -> list[str]:
        """Return a sentence for each analytic and reason."""
        return [
            f"{analytic} failed on {n} portfolio-day{'' if n == 1 else 's'}: {reason}"
            for (analytic, reason), n in sorted(self.tally.failures.items())
        ]


def run_nightly(
    plan: NightlyPlan, store: PortfolioStore, options: NightlyOptions | None = None
) -> NightlyResult:
    """Compute and store what a plan lacks.

    What an analytic cannot compute of a portfolio-day is recorded and missing, the rest is there.
    A run that ends early leaves whole chunks, and the next goes on from them.

    Parameters
    ----------
    plan : of the same store.
    store : written to, one transaction a chunk, while the next is computed.
    options : who is told.

    Raises
    ------
    StoreError
        If the store refuses; what was stored before stays.
    """
    options = options or NightlyOptions()
    inputs = plan.inputs
    started = time.perf_counter()
    database = inputs.project.database
    ledger = Ledger(database)
    tally = Tally()
    _compile(inputs, options.compiling, tally)
    others = runs_going_on(database, inputs.recipe.name)
    if others and options.accompanied is not None:
        options.accompanied(others)
    with database.hold(), sigterm_as_interrupt():
        recipe = inputs.recipe
        base = recipe.base.resolve()
        root = inputs.project.root.resolve()
        shown = base.relative_to(root) if base.is_relative_to(root) else base
        run_id = ledger.start_run(
            recipe.name, recipe.text, recipe.digest, "threads", (shown.as_posix(), options.retried)
        )
        with _closing(ledger, run_id, tally), log_ids(run_id=run_id):
            inputs.project.codes.refuse_moved_files()
            _Work(plan, store, ledger, run_id, tally, options).do()
            record_tally(tally, plan.counts, ledger, (run_id, plan.inputs.code))
    seconds = time.perf_counter() - started
    told = (inputs.warnings, plan.gone.height, plan.others)
    return NightlyResult(run_id, plan.counts, tally, seconds, *told)


def _compile(inputs: NightlyInputs, progress: Progress, tally: Tally) -> None:
    code = inputs.project.codes.of_module(Measurement.__module__)
    kinds = [inputs.project.codes.of(kind) for kind in inputs.kinds.values()]
    reached = families_among(m for found in (code, *kinds) for m in found.files)
    if not is_warm(reached):
        with tally.timed("compile"):
            warm(progress, reached)


@contextmanager
def _closing(ledger: Ledger, run_id: str, tally: Tally) -> Iterator[None]:
    state = "interrupted"
    try:
        yield
        state = "failed" if tally.failures else "done"
    except Exception as error:
        state = "failed"
        trace = "".join(traceback.format_exception(error))
        ledger.record_mishap(run_id, Mishap("", "", 1, type(error).__name__, str(error), trace))
        raise
    finally:
        ledger.finish_run(run_id, state)


@final
@dataclass(frozen=True, eq=False)
class _Work:
    """A run in progress."""

    plan: NightlyPlan
    store: PortfolioStore
    ledger: Ledger
    run_id: str
    tally: Tally
    options: NightlyOptions

    def do(self) -> None:
        """Measure all groups, then make the shared tables that no group made."""
        total = int(self.plan.is_due.sum())
        self.options.progress("portfolio-days", 0, total)
        if self.plan.gone.height:
            self.tally.wrote(self.store.remove(self.plan.gone, self.run_id))
        if self.plan.gone_dates:
            self.tally.wrote(self.store.remove_dates(self.plan.gone_dates, self.run_id))
        waiting = set(self.plan.dates)
        with ThreadPoolExecutor(_WRITERS) as threads:
            writers = _Writers(threads)
            for group in self.plan.groups():
                waiting -= self._measure(group, writers, total)
            if waiting:
                self._share(sorted(waiting), writers)
            writers.wait()

    def _measure(self, group: Group, writers: "_Writers", total: int) -> set[date]:
        """Measure and store a group; return the dates whose shared tables it made."""
        inputs = self.plan.inputs
        only = None if group.is_all else group.portfolios
        with self.tally.timed("prepare"):
            measurement = Measurement.of(
                inputs.book, inputs.valuation, inputs.kinds, group.dates, only, attempt_cell
            )
        shared = set(group.dates) & set(self.plan.dates) if group.is_all else set()
        self._write_shared(measurement, shared, writers)
        step = max(BLOCK, CHUNK_DAYS // len(group.dates) // BLOCK * BLOCK)
        for first in range(0, len(group.portfolios), step):
            stop = min(first + step, len(group.portfolios))
            with self.tally.timed("compute"):
                result = measurement.part(first, stop)
            writers.submit(partial(self._write, group, (first, stop), result, total))
        return shared

    def _write(self, group: Group, places: tuple[int, int], result: RiskResult, total: int) -> None:
        """Store the due portfolio-days among those measured, and note it in the ledger."""
        started = time.perf_counter()
        days = self._due_days(result)
        frames = _frames(result, days)
        with self.tally.timed("write"):
            written = self.store.write(Chunk(days, frames), self.run_id)
        with self.tally.turn:
            self.tally.wrote(written)
            self.tally.measured(frames)
            self.tally.done += days.height
            self.tally.chunks += 1
            block = f"{self.tally.chunks:06d} {group.dates[0]}:{group.dates[-1]}"
        done = Completion(
            "portfolio_days",
            block,
            key=None,
            state="computed",
            reason=f"{days.height} portfolio-days of {places[1] - places[0]} portfolios",
            seconds=time.perf_counter() - started,
        )
        self.ledger.commit(self.run_id, [done], {})
        with self.tally.turn:  # so that who is told never hears of less
            self.options.progress("portfolio-days", self.tally.done, total)

    def _due_days(self, result: RiskResult) -> pl.DataFrame:
        """Return ``portfolio date owner key`` of the measured portfolio-days that are due."""
        keys = self.plan.inputs.keys
        measured = result.snapshots.select("portfolio", "date")
        enum = pl.Enum(keys.portfolios)
        rows = measured["portfolio"].cast(enum).to_physical().to_numpy().astype("int64")
        columns = keys.dates.searchsorted(measured["date"].to_numpy().astype("datetime64[D]"))
        is_due = self.plan.is_due[rows, columns]
        rows, columns = rows[is_due], columns[is_due]
        texts = key_texts(keys.words[rows, columns], self.plan.inputs.code)
        owners = self.plan.inputs.book.portfolios["owner"].gather(rows)
        due = measured.filter(pl.Series(is_due))
        return due.with_columns(owners.alias("owner"), texts)

    def _share(self, dates: list[date], writers: "_Writers") -> None:
        """Make the shared tables of dates alone."""
        inputs = self.plan.inputs
        kinds = {name: kind for name, kind in inputs.kinds.items() if kind.shares}
        with self.tally.timed("prepare"):
            found = Measurement.of(inputs.book, inputs.valuation, kinds, dates, None, attempt_cell)
        for analytic, known in found.prepared.items():
            if isinstance(known, Failure):
                self.tally.failures[analytic, known.message] = len(dates)
        self._write_shared(found, set(dates), writers)

    def _write_shared(self, measurement: Measurement, due: set[date], writers: "_Writers") -> None:
        """Make and store the shared tables of those dates of a measurement that are due.

        If an analytic that shares some fails on all, which is recorded, no table is stored: a date
        that has a key is complete.
        """
        sharing = [name for name, kind in measurement.kinds.items() if kind.shares]
        if any(isinstance(measurement.prepared[name], Failure) for name in sharing):
            return
        dates = measurement.dates
        for start in range(0, len(dates), _DATES_AT_ONCE):
            some = [day for day in dates[start : start + _DATES_AT_ONCE] if day in due]
            if not some:
                continue
            with self.tally.timed("shared"):
                tables = measurement.shared_tables(slice(start, start + _DATES_AT_ONCE))
            writers.submit(partial(self._store_dates, tables, some))

    def _store_dates(self, tables: Mapping[str, pl.DataFrame], dates: list[date]) -> None:
        keys = self.plan.inputs.keys
        sessions = keys.dates.searchsorted(np.array(dates, dtype="datetime64[D]"))
        named = shared_keys(self.plan.inputs, sessions)
        frame = pl.DataFrame(
            {"date": list(named), "key": list(named.values())},
            schema={"date": pl.Date(), "key": pl.String()},
        )
        is_due = pl.col("date").is_in(dates)
        own = {
            name: rows if rows["date"].is_in(dates).all() else rows.filter(is_due)
            for name, rows in tables.items()
        }
        with self.tally.timed("write"):
            written = self.store.write_dates(own, frame, self.run_id)
        with self.tally.turn:
            self.tally.wrote(written)
            for name, rows in own.items():
                self.tally.rows[name] = self.tally.rows.get(name, 0) + rows.height


@final
class _Writers:
    """Writes some things together, while the next are made.

    Parameters
    ----------
    threads : one for each that is written together.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._pending: set[Future[None]] = set()

    def submit(self, act: Callable[[], None]) -> None:
        """Let something be written; waits while as many as there are threads are not written yet.

        Raises
        ------
        StoreError
            If the store refused one before.
        """
        if len(self._pending) >= _WRITERS:
            self._finish(wait(self._pending, return_when=FIRST_COMPLETED).done)
        self._pending.add(self._threads.submit(act))

    def wait(self) -> None:
        """Return when all is written.

        Raises
        ------
        StoreError
            If the store refused.
        """
        self._finish(set(self._pending))

    def _finish(self, written: set[Future[None]]) -> None:
        for one in written:
            self._pending.remove(one)
            one.result()


def _frames(result: RiskResult, days: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the tables of some days; what fails on all portfolios fails on each of them."""
    everywhere = result.failures.filter(pl.col("portfolio").is_null())
    cells = days.select("portfolio", "date").join(
        everywhere.select("analytic", "reason"), how="cross"
    )
    failures = pl.concat([result.failures.filter(pl.col("portfolio").is_not_null()), cells])
    whole = replace(result, failures=failures.sort("portfolio", "date", maintain_order=True))
    frames = {table: getattr(whole, table) for table in FRAMES}
    if days.height == result.snapshots.height:
        return frames
    on = ["portfolio", "date"]
    return {
        table: frame.join(days.select(on), on=on, how="semi", maintain_order="left")
        for table, frame in frames.items()
    }
