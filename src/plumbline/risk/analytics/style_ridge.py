"""Exposures to style funds together."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.standardised_ridge import standardised_ridge
from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared

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
class StyleRidge(Analytic):
    """Slopes of a ridge regression of symbols' returns on six style funds at once.

    Funds are standardised within the window over each symbol's own rows, with the population
    deviation; slopes are given back in raw units. The funds hold the market too, so these are no
    exposures beside a market beta: never add the two.

    Parameters
    ----------
    window : returns of a fit.
    min_share : share of them that a fit needs.
    penalty : of squared standardised slopes, as ``alpha`` of scikit-learn's ``Ridge``.

    References
    ----------
    Hoerl and Kennard, "Ridge regression", Technometrics 12 (1970) 55-67. Sharpe, "Asset
    allocation: management style and performance measurement", Journal of Portfolio Management 18
    (1992) 7-19.
    """

    window: int = 90
    min_share: float = 0.6
    penalty: float = 1.0

    units: ClassVar = {
        f"style_{name}": "return of equity per return of the fund" for name in _FUNDS
    }

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = []
        if self.window < 8:
            problems.append(f"window={self.window} must be at least 8")
        if not 0 < self.min_share <= 1:
            problems.append(f"min_share={self.min_share} must be above 0 and at most 1")
        if not self.penalty > 0:
            problems.append(f"penalty={self.penalty} must be above 0")
        refuse(self, problems)

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns."""
        return self.window + 1

    @property
    def symbols(self) -> frozenset[str]:
        """Return the funds."""
        return frozenset(_FUNDS.values())

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the slopes of each symbol and date."""
        first = max(0, int(days.days.min()) - self.window + 1)
        rows = slice(first, int(days.days.max()) + 1)
        funds = np.stack([days.returns_of(fund)[rows] for fund in _FUNDS.values()], axis=1)
        fit = standardised_ridge(
            days.market.returns[:, rows].T,
            funds,
            days.days - first,
            self.window,
            min_obs=max(2, int(np.ceil(self.min_share * self.window))),
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
