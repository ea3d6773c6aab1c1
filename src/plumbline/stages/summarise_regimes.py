"""Stage: the state of the market on each bar, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class SummariseRegimes(Stage):
    """Tables ``regimes``, the state of each bar, and ``regime_summary``, how often and how long.

    Parameters
    ----------
    labels : pairs of a regime's name and the labels of its states.
    """

    labels: tuple[tuple[str, tuple[str, ...]], ...]
    reads: ClassVar[tuple[str, ...]] = ("regimes",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Write all bars; see ``state_table`` and ``state_summary`` of the regimes' module."""
        import polars as pl

        from plumbline.factors.regime import state_summary, state_table

        panel = inputs["regimes"]
        states = [state_table(name, panel, labels) for name, labels in self.labels]
        counts = [state_summary(name, panel, labels) for name, labels in self.labels]
        return {"regimes": pl.concat(states), "regime_summary": pl.concat(counts)}
