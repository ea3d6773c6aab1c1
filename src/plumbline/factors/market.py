"""What every signal of an evaluation meets: prices, the returns that follow, and liquidity."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from plumbline.core.panel import Panel
from plumbline.factors.figure_panel import read_bars
from plumbline.factors.forward_returns import forward_returns
from plumbline.factors.liquidity import Liquidity, liquidity
from plumbline.factors.marked_changes import marked_changes
from plumbline.factors.options import EvaluationOptions
from plumbline.features.returns import positive_prices


class Market(NamedTuple):
    """What every signal of an evaluation meets.

    Parameters
    ----------
    price : (T, A) closes; NaN where missing or not positive.
    is_priced : (T, A) whether there is a close, whatever its sign.
    forwards : (H, T, A) returns after each bar.
    changes : (T, A) what a holding gains on each bar, gaps marked at the last close.
    is_read : (T,) bars that information coefficients and quantile returns read.
    liquid : how hard assets are to trade; None leaves the capacity curve out.
    first_bar : calendar number of the first bar.
    """

    price: Float[np.ndarray, "bars assets"]
    is_priced: Bool[np.ndarray, "bars assets"]
    forwards: Float[np.ndarray, "horizons bars assets"]
    changes: Float[np.ndarray, "bars assets"]
    is_read: Bool[np.ndarray, " bars"]
    liquid: Liquidity | None
    first_bar: int


def market_of(prices: Panel, options: EvaluationOptions) -> Market:
    """Return what every signal meets.

    Parameters
    ----------
    prices : ``close``, and ``volume`` where there is one.
    options : ``horizons``, ``every_bars``, ``impact_bars``.
    """
    has_curve = "volume" in prices and bool(options.capitals_usd)
    liquid = liquidity(prices, options.impact_bars) if has_curve else None
    return market_with(prices, marked_changes(prices["close"]), liquid, options)


def market_with(
    prices: Panel,
    changes: Float[np.ndarray, "bars assets"],
    liquid: Liquidity | None,
    options: EvaluationOptions,
) -> Market:
    """Return the same where what holdings gain and liquidity are known already.

    Parameters
    ----------
    prices : ``close``.
    changes : (T, A) of :func:`plumbline.factors.marked_changes.marked_changes`.
    liquid : of :func:`plumbline.factors.liquidity.liquidity`.
    options : ``horizons``, ``every_bars``.
    """
    price = positive_prices(prices["close"])
    return Market(
        price=price,
        is_priced=np.isfinite(prices["close"]),
        forwards=forward_returns(price, options.horizons),
        changes=changes,
        is_read=read_bars(prices.first_bar, prices.n_bars, options.every_bars),
        liquid=liquid,
        first_bar=prices.first_bar,
    )
