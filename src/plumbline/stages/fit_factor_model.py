"""Stage: a factor model over all assets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks
from plumbline.factors.model import FactorModel


@final
@dataclass(frozen=True)
class FitFactorModel(Stage):
    """Alphas, betas and causal residuals of every bar and asset, in blocks of ``block_bars``.

    It has no ``factors`` where the model makes its own.
    """

    model: FactorModel
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("returns",)
    optional: ClassVar[tuple[str, ...]] = ("factors",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the model's warm-up before them."""
        return TimeBlocks(self.block_bars, warm_up=self.model.warm_up)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Fit one block; a bar that the factors lack is missing."""
        returns = inputs["returns"]
        given = conform(inputs["factors"], returns) if "factors" in inputs else returns.select([])
        return self.model.fit(returns, given)
