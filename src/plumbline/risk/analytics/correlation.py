"""How alike holdings move: correlations of pairs, diversification, effective bets."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
import polars as pl

from plumbline.kernels.alikeness_lanes import NEGATIVE, ROUNDING
from plumbline.kernels.pair_correlation import pair_correlation
from plumbline.kernels.portfolio_correlation import held_matrix, portfolio_correlation
from plumbline.kernels.window_levels import levels_of, levels_on
from plumbline.kernels.window_pairs import Windows
from plumbline.risk.analytic import MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.correlation_table import correlation_table
from plumbline.risk.nearest_correlation import nearest_correlation
from plumbline.risk.trailing_analytic import TrailingAnalytic

_THREADS: Final = 4  # symbols at a time; kernels give up the interpreter's lock


@final
@dataclass(frozen=True)
class Correlation(TrailingAnalytic):
    """Correlations of the symbols that are held, and what portfolios make of them.

    Pairs are over the rows that both symbols have. They are stored once a date for all symbols
    that any portfolio holds; a portfolio's figures use those of its own. Where gaps make a
    portfolio's matrix one that no returns have, the nearest matrix of correlations takes its place
    for diversification and bets. A portfolio that is hedged to nothing has neither.

    Parameters
    ----------
    window_bars, min_obs : of a correlation, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.

    References
    ----------
    Qi and Sun, "A quadratically convergent Newton method for computing the nearest correlation
    matrix", SIAM Journal on Matrix Analysis and Applications 28 (2006) 360-385. Choueifaty and
    Coignard, "Toward maximum diversification" (2008). Meucci, "Managing diversification" (2009).
    """

    shares: ClassVar = ("correlations",)
    units: ClassVar = {
        "correlation_mean": "plain mean of pairs",
        "correlation_weighted": "mean of pairs, weighted by the sizes of both weights",
        "diversification_ratio": "sum of volatilities over the volatility of the whole",
        "effective_bets": "number",
    }

    @property
    def least_obs(self) -> int:
        """Return 3: two returns are always in a line."""
        return 3

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the windows of the dates, and what symbols have by themselves in each."""
        returns = np.ascontiguousarray(days.market.returns)
        first_bar = days.market.first_bar
        windows = Windows(returns, days.days, self.window_bars, first_bar, max(self.needed, 2))
        return {"windows": windows, "levels": levels_of(windows)}

    def shared_tables(
        self, prepared: Prepared, days: MarketDays, dates: slice
    ) -> Mapping[str, pl.DataFrame]:
        """Return the symbols, pairs and observations of each date."""
        windows, levels = prepared["windows"], prepared["levels"]
        own, some = days.part(dates), windows._replace(ends=windows.ends[dates])
        with ThreadPoolExecutor(_THREADS) as threads:
            pairs = pair_correlation(some, levels_on(levels, dates), own.held, threads.map)
        return {"correlations": correlation_table(pairs, own)}

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        weights, windows, levels = portfolios.weights, prepared["windows"], prepared["levels"]
        found = portfolio_correlation(weights, windows, levels)
        for p, d in np.argwhere(found.is_indefinite).tolist():
            lines, matrix = held_matrix(weights, windows, levels, p, d)
            risk = weights.weight[lines, d] * levels.deviation[weights.symbol[lines], d]
            found.diversification[p, d], found.effective_bets[p, d] = _by_eigenvectors(matrix, risk)
        figures = (found.mean, found.weighted_mean, found.diversification, found.effective_bets)
        values = dict(zip(self.units, figures, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is held
            return Measures(values, found.covered / weights.gross, found.n_symbols)


def _by_eigenvectors(matrix: np.ndarray, risk: np.ndarray) -> tuple[float, float]:
    """Return diversification and bets; in place of a matrix that no returns have, of the nearest.

    A portfolio that is hedged, whose variance is nothing but rounding, has neither.
    """
    n_symbols = risk.size
    values, basis = np.linalg.eigh(matrix)
    if values[0] < NEGATIVE * n_symbols:
        matrix = nearest_correlation(matrix)
        values, basis = np.linalg.eigh(matrix)
    variance, alone = float(risk @ matrix @ risk), float(np.abs(risk).sum())
    shares = np.maximum(values, 0.0) * (basis.T @ risk) ** 2
    if not (variance > ROUNDING * n_symbols * alone**2 and shares.sum() > 0):
        return np.nan, np.nan
    shares = shares[shares > 0] / shares.sum()
    return alone / np.sqrt(variance), float(np.exp(-(shares * np.log(shares)).sum()))
