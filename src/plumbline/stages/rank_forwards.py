"""Stage: how assets rank by the returns that follow a bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks


@final
@dataclass(frozen=True)
class RankForwards(Stage):
    """Fields ``rank_<horizon>``, ranks of forward returns less their mean, and ``is_priced``.

    The latter is 1 where a close is positive, so that the asset can be traded, else 0.

    Parameters
    ----------
    horizons : bars.
    block_bars : bars a block.
    """

    horizons: tuple[int, ...]
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the longest horizon after them."""
        return TimeBlocks(self.block_bars, look_ahead=max(self.horizons))

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Rank one block."""
        from plumbline.factors.forward_returns import forward_returns
        from plumbline.features.returns import positive_prices
        from plumbline.kernels.order_statistics import centred_ranks

        prices = inputs["prices"]
        price = positive_prices(prices["close"])
        ranks = centred_ranks(forward_returns(price, self.horizons))
        names = rank_fields(self.horizons)
        fields = {name: x.astype(np.float64) for name, x in zip(names, ranks, strict=True)}
        is_priced = np.isfinite(price).astype(np.float64)
        return prices.only([]).with_fields(fields | {"is_priced": is_priced})


def rank_fields(horizons: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the fields, in the order of the horizons."""
    return tuple(f"rank_{bars}" for bars in horizons)
