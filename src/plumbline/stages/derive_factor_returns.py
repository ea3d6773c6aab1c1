"""Stage: factor returns from tradable legs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Axes, Partition, Stage, TimeBlocks
from plumbline.factors.factor_returns import factor_returns
from plumbline.features.returns import simple_returns


@final
@dataclass(frozen=True)
class DeriveFactorReturns(Stage):
    """Field ``return`` of every factor.

    Parameters
    ----------
    definitions : pairs of factor and its legs, such as ``("size", "IWM - SPY")``, sorted.
    block_bars : bars a block.
    """

    definitions: tuple[tuple[str, str], ...]
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars; a return reads the bar before."""
        return TimeBlocks(self.block_bars, warm_up=1)

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        """Return the bars of the legs, with the factors as assets."""
        prices = inputs["prices"]
        names = tuple(sorted(name for name, _ in self.definitions))
        return Axes(prices.first_bar, prices.end_bar, names)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Compute one block; see :func:`plumbline.factors.factor_returns.factor_returns`."""
        prices = inputs["prices"]
        legs = prices.only([]).with_fields({"return": simple_returns(prices["close"])})
        return factor_returns(dict(self.definitions), legs)
