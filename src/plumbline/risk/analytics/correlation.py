"""How alike holdings move: correlations of pairs, diversification, effective bets."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, final

import numpy as np
import polars as pl

from plumbline.kernels.pair_correlation import pair_correlation
from plumbline.kernels.portfolio_correlation import (
    Alikeness,
    Date,
    held_matrix,
    portfolio_correlation,
)
from plumbline.risk.analytic import MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.correlation_table import CORRELATIONS
from plumbline.risk.nearest_correlation import nearest_correlation
from plumbline.risk.trailing_analytic import TrailingAnalytic

_THREADS: Final = 4  # dates at a time; kernels give up the interpreter's lock


@final
@dataclass(frozen=True)
class Correlation(TrailingAnalytic):
    """Correlations of the symbols that are held, and what portfolios make of them.

    Pairs are over the rows that both symbols have. They are stored once a date for all symbols
    that any portfolio holds; a portfolio's figures use those of its own. Where gaps make a
    portfolio's matrix one that no returns have, the nearest matrix of correlations takes its place
    for diversification and bets.

    Parameters
    ----------
    window_bars, min_obs : of a correlation, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.

    References
    ----------
    Higham, "Computing the nearest correlation matrix", IMA Journal of Numerical Analysis 22 (2002)
    329-343. Choueifaty and Coignard, "Toward maximum diversification" (2008). Meucci, "Managing
    diversification" (2009).
    """

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
        """Return for each date the symbols that are held, their deviations and their pairs."""
        with ThreadPoolExecutor(_THREADS) as threads:
            return {"dates": list(threads.map(partial(self._of_date, days), range(days.days.size)))}

    def _of_date(self, days: MarketDays, at: int) -> dict[str, Any]:
        day = int(days.days[at])
        rows = np.flatnonzero(days.held[:, at])
        own = slice(max(0, day - self.window_bars + 1), day + 1)
        returns = np.ascontiguousarray(days.market.returns[rows, own].T)
        pairs, counts = pair_correlation(returns, self.needed)
        is_known = np.isfinite(returns).sum(axis=0) >= self.needed
        deviation = np.full(rows.size, np.nan)
        deviation[is_known] = np.nanstd(returns[:, is_known], axis=0, ddof=1)
        return {"rows": rows, "date": Date(pairs, deviation), "counts": counts}

    def shared_tables(self, prepared: Prepared, days: MarketDays) -> Mapping[str, pl.DataFrame]:
        """Return the symbols, pairs and observations of each date."""
        symbols = np.array(days.market.symbols, dtype=object)
        known = prepared["dates"]
        lists = {
            "symbols": [pl.Series(symbols[own["rows"]], dtype=pl.String) for own in known],
            "pairs": [
                pl.Series(own["date"].pairs.astype(np.float32)).fill_nan(None) for own in known
            ],
            "n_obs": [pl.Series(own["counts"]) for own in known],
        }
        dates = pl.Series("date", days.market.dates[days.days].astype("datetime64[D]"))
        columns = [
            pl.concat([own.implode() for own in parts]).alias(name) for name, parts in lists.items()
        ]
        return {"correlations": pl.DataFrame([dates, *columns], schema=CORRELATIONS)}

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        weights = portfolios.weights
        shape = weights.gross.shape
        values = {name: np.full(shape, np.nan) for name in self.units}
        covered, counts = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        for at, known in enumerate(prepared["dates"]):
            rows, date = known["rows"], known["date"]
            place = np.searchsorted(rows, weights.symbol)
            is_in = (place < rows.size) & (np.append(rows, -1)[place] == weights.symbol)
            place = np.where(is_in, place, -1)
            weight = np.ascontiguousarray(weights.weight[:, at])
            found = portfolio_correlation(weights.start, place, weight, date)
            _mend(found, weights.start, place, weight, date)
            figures = (found.mean, found.weighted_mean, found.diversification, found.effective_bets)
            for name, column in zip(self.units, figures, strict=True):
                values[name][:, at] = column
            covered[:, at], counts[:, at] = found.covered, found.n_symbols
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is held
            return Measures(values, covered / weights.gross, counts)


def _mend(
    found: Alikeness, start: np.ndarray, place: np.ndarray, weight: np.ndarray, date: Date
) -> None:
    """Measure portfolios whose matrix no returns have on the nearest that some have."""
    for p in np.flatnonzero(found.is_indefinite):
        own = slice(start[p], start[p + 1])
        kept, matrix = held_matrix(place[own], weight[own], date)
        near = nearest_correlation(matrix)
        risk = weight[own][kept] * date.deviation[place[own][kept]]
        variance = float(risk @ near @ risk)
        values, basis = np.linalg.eigh(near)
        shares = np.maximum(values, 0.0) * (basis.T @ risk) ** 2
        if variance > 0 and shares.sum() > 0:
            shares = shares[shares > 0] / shares.sum()
            found.diversification[p] = np.abs(risk).sum() / np.sqrt(variance)
            found.effective_bets[p] = np.exp(-(shares * np.log(shares)).sum())
