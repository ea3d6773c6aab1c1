"""Betas to spreads of style funds, one at a time."""

from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from jaxtyping import Float

from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.one_factor import fitted
from plumbline.risk.trailing_analytic import TrailingAnalytic

SPREADS: Final = {
    "value_growth": ("VTV", "VUG"),
    "momentum": ("MTUM", "SPY"),
    "size": ("IWM", "SPY"),
    "quality": ("QUAL", "SPY"),
    "low_volatility": ("USMV", "SPY"),
}
"""Style -> fund that is bought, fund that is sold."""


def spread_returns(days: MarketDays, style: str) -> Float[np.ndarray, " sessions"]:
    """Return the returns of a style's spread; NaN where either fund has none."""
    bought, sold = (days.returns_of(fund) for fund in SPREADS[style])
    return np.asarray(bought - sold)


@final
@dataclass(frozen=True)
class StyleSpread(TrailingAnalytic):
    """Beta of today's holdings to each of five spreads, from fits of each symbol on one spread.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.

    References
    ----------
    Fama and French, "Common risk factors in the returns on stocks and bonds", Journal of Financial
    Economics 33 (1993) 3-56, for returns of spreads as factors.
    """

    window_bars: int = 180

    units: ClassVar = {
        f"spread_{name}": "return of equity per return of the spread" for name in SPREADS
    }

    @property
    def least_obs(self) -> int:
        """Return 3: a line through two points has no error."""
        return 3

    @property
    def symbols(self) -> frozenset[str]:
        """Return the funds."""
        return frozenset(fund for pair in SPREADS.values() for fund in pair)

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the slopes of each symbol and date on each spread."""
        rules = (self.window_bars, self.needed)
        returns = days.market.returns
        fits = [fitted(days, returns, spread_returns(days, style), rules) for style in SPREADS]
        slopes = np.stack([fit["slopes"][:, :, 0] for fit in fits], axis=2)
        counts = np.min([fit["n_obs"] for fit in fits], axis=0)
        is_whole = ~np.isnan(slopes).any(axis=2)
        return {
            "slopes": np.where(is_whole[:, :, None], slopes, np.nan),
            "n_obs": np.where(is_whole, counts, 0),
        }

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        weights = portfolios.weights
        sums, coverage = weighted_sums(weights, prepared["slopes"])
        values = {name: sums[:, :, i] for i, name in enumerate(self.units)}
        return Measures(values, coverage, fewest_of_held(weights, prepared["n_obs"]))
