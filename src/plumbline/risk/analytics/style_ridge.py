"""Exposures to style funds together."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.kernels.standardised_ridge import standardised_ridge
from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.trailing_analytic import TrailingAnalytic

_FUNDS = {
    "value": "VTV",
    "growth": "VUG",
    "momentum": "MTUM",
    "quality": "QUAL",
    "size": "IWM",
    "low_volatility": "USMV",
}


@final
@dataclass(frozen=True)
class StyleRidge(TrailingAnalytic):
    """Slopes of a ridge regression of symbols' returns on six style funds at once.

    Funds are standardised within the window over each symbol's own rows, with the population
    deviation; slopes are given back in raw units. The funds hold the market too, so these are no
    exposures beside a market beta: never add the two.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.
    penalty : of squared standardised slopes, as ``alpha`` of scikit-learn's ``Ridge``.

    References
    ----------
    Hoerl and Kennard, "Ridge regression", Technometrics 12 (1970) 55-67. Sharpe, "Asset
    allocation: management style and performance measurement", Journal of Portfolio Management 18
    (1992) 7-19.
    """

    penalty: float = 1.0

    units: ClassVar = {
        f"style_{name}": "return of equity per return of the fund" for name in _FUNDS
    }

    @property
    def least_obs(self) -> int:
        """Return 8: two more than there are funds."""
        return 8

    def problems(self) -> list[str]:
        """Return what is wrong with the penalty."""
        return [] if self.penalty > 0 else [f"penalty={self.penalty} must be above 0"]

    @property
    def symbols(self) -> frozenset[str]:
        """Return the funds."""
        return frozenset(_FUNDS.values())

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the slopes of each symbol and date."""
        rows = days.rows_of(self.window_bars)
        funds = np.stack([days.returns_of(fund)[rows] for fund in _FUNDS.values()], axis=1)
        fit = standardised_ridge(
            days.market.returns[:, rows].T,
            funds,
            days.days - rows.start,
            self.window_bars,
            min_obs=self.needed,
            penalty=np.full(len(_FUNDS), self.penalty),
        )
        counts = np.where(np.isnan(fit.alpha), 0, fit.n_obs)
        return {
            "slopes": np.ascontiguousarray(fit.beta.swapaxes(0, 1)),
            "n_obs": np.ascontiguousarray(counts.T),
        }

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        weights = portfolios.weights
        sums, coverage = weighted_sums(weights, prepared["slopes"])
        values = {name: sums[:, :, i] for i, name in enumerate(self.units)}
        return Measures(values, coverage, fewest_of_held(weights, prepared["n_obs"]))
