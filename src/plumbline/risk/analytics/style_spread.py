"""Betas to spreads of style funds, one at a time."""

from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from jaxtyping import Float

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.one_factor import fitted

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
class StyleSpread(Analytic):
    """Beta of today's holdings to each of five spreads, from fits of each symbol on one spread.

    Parameters
    ----------
    window : returns of a fit.
    min_share : share of them that a fit needs.

    References
    ----------
    Fama and French, "Common risk factors in the returns on stocks and bonds", Journal of Financial
    Economics 33 (1993) 3-56, for returns of spreads as factors.
    """

    window: int = 180
    min_share: float = 0.6

    units: ClassVar = {
        f"spread_{name}": "return of equity per return of the spread" for name in SPREADS
    }

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = []
        if self.window < 3:
            problems.append(f"window={self.window} must be at least 3")
        if not 0 < self.min_share <= 1:
            problems.append(f"min_share={self.min_share} must be above 0 and at most 1")
        refuse(self, problems)

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns."""
        return self.window + 1

    @property
    def symbols(self) -> frozenset[str]:
        """Return the funds."""
        return frozenset(fund for pair in SPREADS.values() for fund in pair)

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the slopes of each symbol and date on each spread."""
        min_obs = max(3, int(np.ceil(self.min_share * self.window)))
        fits = [fitted(days, spread_returns(days, s), self.window, min_obs) for s in SPREADS]
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
