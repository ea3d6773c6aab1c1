"""The return of the top group less the bottom group, held in overlapping books, after costs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int8

from plumbline.factors.options import EvaluationOptions
from plumbline.factors.tables import Axes, table
from plumbline.features.returns import positive_prices
from plumbline.inference.hac import hac_mean
from plumbline.kernels.rolling import rolling_mean


class SpreadReturns(NamedTuple):
    """What the spread earned on each bar from the one after its first book.

    Parameters
    ----------
    row : number of the first bar; the arrays cover it and all later bars.
    gross : decimal of the capital of one side, before costs.
    cost : the same unit, at least 0.
    net : gross - cost.
    turnover : value traded at the close before the bar, both sides, over the capital of one side.
    """

    row: int
    gross: Float[np.ndarray, " bars"]
    cost: Float[np.ndarray, " bars"]
    net: Float[np.ndarray, " bars"]
    turnover: Float[np.ndarray, " bars"]


class SpreadTrades(NamedTuple):
    """What the spread holds at stake, asset by asset, from the bar after its first book.

    Parameters
    ----------
    row : number of the first bar; the arrays cover it and all later bars.
    traded : value bought (sold below 0) at the close before the bar, of the capital of one side.
    gained : from that close to the bar's, the same unit.
    """

    row: int
    traded: Float[np.ndarray, "bars assets"]
    gained: Float[np.ndarray, "bars assets"]


class SpreadSummary(NamedTuple):
    """A spread in one line; returns are decimal, sums without compounding; NaN without bars."""

    gross_annual: float
    cost_annual: float
    net_annual: float
    volatility_annual: float
    sharpe_net: float
    t_hac: float
    p_value: float
    max_drawdown: float
    mean_turnover: float
    n_bars: int


def marked_changes(close: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return what a holding of one gains on each bar, a missing close marked at the last one known.

    The move over a gap is gained on the bar on which the price is back; a price that never comes
    back gains nothing more. Row 0 and bars before an asset's first close are 0.

    Parameters
    ----------
    close : (T, A) prices; missing, infinite and non-positive ones are missing.
    """
    price = positive_prices(close)
    row = np.where(np.isfinite(price), np.arange(len(price))[:, None], 0)
    carried = np.take_along_axis(price, np.maximum.accumulate(row, axis=0), axis=0)
    changes = np.zeros_like(price)
    with np.errstate(over="ignore"):
        np.divide(carried[1:], carried[:-1], out=changes[1:])
    changes[1:] -= 1.0
    changes[~np.isfinite(changes)] = 0.0
    return changes


def spread_trades(
    buckets: Int8[np.ndarray, "bars assets"],
    changes: Float[np.ndarray, "bars assets"],
    options: EvaluationOptions,
) -> SpreadTrades:
    """Return what the spread of the highest over the lowest group trades and gains, bar by bar.

    At each close a book is formed: +1/n in each asset of the top group, -1/n in each of the bottom
    group. The position is the mean of the books formed at the last ``spread_horizon`` closes, those
    without both groups left out, so that about 1/h of it changes at a close. It earns from that
    close to the next. What is traded takes the position as prices have moved it to the next one;
    capital stays at 1 a side (gains are taken out).

    Parameters
    ----------
    buckets : (T, A) groups 1 … Q, 0 for none; an asset without a close must be in none.
    changes : (T, A) returns of each bar from :func:`marked_changes`.
    options : ``n_quantiles``, ``spread_horizon``.

    References
    ----------
    Jegadeesh and Titman (1993), Journal of Finance 48, 65-91 (overlapping books).
    """
    position, has_book = _position(buckets, options)
    if not has_book[:-1].any():
        empty = np.zeros((0, buckets.shape[1]))
        return SpreadTrades(len(buckets), empty, empty)
    first = int(has_book.argmax())
    held = position[:-1]
    gained = held * changes[1:]
    traded = held.copy()
    traded[1:] -= held[:-1] + gained[:-1]
    return SpreadTrades(first + 1, traded[first:], gained[first:])


def spread_returns(
    buckets: Int8[np.ndarray, "bars assets"],
    changes: Float[np.ndarray, "bars assets"],
    options: EvaluationOptions,
) -> SpreadReturns:
    """Return what the spread of :func:`spread_trades` earns, after ``cost_bps`` on what it trades.

    Parameters
    ----------
    buckets, changes, options : see :func:`spread_trades`.
    """
    return returns_of(spread_trades(buckets, changes, options), options.cost_bps)


