"""What an evaluation computes of one signal at a time: groups, turnover, spread and its trades."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float32

from plumbline.core.panel import Panel
from plumbline.factors.capacity import (
    Impact,
    Liquidity,
    capacity_table,
    liquidity,
    square_root_impact,
)
from plumbline.factors.forward_returns import forward_returns
from plumbline.factors.history import spread_history
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantiles import (
    QuantileReturns,
    quantile_buckets,
    quantile_returns,
    quantile_table,
)
from plumbline.factors.spread import (
    SpreadReturns,
    SpreadSummary,
    marked_changes,
    returns_of,
    spread_summary,
    spread_summary_table,
    spread_table,
    spread_trades,
)
from plumbline.factors.tables import Axes
from plumbline.factors.turnover import (
    Autocorrelation,
    Turnover,
    autocorrelation_table,
    quantile_turnover,
    rank_autocorrelation,
    turnover_table,
)
from plumbline.factors.uncomputed import without_book
from plumbline.features.returns import positive_prices


class Market(NamedTuple):
    """What every signal of an evaluation meets.

    Parameters
    ----------
    price : (T, A) closes; NaN where missing or not positive.
    forwards : (H, T, A) returns after each bar.
    changes : (T, A) what a holding gains on each bar, gaps marked at the last close.
    is_read : (T,) bars that information coefficients and quantile returns read.
    liquid : how hard assets are to trade; None without volume.
    """

    price: Float[np.ndarray, "bars assets"]
    forwards: Float[np.ndarray, "horizons bars assets"]
    changes: Float[np.ndarray, "bars assets"]
    is_read: Bool[np.ndarray, " bars"]
    liquid: Liquidity | None


class SignalFigures(NamedTuple):
    """Figures of one signal; ``without_book`` counts bars without a spread by reason."""

    quantiles: QuantileReturns
    turnover: Turnover
    autocorrelation: Autocorrelation
    spread: SpreadReturns
    summary: SpreadSummary
    impact: Impact | None
    without_book: dict[str, int]


def market_of(prices: Panel, options: EvaluationOptions) -> Market:
    """Return what every signal meets.

    Parameters
    ----------
    prices : ``close``, and ``volume`` where there is one.
    options : ``horizons``, ``every_bars``, ``impact_bars``.
    """
    price = positive_prices(prices["close"])
    has_curve = "volume" in prices and bool(options.capitals_usd)
    return Market(
        price=price,
        forwards=forward_returns(price, options.horizons),
        changes=marked_changes(price),
        is_read=(prices.first_bar + np.arange(prices.n_bars)) % options.every_bars == 0,
        liquid=liquidity(prices, options.impact_bars) if has_curve else None,
    )


def signal_figures(
    value: Float[np.ndarray, "bars assets"],
    ranks: Float32[np.ndarray, "bars assets"],
    market: Market,
    options: EvaluationOptions,
) -> SignalFigures:
    """Return what one signal gives.

    Parameters
    ----------
    value : (T, A) the signal; NaN where it is missing or cannot be traded.
    ranks : (T, A) its ranks on every bar.
    """
    n_quantiles = options.n_quantiles
    buckets = quantile_buckets(value, n_quantiles)
    trades = spread_trades(buckets, market.changes, options)
    spread = returns_of(trades, options.cost_bps)
    impact = (
        None if market.liquid is None else square_root_impact(trades, market.liquid, options.impact)
    )
    read = np.where(market.is_read[:, None], buckets, 0).astype(np.int8)
    return SignalFigures(
        quantiles=quantile_returns(read, market.forwards, n_quantiles),
        turnover=quantile_turnover(buckets, options.horizons, n_quantiles),
        autocorrelation=rank_autocorrelation(ranks, options.horizons),
        spread=spread,
        summary=spread_summary(spread, options.periods_per_year),
        impact=impact,
        without_book=without_book(value, buckets, n_quantiles),
    )


def figure_tables(
    axes: Axes, figures: Sequence[SignalFigures], options: EvaluationOptions
) -> dict[str, pl.DataFrame]:
    """Return the tables of what was computed one signal at a time, by name."""
    summaries = [found.summary for found in figures]
    impacts = [found.impact for found in figures if found.impact is not None]
    return {
        "quantiles": quantile_table(axes, [found.quantiles for found in figures]),
        "turnover": turnover_table(axes, [found.turnover for found in figures]),
        "rank_autocorrelation": autocorrelation_table(
            axes, [found.autocorrelation for found in figures]
        ),
        "spread": spread_history(spread_table(axes, [found.spread for found in figures])),
        "spread_summary": spread_summary_table(axes, summaries),
        "capacity": capacity_table(axes.signals, impacts, summaries, options),
    }
