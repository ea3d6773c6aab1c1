"""Stage: what a holding of each asset gains on each bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Scan, Stage, Step


@final
@dataclass(frozen=True)
class MarkChanges(Stage):
    """Field ``change``; a missing close is marked at the last one known, however long ago.

    Parameters
    ----------
    block_bars : bars a block.
    """

    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("prices",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars in order: each starts from the last known closes."""
        return Scan(self.block_bars)

    def run(self, inputs: Mapping[str, Any]) -> Step:
        """Mark one block; see :func:`plumbline.factors.marked_changes.marked_changes`."""
        from plumbline.factors.marked_changes import last_closes, marked_changes

        prices: Panel = inputs["prices"]
        close = prices["close"]
        before = inputs["state"].get("close", np.full(prices.n_assets, np.nan))
        changes = prices.only([]).with_fields({"change": marked_changes(close, before)})
        return Step(changes, {"close": last_closes(close, before)})
