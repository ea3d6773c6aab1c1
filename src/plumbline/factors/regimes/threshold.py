"""States of a market by where its volatility or trend lies among its own past."""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float

from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.regime import Regime

_LABELS = {
    "volatility": ("calm", "normal", "turbulent"),
    "trend": ("falling", "flat", "rising"),
}


@final
@dataclass(frozen=True)
class Threshold(Regime):
    """Three states, cut at quantiles of what the market's volatility or trend has been lately.

    The measure of a bar is the standard deviation (``volatility``: calm, normal, turbulent) or the
    mean (``trend``: falling, flat, rising) of the last ``window_bars`` returns. It is compared with
    two quantiles of the measures of the last ``lookback_bars``, its own included: above the lower
    one is the middle state, above the upper one the last. Probabilities are 0 or 1. Windows need
    60 % of their values; no state where the measure or the quantiles are missing.

    Parameters
    ----------
    measure : ``volatility`` or ``trend``.
    window_bars : returns of a measure, at least 2. 21 is a month of sessions.
    lookback_bars : measures of the quantiles, at least 2. 504 is two years of sessions.
    lower, upper : the quantiles, 0 < lower < upper < 1.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Tong and Lim, "Threshold autoregression, limit cycles and cyclical data", Journal of the Royal
    Statistical Society B 42 (1980) 245-292 (states by a threshold on an observed variable).
    """

    measure: Literal["volatility", "trend"] = "volatility"
    window_bars: int = 21
    lookback_bars: int = 504
    lower: float = 0.5
    upper: float = 0.9

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (self.measure in _LABELS, f"measure must be one of {', '.join(_LABELS)}"),
            (self.window_bars >= 2, "window_bars must be at least 2"),
            (self.lookback_bars >= 2, "lookback_bars must be at least 2"),
            (0 < self.lower < self.upper < 1, "need 0 < lower < upper < 1"),
        )
        refuse(self, broken(rules))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the states, lowest measure first."""
        return _LABELS[self.measure]

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.window_bars - 1 + self.lookback_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first state."""
        return math.ceil(0.6 * self.window_bars) + math.ceil(0.6 * self.lookback_bars) - 1

    def probabilities(
        self, returns: Float[np.ndarray, " bars"], *, first_bar: int = 0
    ) -> Float[np.ndarray, "bars states"]:
        """Return 1 for the state of each bar and 0 for the others. O(T·log W)."""
        from plumbline.kernels.rolling import rolling_mean, rolling_std
        from plumbline.kernels.rolling_order import rolling_quantile

        figure = rolling_std if self.measure == "volatility" else rolling_mean
        measured = figure(returns, self.window_bars, first_bar=first_bar)
        cuts = rolling_quantile(
            measured, np.array([self.lower, self.upper]), self.lookback_bars, first_bar=first_bar
        )
        place = (measured > cuts).sum(axis=0)
        chosen: Float[np.ndarray, "bars states"] = np.eye(3)[place]
        chosen[~(np.isfinite(measured) & np.isfinite(cuts).all(axis=0))] = np.nan
        return chosen
