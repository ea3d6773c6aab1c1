"""Groups of assets by rank of a signal, and what each group earns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Int8

from plumbline.core.errors import ParameterError
from plumbline.factors.tables import Axes, table
from plumbline.kernels.group_sums import as_groups, fill_group_sums
from plumbline.kernels.inputs import as_input


class GroupReturns(NamedTuple):
    """Sums of the forward returns of each group, bar by bar.

    Parameters
    ----------
    sums : (H, T, Q) decimal over the horizon.
    counts : (H, T, Q) returns in the group.
    """

    sums: Float[np.ndarray, "horizons bars quantiles"]
    counts: Float[np.ndarray, "horizons bars quantiles"]


class QuantileReturns(NamedTuple):
    """Mean forward return of each group, pooled over bars and assets.

    Parameters
    ----------
    mean : (H, Q) decimal over the horizon; NaN for a group without returns.
    mean_demeaned : (H, Q) the same after each bar's mean over all groups is taken out.
    n : (H, Q) returns in the group.
    """

    mean: Float[np.ndarray, "horizons quantiles"]
    mean_demeaned: Float[np.ndarray, "horizons quantiles"]
    n: Int[np.ndarray, "horizons quantiles"]


def quantile_buckets(
    signal: Float[np.ndarray, "bars assets"], n_quantiles: int
) -> Int8[np.ndarray, "bars assets"]:
    """Return each asset's group on each bar: 1 holds the lowest values, n_quantiles the highest.

    With n values on a bar, ranks 0 … n - 1 are cut at (n - 1)·k/Q, a value on a cut going to the
    lower group; for distinct values this is what ``pandas.qcut`` and alphalens do, without the
    rounding of an interpolated edge. Equal values share the group of their lowest rank, so ties
    make the lower group larger and may leave a higher one empty.

    Parameters
    ----------
    signal : (T, A) values; NaN and infinite ones are in no group.
    n_quantiles : Q, 2 … 100.

    Returns
    -------
    (T, A) groups 1 … Q; 0 for none, also on a bar with fewer than Q values. O(T·A log A).

    Raises
    ------
    ParameterError
        If Q is outside its range.
    """
    if not 2 <= n_quantiles <= 100:
        raise ParameterError(f"n_quantiles={n_quantiles} must lie in 2 … 100")
    is_there = np.isfinite(signal)
    n = is_there.sum(axis=1)
    buckets: Int8[np.ndarray, "bars assets"] = is_there.astype(np.int8)
    ordered = np.sort(np.where(is_there, signal, np.inf), axis=1)
    for k in range(1, n_quantiles):
        # the value on or just below the cut: what exceeds it has all its ranks above the cut
        cut = np.maximum(n - 1, 0) * k // n_quantiles
        edge = np.take_along_axis(ordered, cut[:, None], axis=1) if ordered.size else ordered[:, :1]
        buckets += is_there & (signal > edge)
    buckets[n < n_quantiles] = 0
    return buckets


def group_returns(
    buckets: Int8[np.ndarray, "bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
    n_quantiles: int,
) -> GroupReturns:
    """Return sums and counts of the forward returns of each group.

    Parameters
    ----------
    buckets : (T, A) groups 1 … Q, 0 for none.
    forwards : (H, T, A) decimal returns; NaN where unknown.
    n_quantiles : Q.
    """
    groups = as_groups(buckets)
    shape = (*forwards.shape[:2], n_quantiles)
    found = GroupReturns(np.empty(shape), np.empty(shape))
    for forward, sums, counts in zip(forwards, *found, strict=True):
        fill_group_sums(groups, as_input(forward), sums, counts)
    return found


def quantile_returns(grouped: GroupReturns) -> QuantileReturns:
    """Return what each group earns over each horizon.

    Every (bar, asset) with a group and a forward return counts once, so a bar with more assets
    weighs more. alphalens takes the mean of the bars' means: the same where a group has equally
    many on every bar.
    """
    sums, counts = grouped
    per_bar = sums.sum(axis=2) / np.maximum(counts.sum(axis=2), 1)
    n = counts.sum(axis=1)
    total = np.where(n > 0, n, np.nan)
    return QuantileReturns(
        mean=sums.sum(axis=1) / total,
        mean_demeaned=(sums - counts * per_bar[:, :, None]).sum(axis=1) / total,
        n=n.astype(np.int64),
    )


def quantile_table(axes: Axes, grouped: Sequence[QuantileReturns]) -> pl.DataFrame:
    """Return signal, horizon_bars, quantile, mean_return, mean_return_demeaned, n."""
    mean, demeaned, n = (np.stack([g[i] for g in grouped]) for i in range(3))
    n_quantiles = mean.shape[2]
    quantile = np.tile(np.arange(1, n_quantiles + 1), mean.shape[0] * mean.shape[1])
    figures = {
        "quantile": quantile,
        "mean_return": mean.ravel(),
        "mean_return_demeaned": demeaned.ravel(),
        "n": n.ravel(),
    }
    return table(axes.repeat(n_quantiles) | figures)
