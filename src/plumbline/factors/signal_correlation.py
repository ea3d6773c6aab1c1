"""How alike signals rank the assets of a bar."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.kernels.order_statistics import rank_correlations

_ROWS = 1024  # bars at a time: memory of S² series of them. The order of sums depends on it


def signal_correlation(
    signals: Mapping[str, Float[np.ndarray, "bars assets"]],
) -> pl.DataFrame:
    """Return the mean over bars of the rank correlation between every two signals.

    Parameters
    ----------
    signals : name -> (T, A) values; NaN and infinite ones are missing. A bar's correlation is over
        the assets that have both; a bar with fewer than 3 of them, or with one side constant, is
        left out.

    Returns
    -------
    signal, other, mean_rank_correlation (-1 to 1, null if no bar has one); a row for every ordered
    pair, in the order given. O(S·T·A·log A + S²·T·A).

    Raises
    ------
    ParameterError
        If the signals differ in shape; every one that differs from the first is named.

    References
    ----------
    Spearman (1904), "The proof and measurement of association between two things".
    """
    names = list(signals)
    shapes = {name: np.shape(values) for name, values in signals.items()}
    problems = [
        f"signal {name!r} has shape {shape}, the first has {shapes[names[0]]}"
        for name, shape in shapes.items()
        if shape != shapes[names[0]]
    ]
    if problems:
        raise ParameterError("signal_correlation: " + "; ".join(problems))
    stacked = [np.asarray(signals[name], dtype=np.float64) for name in names]
    return correlation_table(names, np.stack(stacked) if names else np.empty((0, 0, 0)))


def correlation_table(
    names: Sequence[str], values: Float[np.ndarray, "signals bars assets"]
) -> pl.DataFrame:
    """Return the table of :func:`signal_correlation` of stacked signals."""
    return table_of_sums(names, correlation_sums(values))


class CorrelationSums(NamedTuple):
    """Rank correlations of every two signals, summed over bars; (S, S) each.

    Parameters
    ----------
    total : sum over the bars that have one.
    n_bars : number of these bars.
    """

    total: Float[np.ndarray, "signals signals"]
    n_bars: Float[np.ndarray, "signals signals"]


def correlation_sums(values: Float[np.ndarray, "signals bars assets"]) -> CorrelationSums:
    """Return sums over the bars of stacked signals; those of parts of the bars add up."""
    n_signals, n_bars = values.shape[:2]
    total, n_there = np.zeros((2, n_signals, n_signals))
    for first in range(0, n_bars, _ROWS):
        by_bar = rank_correlations(values[:, first : first + _ROWS])
        is_there = np.isfinite(by_bar)
        total += np.where(is_there, by_bar, 0.0).sum(axis=2)
        n_there += is_there.sum(axis=2)
    for x in (total, n_there):
        x += np.triu(x, 1).T
    return CorrelationSums(total, n_there)


def table_of_sums(names: Sequence[str], sums: CorrelationSums) -> pl.DataFrame:
    """Return the table of :func:`signal_correlation` from the sums over all bars."""
    total, n_bars = sums
    means = np.divide(total, n_bars, out=np.full(total.shape, np.nan), where=n_bars > 0)
    return pl.DataFrame(
        {
            "signal": pl.Series([name for name in names for _ in names], dtype=pl.String),
            "other": pl.Series([*names] * len(names), dtype=pl.String),
            "mean_rank_correlation": pl.Series(means.ravel()).fill_nan(None),
        }
    )
