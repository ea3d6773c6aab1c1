"""What an evaluation reads of one signal on each bar; all its tables are made from these figures.

A figure of a bar depends on the bars around it: at most the longest horizon after it, and the
longest horizon or the life of the spread's books before it. So blocks of bars can be evaluated
apart, and joined.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from plumbline.factors.capacity import ImpactBars, impact_bars
from plumbline.factors.conditional import pair_counts, sector_bars
from plumbline.factors.figure_panel import BarFigures
from plumbline.factors.market import Market
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantile_history import relative_returns
from plumbline.factors.quantiles import group_returns, quantile_buckets
from plumbline.factors.spread import spread_bars, spread_trades
from plumbline.factors.turnover import group_members, rank_autocorrelations
from plumbline.kernels.order_statistics import centred_ranks, pearson_ic, rank_ic


class Tradable(NamedTuple):
    """Signals where they can be traded, and their ranks.

    Parameters
    ----------
    values : (S, T, A); NaN where missing or without a positive close.
    ranks : (S, T, A) less their mean.
    """

    values: Float[np.ndarray, "signals bars assets"]
    ranks: Float32[np.ndarray, "signals bars assets"]


def tradable(signals: Sequence[Float[np.ndarray, "bars assets"]], market: Market) -> Tradable:
    """Return signals where they can be traded, whatever is not finite as missing."""
    values = np.stack([np.asarray(value, dtype=np.float64) for value in signals])
    values[~(np.isfinite(values) & np.isfinite(market.price))] = np.nan
    return Tradable(values, centred_ranks(values))


def bar_figures(
    signals: Tradable,
    market: Market,
    sectors: Sequence[str | None],
    options: EvaluationOptions,
) -> list[BarFigures]:
    """Return the figures of each signal; none depends on the others.

    Parameters
    ----------
    signals : of :func:`tradable`, on all bars.
    market : on the same bars.
    sectors : sector of each asset; None for one that has none.
    options : horizons, quantiles, spread.

    Notes
    -----
    O(S·T·A log A + S·H·T·A).
    """
    reads_all = bool(market.is_read.all())
    read = (
        signals.values if reads_all else np.where(market.is_read[:, None], signals.values, np.nan)
    )
    ic, linear = rank_ic(read, market.forwards), pearson_ic(read, market.forwards)
    n_pairs = pair_counts(read, market.forwards)
    within = sector_bars(read, market.forwards, sectors)
    n_priced = market.is_priced.sum(axis=1).astype(np.float64)
    figures = []
    for s, value in enumerate(signals.values):
        buckets = quantile_buckets(value, options.n_quantiles)
        formed = buckets if reads_all else buckets * market.is_read[:, None]
        grouped = group_returns(formed, market.forwards, options.n_quantiles)
        members = group_members(buckets, options.horizons, options.n_quantiles)
        trades = spread_trades(buckets, market.changes, options, market.first_bar)
        spread = spread_bars(trades)
        impact = ImpactBars(*np.zeros((4, len(value))))
        if market.liquid is not None:
            impact = impact_bars(trades, market.liquid, options.impact)
        found = BarFigures(
            n_priced=n_priced,
            n_values=np.isfinite(value).sum(axis=1).astype(np.float64),
            ic=ic[s],
            linear=linear[s],
            n_pairs=n_pairs[s],
            autocorrelation=rank_autocorrelations(signals.ranks[s], options.horizons),
            sector_ic=within.ic[:, s],
            sector_pairs=within.n_pairs[:, s],
            group_sums=grouped.sums,
            group_counts=grouped.counts,
            n_members=members.n_members,
            stayed=members.stayed,
            relative=relative_returns(buckets, market.changes, options.n_quantiles),
            gross=spread.gross,
            turnover=spread.turnover,
            has_book=spread.has_book.astype(np.float64),
            **impact._asdict(),
        )
        figures.append(found)
    return figures
