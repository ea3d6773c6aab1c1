"""Stage: a signal with betas and sectors taken out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Partition, Stage, TimeBlocks


@final
@dataclass(frozen=True)
class NeutraliseSignal(Stage):
    """Field ``signal``, each bar's residual on betas and sector dummies.

    Parameters
    ----------
    sectors : pairs of asset and sector, sorted; empty takes no sector out.
    block_bars : bars a block.
    """

    sectors: tuple[tuple[str, str], ...]
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("signal",)
    optional: ClassVar[tuple[str, ...]] = ("model",)

    @property
    def partition(self) -> Partition:
        """Return blocks of bars; a bar reads itself alone."""
        return TimeBlocks(self.block_bars)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Neutralise one block."""
        from plumbline.factors.neutralisation import neutralised_signal

        signal = inputs["signal"]
        exposures = conform(inputs["model"], signal) if "model" in inputs else signal.only([])
        sectors = dict(self.sectors) if self.sectors else None
        residual = neutralised_signal(signal["signal"], exposures, sectors=sectors)
        return signal.with_fields({"signal": residual})
