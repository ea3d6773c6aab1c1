"""How far a price moves for the value traded."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import refuse, require_kinds
from plumbline.features.signal import Signal
from plumbline.features.trailing import values_needed, window_problems

_MILLION = 1e6


@final
@dataclass(frozen=True)
class Amihud(Signal):
    """Mean of |return| per million traded: what is hard to trade pays for it.

    |return| / (close x volume), in millions of the currency of the close, over the bars of the
    window that have a return and a traded value above zero. High is illiquid, and is where one
    would buy: the premium is pay for the cost of getting out, so look at the spread after costs.
    NaN where fewer than ``min_obs`` bars count, or where no price moved in any of them: nothing
    was measured.

    Parameters
    ----------
    window_bars : bars of the window, this one included, at least 1. 252 is a year of sessions.
    min_obs : bars needed, 1 … window_bars; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Amihud, "Illiquidity and stock returns: cross-section and time-series effects", Journal of
    Financial Markets 5 (2002) 31-56.
    """

    window_bars: int = 252
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        refuse(self, window_problems(self.window_bars, self.min_obs))

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"close", "return", "volume"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.window_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value."""
        return values_needed(self.window_bars, self.min_obs)

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the illiquidity of every bar and asset, per million of currency. O(T·A)."""
        from plumbline.kernels.rolling import rolling_mean

        close, volume = panel["close"], panel["volume"]
        is_traded = np.isfinite(close) & np.isfinite(volume) & (close > 0) & (volume > 0)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
            millions = np.where(is_traded, close, np.nan) * np.where(is_traded, volume, np.nan)
            impact = np.abs(panel["return"]) / (millions / _MILLION)
        mean = rolling_mean(
            impact, self.window_bars, min_obs=self.least_bars, first_bar=panel.first_bar
        )
        return np.where(np.isfinite(mean) & (mean > 0), mean, np.nan)
