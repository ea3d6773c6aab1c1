"""Standard deviation of the past year's returns, its sign turned."""

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
class LowVolatility(Signal):
    """Minus the standard deviation of returns over the window: calm assets earn more per risk.

    Deviation with n - 1, not annualised. A missing return is left out. NaN where fewer than
    ``min_obs`` are there, or their deviation is zero to rounding: a price that never moves is not
    traded, and would rank first.

    Parameters
    ----------
    window_bars : bars of the window, this one included, at least 2. 252 is a year of sessions.
    min_obs : returns needed, 2 … window_bars; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Blitz and van Vliet, "The volatility effect: lower risk without lower return", Journal of
    Portfolio Management 34 (2007) 102-113. The paper uses three years of weekly returns.
    """

    window_bars: int = 252
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        refuse(self, window_problems(self.window_bars, self.min_obs, least=2))

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"return"})

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
            panel["return"], self.window_bars, self.least_bars, first_bar=panel.first_bar
        )
        return -deviation
