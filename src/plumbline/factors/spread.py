"""The return of the top group less the bottom group, held in overlapping books, after costs."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int8

from plumbline.factors.options import EvaluationOptions
from plumbline.factors.tables import Axes, table
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
    """What the spread holds at stake, bar by bar and asset by asset.

    Parameters
    ----------
    traded : (T, A) value bought (sold below 0) at the close before the bar, of the capital of one
        side; 0 on the first bar, which has no close before.
    gained : (T, A) from that close to the bar's, the same unit.
    has_book : (T,) whether a book is formed at the bar's close.
    """

    traded: Float[np.ndarray, "bars assets"]
    gained: Float[np.ndarray, "bars assets"]
    has_book: Bool[np.ndarray, " bars"]


class SpreadBars(NamedTuple):
    """The same summed over assets, from the first bar of the data on.

    Parameters
    ----------
    gross : (T,) decimal of the capital of one side, before costs.
    turnover : (T,) value traded at the close before the bar, both sides, over that capital.
    has_book : (T,) whether a book is formed at the bar's close.
    """

    gross: Float[np.ndarray, " bars"]
    turnover: Float[np.ndarray, " bars"]
    has_book: Bool[np.ndarray, " bars"]


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


def spread_trades(
    buckets: Int8[np.ndarray, "bars assets"],
    changes: Float[np.ndarray, "bars assets"],
    options: EvaluationOptions,
    first_bar: int = 0,
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
    first_bar : calendar number of row 0, which fixes the order of sums.

    Notes
    -----
    A row reads the books of ``spread_horizon + 1`` rows before it.

    References
    ----------
    Jegadeesh and Titman (1993), Journal of Finance 48, 65-91 (overlapping books).
    """
    position, has_book = _position(buckets, options, first_bar)
    gained, traded = np.zeros_like(position), np.zeros_like(position)
    held = position[:-1]
    gained[1:] = held * changes[1:]
    traded[1:] = held
    traded[2:] -= held[:-1] + gained[1:-1]
    return SpreadTrades(traded, gained, has_book)


def spread_bars(trades: SpreadTrades) -> SpreadBars:
    """Return the sums of a spread over its assets."""
    return SpreadBars(
        gross=trades.gained.sum(axis=1),
        turnover=np.abs(trades.traded).sum(axis=1),
        has_book=trades.has_book,
    )


def spread_returns(bars: SpreadBars, cost_bps: float) -> SpreadReturns:
    """Return what a spread earns from the bar after its first book, after costs.

    Parameters
    ----------
    bars : of all bars.
    cost_bps : basis points of the value traded.
    """
    first = first_return(bars.has_book)
    turnover, gross = bars.turnover[first:], bars.gross[first:]
    cost = cost_bps * 1e-4 * turnover
    return SpreadReturns(first, gross, cost, gross - cost, turnover)


def first_return(has_book: Bool[np.ndarray, " bars"]) -> int:
    """Return the row after the first book; the number of rows if no bar follows a book."""
    return int(has_book.argmax()) + 1 if has_book[:-1].any() else len(has_book)


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
    buckets: Int8[np.ndarray, "bars assets"], options: EvaluationOptions, first_bar: int
) -> tuple[Float[np.ndarray, "bars assets"], Bool[np.ndarray, " bars"]]:
    """Return the mean of the last books, and whether a bar has one."""
    top, bottom = buckets == options.n_quantiles, buckets == 1
    n_top, n_bottom = top.sum(axis=1), bottom.sum(axis=1)
    is_formed = (n_top > 0) & (n_bottom > 0)
    share = is_formed / np.maximum([n_top, n_bottom], 1)
    book = top * share[0][:, None] - bottom * share[1][:, None]
    book[~is_formed] = np.nan
    position = rolling_mean(book, options.spread_horizon, min_obs=1, first_bar=first_bar)
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
