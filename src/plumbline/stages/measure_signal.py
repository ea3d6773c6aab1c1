"""Stage: what an evaluation reads of a signal on each bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Axes, Partition, Stage, TimeBlocks
from plumbline.factors.figure_panel import as_panel, figure_names, known_sectors
from plumbline.factors.options import EvaluationOptions


@final
@dataclass(frozen=True)
class MeasureSignal(Stage):
    """Field ``figure``, whose assets are the figures of a bar.

    See :class:`plumbline.factors.bar_figures.BarFigures`. With the input ``liquidity`` the trades
    of the spread have an impact.

    Parameters
    ----------
    horizons, n_quantiles, spread_horizon, every_bars, impact : see
        :class:`plumbline.factors.options.EvaluationOptions`.
    sectors : pairs of asset and sector, sorted; empty leaves the rank IC by sector out.
    block_bars : bars a block.
    """

    horizons: tuple[int, ...]
    n_quantiles: int
    spread_horizon: int
    every_bars: int
    impact: float
    sectors: tuple[tuple[str, str], ...]
    block_bars: int
    reads: ClassVar[tuple[str, ...]] = ("signal", "prices", "changes")
    optional: ClassVar[tuple[str, ...]] = ("liquidity",)

    @classmethod
    def of(
        cls, options: EvaluationOptions, sectors: Mapping[str, str], block_bars: int
    ) -> "MeasureSignal":
        """Return the stage of an evaluation; other options of it leave its results as they are."""
        return cls(
            horizons=options.horizons,
            n_quantiles=options.n_quantiles,
            spread_horizon=options.spread_horizon,
            every_bars=options.every_bars,
            impact=options.impact,
            sectors=tuple(sorted(sectors.items())),
            block_bars=block_bars,
        )

    @property
    def partition(self) -> Partition:
        """Return blocks of bars with what is before and after that a figure depends on."""
        longest = max(self.horizons)
        warm_up = max(longest, self.spread_horizon + 1)
        return TimeBlocks(self.block_bars, warm_up=warm_up, look_ahead=longest)

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        """Return the bars of the prices, with a figure for an asset."""
        prices = inputs["prices"]
        names = figure_names(self._options, known_sectors(self._sectors_of(prices.assets)))
        return Axes(prices.first_bar, prices.end_bar, names)

    def run(self, inputs: Mapping[str, Panel]) -> Panel:
        """Measure one block; forward returns look ahead, and only in an evaluation."""
        from plumbline.factors.bar_figures import bar_figures, tradable
        from plumbline.factors.liquidity import Liquidity
        from plumbline.factors.market import market_with

        prices = inputs["prices"]
        liquid = None
        if "liquidity" in inputs:
            known = conform(inputs["liquidity"], prices)
            liquid = Liquidity(known["steepness"], known["value_usd"])
        changes = conform(inputs["changes"], prices)["change"]
        market = market_with(prices, changes, liquid, self._options)
        signals = tradable([conform(inputs["signal"], prices)["signal"]], market)
        sectors = self._sectors_of(prices.assets)
        (figures,) = bar_figures(signals, market, sectors, self._options)
        return as_panel(figures, prices, self._options, known_sectors(sectors))

    @property
    def _options(self) -> EvaluationOptions:
        return EvaluationOptions(
            horizons=self.horizons,
            n_quantiles=self.n_quantiles,
            spread_horizon=self.spread_horizon,
            every_bars=self.every_bars,
            impact=self.impact,
        )

    def _sectors_of(self, assets: tuple[str, ...]) -> list[str | None]:
        known = dict(self.sectors)
        return [known.get(asset) for asset in assets]
