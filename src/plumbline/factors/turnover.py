"""How fast a signal changes: who is new in a group, and how far ranks keep their order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from plumbline.factors.tables import Axes, table
from plumbline.kernels.group_sums import as_groups, fill_members
from plumbline.kernels.order_statistics import pearson_ic


class Turnover(NamedTuple):
    """Mean turnover of each group, and over how many bars; (H, Q) each."""

    mean: Float[np.ndarray, "horizons quantiles"]
    n_bars: Float[np.ndarray, "horizons quantiles"]


class Autocorrelation(NamedTuple):
    """Mean rank autocorrelation, and over how many bars; (H,) each."""

    mean: Float[np.ndarray, " horizons"]
    n_bars: Float[np.ndarray, " horizons"]


def quantile_turnover(
    buckets: Int8[np.ndarray, "bars assets"], horizons: Sequence[int], n_quantiles: int
) -> Turnover:
    """Return the share of a group's members that were not in it h bars before.

    The mean over bars t at which the group has members at t and at t - h, as alphalens counts it.

    Parameters
    ----------
    buckets : (T, A) groups 1 … Q, 0 for none.
    horizons : H lags, bars.
    n_quantiles : Q.

    Returns
    -------
    Decimals, 0 for a group that keeps its members; NaN without such bars. O(H·T·A).
    """
    mean, counted = (np.full((len(horizons), n_quantiles), np.nan) for _ in range(2))
    groups = as_groups(buckets)
    n_members, stayed = (np.empty((len(buckets), n_quantiles)) for _ in range(2))
    for row, h in enumerate(horizons):
        fill_members(groups, h, n_members, stayed)
        for q in range(n_quantiles):
            now, then = n_members[h:, q], n_members[:-h, q]
            has_both = (now > 0) & (then > 0)
            kept = stayed[h:, q][has_both] / now[has_both]
            counted[row, q] = has_both.sum()
            if len(kept):
                mean[row, q] = (1 - kept).mean()
    return Turnover(mean, counted)


def rank_autocorrelation(
    ranks: Float[np.ndarray, "bars assets"], horizons: Sequence[int]
) -> Autocorrelation:
    """Return the mean correlation of a bar's ranks with those h bars before.

    Ranks are among all assets of their own bar; the correlation is linear, over the assets that
    have both, as alphalens takes it.

    Parameters
    ----------
    ranks : (T, A) ranks of each bar, NaN where there is none.
    horizons : H lags, bars.

    Returns
    -------
    NaN without a bar that has a correlation. O(H·T·A).
    """
    mean, counted = np.full(len(horizons), np.nan), np.zeros(len(horizons))
    for row, h in enumerate(horizons):
        found = pearson_ic(ranks[None, h:], ranks[None, :-h])[0, 0]
        found = found[np.isfinite(found)]
        counted[row] = len(found)
        if len(found):
            mean[row] = found.mean()
    return Autocorrelation(mean, counted)


def turnover_table(axes: Axes, found: Sequence[Turnover]) -> pl.DataFrame:
    """Return signal, horizon_bars, quantile, mean_turnover, n_bars."""
    mean, n_bars = (np.stack([getattr(f, k) for f in found]) for k in Turnover._fields)
    n_signals, n_horizons, n_quantiles = mean.shape
    return table(
        {
            **axes.repeat(n_quantiles),
            "quantile": np.tile(np.arange(1, n_quantiles + 1), n_signals * n_horizons),
            "mean_turnover": mean.ravel(),
            "n_bars": n_bars.ravel(),
        }
    )


def autocorrelation_table(axes: Axes, found: Sequence[Autocorrelation]) -> pl.DataFrame:
    """Return signal, horizon_bars, mean_autocorrelation, n_bars."""
    mean, n_bars = (np.stack([getattr(f, k) for f in found]) for k in Autocorrelation._fields)
    return table({**axes.repeat(), "mean_autocorrelation": mean.ravel(), "n_bars": n_bars.ravel()})
