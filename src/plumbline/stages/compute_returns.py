"""Stage: simple returns of closes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks
from plumbline.features.returns import simple_returns


@final
@dataclass(frozen=True)
class ComputeReturns(Stage):
    """Field ``return`` of every bar and asset, in blocks of ``block_bars``."""

    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars; a return reads the bar before."""
        return TimeBlocks(self.block_bars, warm_up=1)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Compute one block; see :func:`plumbline.features.returns.simple_returns`."""
        prices = inputs["prices"]
        return prices.only([]).with_fields({"return": simple_returns(prices["close"])})
