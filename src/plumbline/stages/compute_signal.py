"""Stage: one signal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks
from plumbline.features.signal import PART, Signal


@final
@dataclass(frozen=True)
class ComputeSignal(Stage):
    """Field ``signal`` of every bar and asset, in blocks of ``block_bars``.

    The pipeline wires only the inputs that hold a field the signal requires, so that a change of
    the others leaves it alone. Another signal of the study comes as the input ``signal:<label>``.
    """

    signal: Signal
    block_bars: int

    @property
    def optional(self) -> tuple[str, ...]:
        """Return the panels that may hold its fields, and the signals that it is made of."""
        parts = sorted(field for field in self.signal.requires() if field.startswith(PART))
        return ("prices", "returns", "model", *parts)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the signal's warm-up before them."""
        return TimeBlocks(self.block_bars, warm_up=self.signal.warm_up)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Compute one block from the union of the inputs' fields."""
        panels = [
            panel.only([]).with_fields({name: panel["signal"]}) if name.startswith(PART) else panel
            for name, panel in inputs.items()
        ]
        first = panels[0]
        fields = {name: array for p in panels for name, array in conform(p, first).items()}
        needed = {name: fields[name] for name in sorted(self.signal.requires())}
        panel = Panel(
            needed,
            first.bars,
            first.assets,
            known_at=np.max([conform(p, first).known_at for p in panels], axis=0),
            first_bar=first.first_bar,
        )
        return panel.only([]).with_fields({"signal": self.signal.compute(panel)})
