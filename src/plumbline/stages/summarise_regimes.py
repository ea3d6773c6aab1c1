"""Stage: the state of the market on each bar, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class SummariseRegimes(Stage):
    """Table ``regimes``: the state of each bar and regime, and its probability.

    Parameters
    ----------
    labels : pairs of a regime's name and the labels of its states.
    """

    labels: tuple[tuple[str, tuple[str, ...]], ...]
    reads: ClassVar[tuple[str, ...]] = ("regimes",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Write all bars; see :func:`plumbline.factors.regime.state_table`."""
        import polars as pl

        from plumbline.factors.regime import state_table

        panel = inputs["regimes"]
        tables = [state_table(name, panel, labels) for name, labels in self.labels]
        return {"regimes": pl.concat(tables)}
