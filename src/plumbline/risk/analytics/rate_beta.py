"""Beta to long government bonds."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from plumbline.risk.analytic import MarketDays
from plumbline.risk.one_factor import OneFactor


@final
@dataclass(frozen=True)
class RateBeta(OneFactor):
    """Beta of today's holdings to a fund of long bonds: above 0 gains as yields fall.

    Weights are signed, so a short hedge in bonds lowers it.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.
    rates : symbol of the fund.

    References
    ----------
    Flannery and James, "The effect of interest rate changes on the common stock returns of
    financial institutions", Journal of Finance 39 (1984) 1141-1153.
    """

    rates: str = "TLT"

    label: ClassVar = "rate_beta"
    units: ClassVar = {
        "rate_beta": "return of equity per return of the fund",
        "rate_beta_alpha": "return of equity a day",
        "rate_beta_exposure": "currency per return of the fund of 1",
    }

    @property
    def symbols(self) -> frozenset[str]:
        """Return the fund."""
        return frozenset({self.rates})

    def factor(self, days: MarketDays) -> Float[np.ndarray, " sessions"]:
        """Return the fund's returns."""
        return days.returns_of(self.rates)
