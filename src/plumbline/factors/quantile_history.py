"""What each group of a signal earned bar by bar, as running sums."""

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from plumbline.core.panel import Panel


def quantile_history(
    name: str,
    buckets: Int8[np.ndarray, "bars assets"],
    changes: Float[np.ndarray, "bars assets"],
    close: Panel,
    n_quantiles: int,
) -> pl.DataFrame:
    """Return the running sum of what each group earns over one bar, less the mean of all groups.

    A group is formed at a close and held to the next, equal weights, before costs; a bar counts
    for a group if the group has an asset.

    Parameters
    ----------
    name : how the table calls the signal.
    buckets : (T, A) groups 1 … Q formed at each close, 0 for none.
    changes : (T, A) returns of each bar from :func:`plumbline.factors.spread.marked_changes`.
    close : its bars are the rows of both.
    n_quantiles : Q.

    Returns
    -------
    bar_close, signal, quantile, cumulative_return (decimal, a sum without compounding); dated by
    the close to which the return is earned, from the first bar after the first group on; sorted by
    quantile, then bar. A group without assets on a bar keeps its sum. O(T·A).
    """
    n_bars, n_groups = len(buckets), n_quantiles + 1
    formed, earned = buckets[:-1].astype(np.int64), changes[1:]
    cell = (np.arange(len(formed))[:, None] * n_groups + formed).ravel()
    shape, length = (-1, n_groups), len(formed) * n_groups
    counts = np.bincount(cell, minlength=length).reshape(shape)[:, 1:]
    sums = np.bincount(cell, earned.ravel(), length).reshape(shape)[:, 1:]
    n_formed = (counts > 0).sum(axis=1, keepdims=True)
    means = sums / np.maximum(counts, 1)
    relative = np.where(
        counts > 0, means - means.sum(axis=1, keepdims=True) / np.maximum(n_formed, 1), 0.0
    )
    first = int((n_formed[:, 0] > 0).argmax()) if n_formed.any() else len(formed)
    running = relative[first:].cumsum(axis=0)
    bars = close.bars[first + 1 : n_bars]
    return pl.DataFrame(
        {
            "bar_close": pl.Series(np.tile(bars, n_quantiles)).dt.replace_time_zone("UTC"),
            "signal": pl.Series([name] * running.size, dtype=pl.String),
            "quantile": np.repeat(np.arange(1, n_groups), len(bars)),
            "cumulative_return": running.T.ravel(),
        }
    )
