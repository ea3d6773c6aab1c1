"""What a nightly run counts while it works, and writes into the ledger."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, final

import polars as pl

from plumbline.core.wording import counted
from plumbline.ledger.session import Completion, Ledger, Mishap
from plumbline.store.portfolio_store import Written

_REASONS: Final = 200  # distinct failures that the ledger lists


@final
@dataclass
class Tally:
    """What a run has done so far; threads count under its ``turn``."""

    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    statements: int = 0
    n_bytes: int = 0
    coverage: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    done: int = 0
    chunks: int = 0
    turn: Lock = field(default_factory=Lock)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the time that something takes to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            with self.turn:
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


def record_tally(
    tally: Tally, counts: Mapping[str, int], ledger: Ledger, run: tuple[str, str]
) -> None:
    """Write what a run did into the ledger: numbers, and each failure once with its count.

    Parameters
    ----------
    tally : of the run.
    counts : state -> portfolio-days, as they were planned.
    ledger : written to.
    run : its name, and the digest of its code.
    """
    run_id, code = run
    metrics: dict[tuple[str, str], float | None] = {}
    metrics |= {("portfolio_days", state): float(n) for state, n in counts.items()}
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
        told = f"failed on {counted(n, 'portfolio-day')}: {reason}"
        warnings.append((analytic, "", told))
        last = Mishap(analytic, f"cells {len(dead) + 1}", 1, "AnalyticFailure", told, "")
        dead.append(
            Completion(last.node, last.block, key=None, state="failed", reason=told, death=last)
        )
    if dead:
        ledger.commit(run_id, dead, {})
    ledger.record_findings(run_id, metrics, warnings, code)
