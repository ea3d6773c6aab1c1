"""What each group of a signal earned bar by bar, as running sums."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int8

from plumbline.kernels.group_sums import as_groups, fill_group_sums
from plumbline.kernels.inputs import as_input


class QuantileHistory(NamedTuple):
    """Running sums of groups from the bar after the first group on.

    Parameters
    ----------
    row : number of the first bar; the array covers it and all later bars.
    cumulative : (T - row, Q) decimal, sums without compounding.
    """

    row: int
    cumulative: Float[np.ndarray, "bars quantiles"]


def relative_returns(
    buckets: Int8[np.ndarray, "bars assets"],
    changes: Float[np.ndarray, "bars assets"],
    n_quantiles: int,
) -> Float[np.ndarray, "bars quantiles"]:
    """Return what each group earns on each bar, less the mean of all groups.

    A group is formed at a close and held to the next, equal weights, before costs. A group without
    assets on a bar earns 0 and does not count in the mean. O(T·A).

    Parameters
    ----------
    buckets : (T, A) groups 1 … Q formed at each close, 0 for none.
    changes : (T, A) returns of each bar, see
        :func:`plumbline.factors.marked_changes.marked_changes`.
    n_quantiles : Q.

    Returns
    -------
    (T, Q) decimal; NaN on the first bar and where the close before formed no group.
    """
    relative: Float[np.ndarray, "bars quantiles"] = np.full((len(buckets), n_quantiles), np.nan)
    sums, counts = (np.empty((max(len(buckets) - 1, 0), n_quantiles)) for _ in range(2))
    fill_group_sums(as_groups(buckets[:-1]), as_input(changes[1:]), sums, counts)
    n_formed = (counts > 0).sum(axis=1, keepdims=True)
    means = sums / np.maximum(counts, 1)
    of_all = means.sum(axis=1, keepdims=True) / np.maximum(n_formed, 1)
    earned = np.where(counts > 0, means - of_all, 0.0)
    relative[1:] = np.where(n_formed > 0, earned, np.nan)
    return relative


def quantile_history(relative: Float[np.ndarray, "bars quantiles"]) -> QuantileHistory:
    """Return the running sums of what groups earn, from the bar after the first group on.

    Parameters
    ----------
    relative : (T, Q) of :func:`relative_returns`, of all bars.
    """
    is_there = ~np.isnan(relative[:, 0])
    first = int(is_there.argmax()) if is_there.any() else len(relative)
    return QuantileHistory(first, np.nan_to_num(relative[first:], nan=0.0).cumsum(axis=0))


def quantile_history_table(
    signals: Sequence[str], bars: np.ndarray, histories: Sequence[QuantileHistory]
) -> pl.DataFrame:
    """Return the histories of signals as one table.

    Parameters
    ----------
    signals : names, one for each history.
    bars : (T,) closes, UTC.
    histories : in the order of the signals.

    Returns
    -------
    bar_close (the close to which a return is earned), signal, quantile, cumulative_return; by
    signal, then quantile, then bar.
    """
    columns: dict[str, list[np.ndarray]] = {"bar_close": [], "quantile": [], "return": []}
    names: list[str] = []
    for name, history in zip(signals, histories, strict=True):
        n_bars, n_quantiles = history.cumulative.shape
        columns["bar_close"].append(np.tile(bars[history.row : history.row + n_bars], n_quantiles))
        columns["quantile"].append(np.repeat(np.arange(1, n_quantiles + 1), n_bars))
        columns["return"].append(history.cumulative.T.ravel())
        names += [name] * history.cumulative.size
    none = {"bar_close": bars[:0], "quantile": np.zeros(0, np.int64), "return": np.zeros(0)}
    joined = {key: np.concatenate([none[key], *found]) for key, found in columns.items()}
    closes = pl.Series(joined["bar_close"].astype("datetime64[us]"))
    return pl.DataFrame(
        {
            "bar_close": closes.dt.replace_time_zone("UTC"),
            "signal": pl.Series(names, dtype=pl.String),
            "quantile": joined["quantile"],
            "cumulative_return": joined["return"],
        }
    )
