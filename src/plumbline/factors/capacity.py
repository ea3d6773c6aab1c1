"""What a spread earns as its capital grows, when trades move prices against it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.spread import SpreadSummary, SpreadTrades
from plumbline.factors.tables import empty_table, table
from plumbline.features.returns import positive_prices, simple_returns
from plumbline.kernels.rolling import rolling_mean, rolling_std

_COLUMNS = (
    *("signal", "capital_usd", "gross_annual", "cost_annual", "impact_annual", "net_annual"),
    "participation",
)


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


class Impact(NamedTuple):
    """What trading costs a spread beside fees, as a function of its capital.

    Parameters
    ----------
    per_bar : decimal of the capital of one side per bar, for a capital of 1 USD; it grows with the
        root of the capital.
    participation : mean share of an asset's traded value that a trade takes, for 1 USD; it grows
        with the capital.
    """

    per_bar: float
    participation: float


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


def square_root_impact(trades: SpreadTrades, liquid: Liquidity, coefficient: float) -> Impact:
    """Return the impact of a spread's trades by the square-root law.

    A trade of Q USD moves its price by coefficient x σ x √(Q/V), paid on Q; σ and V belong to one
    bar, and the law is the same for every length of bar. What is traded in assets whose σ or V is
    unknown costs what the rest costs on average.

    Parameters
    ----------
    trades : of a spread whose side is worth 1.
    liquid : of all bars of the panel.
    coefficient : y, near 1.

    Returns
    -------
    NaN without a trade whose impact is known.

    References
    ----------
    Torre, "BARRA market impact model handbook" (1997). Almgren, Thum, Hauptmann and Li, "Direct
    estimation of equity market impact", Risk 18 (2005) 57-62. Bouchaud, "Price impact",
    Encyclopedia of Quantitative Finance (2010).
    """
    n_bars = len(trades.traded)
    rows = slice(trades.row - 1, trades.row - 1 + n_bars)  # traded at the close before the bar
    size = np.abs(trades.traded)
    steepness, value = liquid.steepness[rows], liquid.value_usd[rows]
    is_known = np.isfinite(steepness) & (size > 0)
    known = size[is_known]
    if not len(known):
        return Impact(np.nan, np.nan)
    paid = coefficient * (known * np.sqrt(known) * steepness[is_known]).sum()
    return Impact(
        per_bar=float(paid / known.sum() * size.sum() / n_bars),
        participation=float((known / value[is_known]).mean()),
    )


def capacity_table(
    signals: Sequence[str],
    impacts: Sequence[Impact],
    summaries: Sequence[SpreadSummary],
    options: EvaluationOptions,
) -> pl.DataFrame:
    """Return a row for each signal and capital.

    Returns
    -------
    signal, capital_usd, gross_annual, cost_annual, impact_annual, net_annual, participation.
    """
    capital = np.array(options.capitals_usd, dtype=np.float64)
    n = len(capital)
    if not n or not impacts:
        return empty_table(_COLUMNS)
    per_bar = np.repeat([impact.per_bar for impact in impacts], n)
    capitals = np.tile(capital, len(signals))
    gross = np.repeat([s.gross_annual for s in summaries], n)
    cost = np.repeat([s.cost_annual for s in summaries], n)
    impact = per_bar * np.sqrt(capitals) * options.periods_per_year
    return table(
        {
            "signal": np.repeat(np.array(signals, dtype=object), n),
            "capital_usd": capitals,
            "gross_annual": gross,
            "cost_annual": cost,
            "impact_annual": impact,
            "net_annual": gross - cost - impact,
            "participation": np.repeat([i.participation for i in impacts], n) * capitals,
        }
    )
