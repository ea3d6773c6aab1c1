"""Stage: mean rank ICs of a signal whose blocks of bars are moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.stages.ranked_inputs import ranked_of


@final
@dataclass(frozen=True)
class ShuffleBlocks(Stage):
    """Table ``shuffled``, column ``mean_ic``: a row for each horizon and draw, in this order.

    Parameters
    ----------
    horizons : bars.
    n_draws, seed : of the null.
    """

    horizons: tuple[int, ...]
    n_draws: int
    seed: int
    reads: ClassVar[tuple[str, ...]] = ("figures", "signal", "forward_ranks")

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Draw over all bars; see :func:`plumbline.factors.shuffled_nulls.shuffled_draws`."""
        import polars as pl

        from plumbline.factors.shuffled_nulls import shuffled_draws

        ranked = ranked_of(inputs, self.horizons)
        draws = shuffled_draws(ranked, self.horizons, n_draws=self.n_draws, seed=self.seed)
        return {"shuffled": pl.DataFrame({"mean_ic": draws.ravel()})}
