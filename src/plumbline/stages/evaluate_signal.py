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
    """Every table of a signal's :class:`plumbline.factors.evaluation.Evaluation`.

    The table uncomputed says by reason what is missing in them. Prices with ``volume`` give the
    capacity curve.

    Parameters
    ----------
    name : how the tables call the signal.
    options : horizons, quantiles, costs and draws.
    rolling_bars : window of the trailing mean of the rank IC.
    sectors : pairs of asset and sector, sorted; empty leaves the rank IC by sector out.
    regimes : pairs of a regime's name and the labels of its states; their numbers are the field of
        that name in the optional input ``regimes``.
    """

    name: str
    options: EvaluationOptions
    rolling_bars: int = 252
    sectors: tuple[tuple[str, str], ...] = ()
    regimes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    reads: ClassVar[tuple[str, ...]] = ("signal", "prices")
    optional: ClassVar[tuple[str, ...]] = ("regimes",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Evaluate against all bars at once: forward returns look ahead, and only here."""
        from plumbline.factors.evaluation import evaluate
        from plumbline.factors.regime import state_labels

        prices = inputs["prices"]
        numbers = conform(inputs["regimes"], prices) if self.regimes else {}
        return evaluate(
            {self.name: conform(inputs["signal"], prices)["signal"]},
            prices,
            options=self.options,
            sectors=dict(self.sectors),
            regimes={
                name: state_labels(numbers[name][:, 0], labels) for name, labels in self.regimes
            },
            rolling_bars=self.rolling_bars,
        ).tables
