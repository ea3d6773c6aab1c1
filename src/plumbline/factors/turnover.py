"""How fast a signal changes: who is new in a group, and how far ranks keep their order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from plumbline.factors.tables import Axes, table
from plumbline.kernels.group_sums import as_groups, fill_members
from plumbline.kernels.order_statistics import pearson_ic


class GroupMembers(NamedTuple):
    """Members of each group, bar by bar.

    Parameters
    ----------
    n_members : (T, Q) assets in the group.
    stayed : (H, T, Q) of these, how many were in it h bars before.
    """

    n_members: Float[np.ndarray, "bars quantiles"]
    stayed: Float[np.ndarray, "horizons bars quantiles"]


class Turnover(NamedTuple):
    """Mean turnover of each group, and over how many bars; (H, Q) each."""

    mean: Float[np.ndarray, "horizons quantiles"]
    n_bars: Float[np.ndarray, "horizons quantiles"]


class Autocorrelation(NamedTuple):
    """Mean rank autocorrelation, and over how many bars; (H,) each."""

    mean: Float[np.ndarray, " horizons"]
    n_bars: Float[np.ndarray, " horizons"]


def group_members(
    buckets: Int8[np.ndarray, "bars assets"], horizons: Sequence[int], n_quantiles: int
) -> GroupMembers:
    """Return how many members each group has, and how many of them it had h bars before.

    Parameters
    ----------
    buckets : (T, A) groups 1 … Q, 0 for none.
    horizons : H lags, bars.
    n_quantiles : Q.

    Returns
    -------
    Nobody stayed on the first h bars. O(H·T·A).
    """
    groups = as_groups(buckets)
    n_members = np.empty((len(buckets), n_quantiles))
    fill_members(groups, 0, n_members)
    stayed = np.empty((len(horizons), *n_members.shape))
    for of_lag, h in zip(stayed, horizons, strict=True):
        fill_members(groups, min(h, len(groups)), of_lag)
    return GroupMembers(n_members, stayed)


def quantile_turnover(members: GroupMembers, horizons: Sequence[int]) -> Turnover:
    """Return the share of a group's members that were not in it h bars before.

    The mean over bars t at which the group has members at t and at t - h, as alphalens counts it.

    Parameters
    ----------
    members : of all bars.
    horizons : H lags, bars.

    Returns
    -------
    Decimals, 0 for a group that keeps its members; NaN without such bars.
    """
    shape = (len(horizons), members.n_members.shape[1])
    mean, counted = np.full(shape, np.nan), np.full(shape, np.nan)
    for row, h in enumerate(horizons):
        for q in range(shape[1]):
            now, then = members.n_members[h:, q], members.n_members[:-h, q]
            has_both = (now > 0) & (then > 0)
            kept = members.stayed[row, h:, q][has_both] / now[has_both]
            counted[row, q] = has_both.sum()
            if len(kept):
                mean[row, q] = (1 - kept).mean()
    return Turnover(mean, counted)


def rank_autocorrelations(
    ranks: Float[np.ndarray, "bars assets"], horizons: Sequence[int]
) -> Float[np.ndarray, "horizons bars"]:
    """Return the correlation of each bar's ranks with those h bars before.

    Ranks are among all assets of their own bar; the correlation is linear, over the assets that
    have both, as alphalens takes it.

    Parameters
    ----------
    ranks : (T, A) ranks of each bar, NaN where there is none.
    horizons : H lags, bars.

    Returns
    -------
    (H, T); NaN on the first h bars and where there is none. O(H·T·A).
    """
    found = np.full((len(horizons), len(ranks)), np.nan)
    panel = ranks.astype(np.float64)[None]
    for row, h in zip(found, horizons, strict=True):
        row[h:] = pearson_ic(panel[:, h:], panel[:, :-h])[0, 0]
    return found


def rank_autocorrelation(by_bar: Float[np.ndarray, "horizons bars"]) -> Autocorrelation:
    """Return means of :func:`rank_autocorrelations`; NaN without a bar that has one."""
    there = [row[np.isfinite(row)] for row in by_bar]
    mean = [row.mean() if len(row) else np.nan for row in there]
    return Autocorrelation(np.array(mean), np.array([float(len(row)) for row in there]))


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
