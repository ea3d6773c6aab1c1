"""Stage: the states of the market."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Axes, Partition, Stage, TimeBlocks
from plumbline.factors.regime import Regime, equal_weight_return

MARKET = "market"
"""The one asset of the panel of states."""


@final
@dataclass(frozen=True)
class MarketRegime:
    """A regime of a study.

    Parameters
    ----------
    name : how tables call it.
    regime : tells the states.
    factor : whose return it reads; None reads the equal-weighted return of the universe.
    """

    name: str
    regime: Regime
    factor: str | None


@final
@dataclass(frozen=True)
class LabelRegimes(Stage):
    """Field ``<name>`` of each regime, the number of its state, and ``<name>:<label>``.

    The latter is the filtered probability of the state of that label. The pipeline wires only the
    inputs that some regime reads.

    Parameters
    ----------
    regimes : in the order of the recipe.
    block_bars : bars a block.
    """

    regimes: tuple[MarketRegime, ...]
    block_bars: int
    optional: ClassVar[tuple[str, ...]] = ("factors", "returns", "universe")

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with the longest warm-up of the regimes before them."""
        warm_up = max(found.regime.warm_up for found in self.regimes)
        return TimeBlocks(self.block_bars, warm_up=warm_up)

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        """Return the bars of the first input, with the market as the one asset."""
        first = next(iter(inputs.values()))
        return Axes(first.first_bar, first.end_bar, (MARKET,))

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Tell the states of one block; see :meth:`plumbline.factors.regime.Regime.states`."""
        base = next(iter(inputs.values()))
        panels = {name: conform(panel, base) for name, panel in inputs.items()}
        fields = {}
        for found in self.regimes:
            if found.factor is None:
                market = equal_weight_return(panels["returns"], panels.get("universe"))
            else:
                market = panels["factors"].select([found.factor])
            states = found.regime.states(market)
            fields[found.name] = states["state"]
            for label in found.regime.labels:
                fields[f"{found.name}:{label}"] = states[f"probability_{label}"]
        return Panel(fields, base.bars, (MARKET,), known_at=base.known_at, first_bar=base.first_bar)
