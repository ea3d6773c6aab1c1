"""Stage: what a signal is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.factors.options import EvaluationOptions


@final
@dataclass(frozen=True)
class EvaluateSignal(Stage):
    """Tables of a signal's evaluation: summary, ic, decay, quantiles, spread and their histories.

    The table uncomputed says by reason what is missing in them.

    Parameters
    ----------
    name : how the tables call the signal.
    options : horizons, quantiles and costs.
    rolling_bars : window of the trailing mean of the rank IC.
    """

    name: str
    options: EvaluationOptions
    rolling_bars: int = 252
    reads: ClassVar[tuple[str, ...]] = ("signal", "prices")

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Evaluate against all bars at once: forward returns look ahead, and only here."""
        from plumbline.factors.evaluation import evaluate
        from plumbline.factors.history import (
            coverage,
            ic_by_month,
            ic_by_year,
            ic_histogram,
            ic_rolling,
            spread_history,
        )

        prices = inputs["prices"]
        signal = conform(inputs["signal"], prices)["signal"]
        found = evaluate({self.name: signal}, prices, options=self.options)
        return {
            "summary": found.summary,
            "ic": found.ic,
            "ic_rolling": ic_rolling(found.ic, self.rolling_bars),
            "ic_by_year": ic_by_year(found.ic),
            "ic_by_month": ic_by_month(found.ic),
            "ic_histogram": ic_histogram(found.ic),
            "decay": found.decay,
            "quantiles": found.quantiles,
            "spread": spread_history(found.spread),
            "spread_summary": found.spread_summary,
            "coverage": coverage(self.name, signal, prices),
            "uncomputed": found.uncomputed,
        }
