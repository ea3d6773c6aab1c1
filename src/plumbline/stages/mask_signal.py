"""Stage: a signal of the members of the universe alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks


@final
@dataclass(frozen=True)
class MaskSignal(Stage):
    """Field ``signal``, NaN on every bar on which an asset is no member.

    A stage of its own, so that other rules of the universe leave the signal itself alone.
    """

    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("signal", "universe")

    @property
    def partition(self) -> Partition:
        """Return blocks of bars; a bar reads itself alone."""
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Mask one block."""
        signal = inputs["signal"]
        is_member = conform(inputs["universe"], signal)["member"] == 1
        return signal.with_fields({"signal": np.where(is_member, signal["signal"], np.nan)})
