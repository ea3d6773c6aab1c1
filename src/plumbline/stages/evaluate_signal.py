"""Stage: what a signal is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.factors.figure_panel import from_panel, read_bars
from plumbline.factors.options import EvaluationOptions


@final
@dataclass(frozen=True)
class EvaluateSignal(Stage):
    """Every table of a signal's :class:`plumbline.factors.evaluation.Evaluation`.

    The table uncomputed says by reason what is missing in them.

    Parameters
    ----------
    name : how the tables call the signal.
    options : horizons, quantiles, costs and draws.
    rolling_bars : window of the trailing mean of the rank IC.
    sectors : those of the assets of the prices, sorted.
    regimes : pairs of a regime's name and the labels of its states; their numbers are the field of
        that name in the optional input ``regimes``.
    has_liquidity : whether the figures hold the impact of the spread's trades.
    """

    name: str
    options: EvaluationOptions
    rolling_bars: int
    sectors: tuple[str, ...]
    regimes: tuple[tuple[str, tuple[str, ...]], ...]
    has_liquidity: bool
    reads: ClassVar[tuple[str, ...]] = ("figures",)
    optional: ClassVar[tuple[str, ...]] = ("null_sums", "shuffled", "regimes")

    def run(self, inputs: Mapping[str, Any]) -> Tables:
        """Evaluate all bars from what was computed of each."""
        from plumbline.factors.evaluation_tables import Measured, tables_of
        from plumbline.factors.regime import state_labels
        from plumbline.factors.signal_correlation import signal_correlation
        from plumbline.factors.tables import Axes

        panel: Panel = inputs["figures"]
        figures = from_panel(panel, self.options, self.sectors)
        measured = Measured(
            axes=Axes([self.name], self.options.horizons, panel.bars),
            figures=[figures],
            draws=self._draws(inputs, figures.ic[None]),
            is_read=read_bars(panel.first_bar, panel.n_bars, self.options.every_bars),
            sectors=self.sectors,
            has_liquidity=self.has_liquidity,
        )
        numbers = conform(inputs["regimes"], panel) if self.regimes else {}
        regimes = {name: state_labels(numbers[name][:, 0], labels) for name, labels in self.regimes}
        tables = tables_of(measured, regimes, self.options, self.rolling_bars)
        return tables | {"signal_correlation": signal_correlation({})}

    def _draws(self, inputs: Mapping[str, Any], ic: np.ndarray) -> np.ndarray:
        from plumbline.factors.asset_nulls import N_NULLS
        from plumbline.factors.null_suite import all_draws, no_draws

        if not self.options.n_draws:
            return no_draws(ic)
        shape = (*ic.shape[:2], self.options.n_draws)
        by_block = inputs["null_sums"]["null_sums"]["units"].to_numpy()
        sums = by_block.reshape(-1, N_NULLS, *shape).sum(axis=0)
        shuffled = inputs["shuffled"]["shuffled"]["mean_ic"].to_numpy().reshape(shape)
        return all_draws(sums, shuffled, ic)
