"""Computing and storing the portfolio-days of a plan, chunk by chunk, each in one transaction."""

import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from plumbline.ledger.session import Completion, Ledger, Mishap
from plumbline.risk.measurement import BLOCK, Measurement
from plumbline.risk.portfolio_keys import key_texts
from plumbline.risk.result import RiskResult
from plumbline.stages.nightly_inputs import NightlyInputs
from plumbline.stages.nightly_plan import Group, NightlyPlan, shared_keys
from plumbline.store.portfolio_store import Chunk, PortfolioStore, Written

CHUNK_DAYS: Final = 24_000
"""Portfolio-days that are computed before they are written, about 80 MB of tables."""
TABLES: Final = ("snapshots", "exposures", "measures", "sectors", "stress", "failures")
_DATES_AT_ONCE: Final = 16  # correlations of 1,500 symbols on a date are 7 MB
_WAITING: Final = 2  # pieces of work that may wait to be written
_REASONS: Final = 200  # distinct failures that the ledger lists


@final
@dataclass(frozen=True)
class NightlyOptions:
    """How a nightly run works; nothing here changes a result.

    Parameters
    ----------
    progress : told ``portfolio-days``, how many are stored, how many there will be.
    compiling : told of kernels that are compiled.
    retried : run whose failed portfolio-days are computed again.
    """

    progress: Progress = silent
    compiling: Progress = silent
    retried: str | None = None


@final
@dataclass
class Tally:
    """What a run has done so far."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    statements: int = 0
    n_bytes: int = 0
    coverage: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    done: int = 0
    chunks: int = 0

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the time that something takes to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[phase] = self.seconds.get(phase, 0.0) + spent

    def wrote(self, written: Written) -> None:
        """Count what was written."""
        self.statements += written.statements
        self.n_bytes += written.n_bytes

    def measured(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Count rows, failures and coverage of portfolio-days."""
        for table, frame in frames.items():
            self.rows[table] = self.rows.get(table, 0) + frame.height
        failed = frames["failures"].group_by("analytic", "reason").len().sort("analytic", "reason")
        for analytic, reason, n in failed.iter_rows():
            self.failures[analytic, reason] = self.failures.get((analytic, reason), 0) + n
        for name in frames["measures"].columns:
            if name.endswith("_coverage"):
                own = frames["measures"][name].drop_nulls()
                sums = self.coverage.setdefault(name.removesuffix("_coverage"), [0.0, 0.0])
                sums[0] += float(own.sum())
                sums[1] += own.len()


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
    n_removed : portfolio-days from before their portfolio opens.
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
    _compile(inputs, options.compiling)
    database = inputs.project.database
    ledger = Ledger(database)
    tally = Tally()
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
            _record(plan, ledger, run_id, tally)
    seconds = time.perf_counter() - started
    told = (inputs.warnings, plan.gone.height, plan.others)
    return NightlyResult(run_id, plan.counts, tally, seconds, *told)


