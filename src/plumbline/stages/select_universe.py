"""Stage: which assets belong to the universe at each bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks
from plumbline.features.universe import UniverseRules, universe_reasons


@final
@dataclass(frozen=True)
class SelectUniverse(Stage):
    """Fields ``member`` (1 or 0) and ``reason`` (a code) of every bar and asset.

    Parameters
    ----------
    rules : what a member must keep.
    block_bars : bars a block.
    """

    rules: UniverseRules
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the rules' warm-up before them."""
        return TimeBlocks(self.block_bars, warm_up=self.rules.warm_up)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Select one block; see :func:`plumbline.features.universe.universe_reasons`."""
        prices = inputs["prices"]
        codes = universe_reasons(prices, self.rules)
        return prices.only([]).with_fields({"member": codes == 0, "reason": codes})
