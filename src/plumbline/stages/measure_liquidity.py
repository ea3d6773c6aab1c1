"""Stage: how hard each asset is to trade."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks


@final
@dataclass(frozen=True)
class MeasureLiquidity(Stage):
    """Fields ``steepness`` and ``value_usd``, known at the close of each bar.

    Parameters
    ----------
    window_bars : bars of trailing volatility and traded value.
    block_bars : bars a block.
    """

    window_bars: int
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the window before them."""
        return TimeBlocks(self.block_bars, warm_up=self.window_bars)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Measure one block; see :func:`plumbline.factors.liquidity.liquidity`."""
        from plumbline.factors.liquidity import liquidity

        prices = inputs["prices"]
        return prices.only([]).with_fields(liquidity(prices, self.window_bars)._asdict())
