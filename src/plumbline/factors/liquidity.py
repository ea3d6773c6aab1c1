"""How hard assets are to trade."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.features.returns import positive_prices, simple_returns
from plumbline.kernels.rolling import rolling_mean, rolling_std


class Liquidity(NamedTuple):
    """How hard each asset is to trade at each close.

    Parameters
    ----------
    steepness : (T, A) σ/√V: volatility per bar over the root of the value traded per bar, USD. NaN
        where one of them is unknown or no value is traded.
    value_usd : (T, A) V; NaN where ``steepness`` is.
    """

    steepness: Float[np.ndarray, "bars assets"]
    value_usd: Float[np.ndarray, "bars assets"]


def liquidity(prices: Panel, window: int) -> Liquidity:
    """Return trailing volatility and traded value of each asset, known at the close of each bar.

    Parameters
    ----------
    prices : ``close``, USD, and ``volume``, units traded per bar.
    window : bars of both, the bar itself included; 60 % of them must be there.
    """
    price = positive_prices(prices["close"])
    first = prices.first_bar
    volume = prices["volume"]
    traded = np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan) * price
    value = rolling_mean(traded, window, first_bar=first)
    deviation = rolling_std(simple_returns(price), window, first_bar=first)
    with np.errstate(invalid="ignore", divide="ignore"):
        steepness = np.where(value > 0, deviation / np.sqrt(value), np.nan)
    return Liquidity(steepness, np.where(np.isfinite(steepness), value, np.nan))
