"""Stage: rank ICs of signals that know nothing, summed over the bars of a block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, Tables, TimeBlocks
from plumbline.stages.ranked_inputs import ranked_of


@final
@dataclass(frozen=True)
class SumNulls(Stage):
    """Table ``null_sums``, a row for each null, horizon and draw of each block, in this order.

    Column ``units`` is a sum over bars, see :func:`plumbline.factors.asset_nulls.asset_sums`.

    Parameters
    ----------
    horizons : bars.
    n_draws, seed : of each null.
    block_bars : bars a block.
    """

    horizons: tuple[int, ...]
    n_draws: int
    seed: int
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("figures", "signal", "forward_ranks")

    @property
    def partition(self) -> Partition:
        """Return blocks of bars, each on its own."""
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Sum one block."""
        import polars as pl

        from plumbline.factors.asset_nulls import asset_sums

        ranked = ranked_of(inputs, self.horizons)
        first_bar = inputs["figures"].first_bar
        sums = asset_sums(ranked, first_bar, n_draws=self.n_draws, seed=self.seed)
        return {"null_sums": pl.DataFrame({"units": sums.ravel()})}
