"""Beta to the market."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from plumbline.risk.analytic import MarketDays
from plumbline.risk.one_factor import OneFactor


@final
@dataclass(frozen=True)
class MarketBeta(OneFactor):
    """Beta of today's holdings to a benchmark, from a fit of each symbol.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.
    benchmark : symbol whose returns are the market's.

    References
    ----------
    Sharpe, "Capital asset prices", Journal of Finance 19 (1964) 425-442.
    """

    benchmark: str = "SPY"

    label: ClassVar = "market_beta"
    units: ClassVar = {
        "market_beta": "return of equity per return of the benchmark",
        "market_beta_alpha": "return of equity a day",
        "market_beta_exposure": "currency per return of the benchmark of 1",
    }

    @property
    def symbols(self) -> frozenset[str]:
        """Return the benchmark."""
        return frozenset({self.benchmark})

    def factor(self, days: MarketDays) -> Float[np.ndarray, " sessions"]:
        """Return the benchmark's returns."""
        return days.returns_of(self.benchmark)
