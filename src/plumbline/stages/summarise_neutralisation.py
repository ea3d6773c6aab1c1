"""Stage: what of a signal neutralisation did not leave, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class SummariseNeutralisation(Stage):
    """Table ``uncomputed`` of a neutralised signal.

    Parameters
    ----------
    name : how the table calls the signal.
    sectors : pairs of asset and sector, sorted; empty takes no sector out.
    """

    name: str
    sectors: tuple[tuple[str, str], ...]
    reads: ClassVar[tuple[str, ...]] = ("signal",)
    optional: ClassVar[tuple[str, ...]] = ("model",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Count all bars."""
        from plumbline.factors.neutralisation import count_unneutralised
        from plumbline.factors.uncomputed import Lost, uncomputed

        signal = inputs["signal"]
        exposures = conform(inputs["model"], signal) if "model" in inputs else signal.only([])
        sectors = dict(self.sectors) if self.sectors else None
        n = count_unneutralised(signal["signal"], exposures, sectors=sectors)
        of_values = {name: getattr(n, name) for name in ("missing_exposure", "alone_in_sector")}
        of_bars = {
            name: getattr(n, name) for name in ("too_few_assets", "too_large", "rank_deficient")
        }
        part = "neutralisation"
        return {
            "uncomputed": uncomputed(
                [
                    Lost(part, of_values, n.n_values, "values", self.name),
                    Lost(part, of_bars, n.n_bars, "bars", self.name),
                ]
            )
        }