def returns_of(trades: SpreadTrades, cost_bps: float) -> SpreadReturns:
    """Return the sums of a spread over its assets, and its cost in basis points of what it trades.

    Parameters
    ----------
    trades : of :func:`spread_trades`.
    cost_bps : basis points of the value traded.
    """
    turnover = np.abs(trades.traded).sum(axis=1)
    gross = trades.gained.sum(axis=1)
    cost = cost_bps * 1e-4 * turnover
    return SpreadReturns(trades.row, gross, cost, gross - cost, turnover)


def spread_summary(spread: SpreadReturns, periods_per_year: float) -> SpreadSummary:
    """Return mean, risk and significance of a spread.

    Annual figures are the mean per bar times ``periods_per_year``; volatility has ddof 1 and grows
    with its root; the Sharpe ratio is of net returns, no risk-free rate, as the spread costs no
    capital; t and p are those of the mean net return (:func:`hac_mean`); the drawdown is the
    largest fall of the running sum of net returns from its highest point, at most 0.
    """
    n_bars = len(spread.net)
    if not n_bars:
        return SpreadSummary(*(math.nan,) * 9, n_bars=0)
    per_year = periods_per_year
    with np.errstate(over="ignore"):  # of returns beyond 1e154; it is infinite then
        deviation = float(spread.net.std(ddof=1)) if n_bars > 1 else math.nan
    volatility = deviation * math.sqrt(per_year)
    net_annual = float(spread.net.mean()) * per_year
    test = hac_mean(spread.net)
    path = np.concatenate([[0.0], np.cumsum(spread.net)])
    return SpreadSummary(
        gross_annual=float(spread.gross.mean()) * per_year,
        cost_annual=float(spread.cost.mean()) * per_year,
        net_annual=net_annual,
        volatility_annual=volatility,
        # returns that are all alike have a volatility of rounding, and no t
        sharpe_net=net_annual / volatility if not math.isnan(test.t) else math.nan,
        t_hac=float(test.t),
        p_value=float(test.p_value),
        max_drawdown=float((path - np.maximum.accumulate(path)).min()),
        mean_turnover=float(spread.turnover.mean()),
        n_bars=n_bars,
    )


def _position(
    buckets: Int8[np.ndarray, "bars assets"], options: EvaluationOptions
) -> tuple[Float[np.ndarray, "bars assets"], Bool[np.ndarray, " bars"]]:
    """Return the mean of the last books, and whether a bar has one."""
    top, bottom = buckets == options.n_quantiles, buckets == 1
    n_top, n_bottom = top.sum(axis=1), bottom.sum(axis=1)
    is_formed = (n_top > 0) & (n_bottom > 0)
    share = is_formed / np.maximum([n_top, n_bottom], 1)
    book = top * share[0][:, None] - bottom * share[1][:, None]
    book[~is_formed] = np.nan
    position = rolling_mean(book, options.spread_horizon, min_obs=1)
    return np.nan_to_num(position, nan=0.0), is_formed


def spread_table(axes: Axes, spreads: Sequence[SpreadReturns]) -> pl.DataFrame:
    """Return bar_close, signal, gross_return, cost, net_return, turnover."""
    lengths = [len(s.net) for s in spreads]
    return table(
        {
            "bar_close": np.concatenate([axes.bars[s.row : s.row + len(s.net)] for s in spreads]),
            "signal": np.repeat(np.array(axes.signals, dtype=object), lengths),
            "gross_return": np.concatenate([s.gross for s in spreads]),
            "cost": np.concatenate([s.cost for s in spreads]),
            "net_return": np.concatenate([s.net for s in spreads]),
            "turnover": np.concatenate([s.turnover for s in spreads]),
        }
    )


def spread_summary_table(axes: Axes, summaries: Sequence[SpreadSummary]) -> pl.DataFrame:
    """Return a line per signal, with the fields of :class:`SpreadSummary`."""
    figures = {
        name: np.array([getattr(summary, name) for summary in summaries])
        for name in SpreadSummary._fields
    }
    return table({"signal": np.array(axes.signals, dtype=object)} | figures)
