"""Standard deviation of the past month's residual returns, its sign turned."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import refuse, require_kinds
from plumbline.features.signal import Signal
from plumbline.features.trailing import trailing_deviation, values_needed, window_problems


@final
@dataclass(frozen=True)
class IdiosyncraticVolatility(Signal):
    """Minus the standard deviation of residual returns: high risk of its own is paid badly.

    Deviation with n - 1 of the causal residuals of the study's factor model, not annualised. A
    missing residual is left out. NaN where fewer than ``min_obs`` are there or their deviation is
    zero to rounding.

    Parameters
    ----------
    window_bars : bars of the window, this one included, at least 2. 21 is a month of sessions.
    min_obs : residuals needed, 2 … window_bars; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Ang, Hodrick, Xing and Zhang, "The cross-section of volatility and expected returns", Journal
    of Finance 61 (2006) 259-299. The paper fits its model to the month whose residuals it takes;
    here the coefficients for a bar end before the bar.
    """

    window_bars: int = 21
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        refuse(self, window_problems(self.window_bars, self.min_obs, least=2))

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"residual_return"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.window_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value."""
        return values_needed(self.window_bars, self.min_obs, least=2)

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return minus the deviation of every bar and asset, decimal per bar. O(T·A)."""
        _, deviation = trailing_deviation(
            panel["residual_return"], self.window_bars, self.least_bars, first_bar=panel.first_bar
        )
        return -deviation