def _compile(inputs: NightlyInputs, progress: Progress) -> None:
    code = inputs.project.codes.of_module(Measurement.__module__)
    kinds = [inputs.project.codes.of(kind) for kind in inputs.kinds.values()]
    reached = families_among(m for found in (code, *kinds) for m in found.files)
    if not is_warm(reached):
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
        waiting = set(self.plan.dates)
        with ThreadPoolExecutor(1) as thread:
            writer = _Writer(thread)
            for group in self.plan.groups():
                waiting -= self._measure(group, writer, total)
            if waiting:
                self._share(sorted(waiting), writer)
            writer.wait()

    def _measure(self, group: Group, writer: "_Writer", total: int) -> set[date]:
        """Measure and store a group; return the dates whose shared tables it made."""
        inputs = self.plan.inputs
        only = None if group.is_all else group.portfolios
        with self.tally.timed("prepare"):
            measurement = Measurement.of(
                inputs.book, inputs.valuation, inputs.kinds, group.dates, only, attempt_cell
            )
        shared = set(group.dates) & set(self.plan.dates) if group.is_all else set()
        if shared:
            self._write_shared(measurement.shared_tables(), sorted(shared), writer)
        step = max(BLOCK, CHUNK_DAYS // len(group.dates) // BLOCK * BLOCK)
        for first in range(0, len(group.portfolios), step):
            stop = min(first + step, len(group.portfolios))
            with self.tally.timed("compute"):
                result = measurement.part(first, stop)
            writer.submit(partial(self._write, group, (first, stop), result, total))
        return shared

    def _write(self, group: Group, places: tuple[int, int], result: RiskResult, total: int) -> None:
        """Store the due portfolio-days among those measured, and note it in the ledger."""
        started = time.perf_counter()
        days = self._due_days(result)
        frames = _frames(result, days)
        with self.tally.timed("write"):
            written = self.store.write(Chunk(days, frames), self.run_id)
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

    def _share(self, dates: list[date], writer: "_Writer") -> None:
        """Make the shared tables of dates alone."""
        inputs = self.plan.inputs
        kinds = {"correlation": inputs.kinds["correlation"]}
        with self.tally.timed("shared"):
            found = Measurement.of(inputs.book, inputs.valuation, kinds, dates, None, attempt_cell)
            tables = found.shared_tables()
        for analytic, known in found.prepared.items():
            if isinstance(known, Failure):
                self.tally.failures[analytic, known.message] = len(dates)
        self._write_shared(tables, dates, writer)

    def _write_shared(
        self, tables: Mapping[str, pl.DataFrame], dates: list[date], writer: "_Writer"
    ) -> None:
        if "correlations" not in tables:  # the analytic failed on all, which is recorded
            return
        writer.submit(partial(self._store_dates, tables["correlations"], dates))

    def _store_dates(self, correlations: pl.DataFrame, dates: list[date]) -> None:
        keys = self.plan.inputs.keys
        for start in range(0, len(dates), _DATES_AT_ONCE):
            some = dates[start : start + _DATES_AT_ONCE]
            sessions = keys.dates.searchsorted(np.array(some, dtype="datetime64[D]"))
            named = shared_keys(self.plan.inputs, sessions)
            frame = pl.DataFrame(
                {"date": list(named), "key": list(named.values())},
                schema={"date": pl.Date(), "key": pl.String()},
            )
            own = correlations.filter(pl.col("date").is_in(some))
            with self.tally.timed("write"):
                self.tally.wrote(self.store.write_dates(own, frame, self.run_id))
            n_rows = self.tally.rows.get("correlations", 0)
            self.tally.rows["correlations"] = n_rows + own.height


@final
class _Writer:
    """Writes one thing after another, while the next is made.

    Parameters
    ----------
    thread : a pool of one.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._pending: deque[Future[None]] = deque()

    def submit(self, act: Callable[[], None]) -> None:
        """Let something be written in its turn; waits while two others are not written yet."""
        self._pending.append(self._thread.submit(act))
        while len(self._pending) > _WAITING:
            self._pending.popleft().result()

    def wait(self) -> None:
        """Return when all is written.

        Raises
        ------
        StoreError
            If the store refused.
        """
        while self._pending:
            self._pending.popleft().result()


def _frames(result: RiskResult, days: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the tables of some days; what fails on all portfolios fails on each of them."""
    everywhere = result.failures.filter(pl.col("portfolio").is_null())
    cells = days.select("portfolio", "date").join(
        everywhere.select("analytic", "reason"), how="cross"
    )
    failures = pl.concat([result.failures.filter(pl.col("portfolio").is_not_null()), cells])
    whole = replace(result, failures=failures.sort("portfolio", "date", maintain_order=True))
    frames = {table: getattr(whole, table) for table in TABLES}
    if days.height == result.snapshots.height:
        return frames
    on = ["portfolio", "date"]
    return {
        table: frame.join(days.select(on), on=on, how="semi", maintain_order="left")
        for table, frame in frames.items()
    }


def _record(plan: NightlyPlan, ledger: Ledger, run_id: str, tally: Tally) -> None:
    """Write what a run did into the ledger: numbers, and each failure once with its count."""
    metrics: dict[tuple[str, str], float | None] = {}
    metrics |= {("portfolio_days", state): float(n) for state, n in plan.counts.items()}
    metrics |= {("seconds", phase): spent for phase, spent in tally.seconds.items()}
    metrics |= {("rows", table): float(n) for table, n in tally.rows.items()}
    metrics |= {("statements", "write"): float(tally.statements)}
    metrics |= {("bytes", "write"): float(tally.n_bytes)}
    metrics |= {
        ("coverage", analytic): total / n if n else None
        for analytic, (total, n) in tally.coverage.items()
    }
    warnings: list[tuple[str, str, str]] = []
    dead: list[Completion] = []
    for (analytic, reason), n in sorted(tally.failures.items())[:_REASONS]:
        metrics["failures", analytic] = float(metrics.get(("failures", analytic)) or 0.0) + n
        told = f"failed on {n} portfolio-days: {reason}"
        warnings.append((analytic, "", told))
        last = Mishap(analytic, f"cells {len(dead) + 1}", 1, "AnalyticFailure", told, "")
        dead.append(
            Completion(last.node, last.block, key=None, state="failed", reason=told, death=last)
        )
    if dead:
        ledger.commit(run_id, dead, {})
    ledger.record_findings(run_id, metrics, warnings, plan.inputs.code)
