"""How alike signals rank the assets of a bar."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.errors import ParameterError
from plumbline.kernels.order_statistics import rank_ic


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
    pair, in the order given. O(S·log S·T·A·log A + S²·T·A), memory of S²/4 series of T bars.

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
    sums = CorrelationSums(*np.zeros((2, len(values), len(values))))
    _fill(sums, values)
    return sums


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


def _fill(sums: CorrelationSums, values: Float[np.ndarray, "signals bars assets"]) -> None:
    """Write sums, one half of the signals with the other, then within each half."""
    n = len(values)
    if n == 0:
        return
    if n == 1:
        _write(sums, rank_ic(values, values))
        return
    one, other = slice(0, n // 2), slice(n // 2, n)
    across = CorrelationSums(*(x[one, other] for x in sums))
    _write(across, rank_ic(values[one], values[other]))
    for x, written in zip(sums, across, strict=True):
        x[other, one] = written.T
    for half in (one, other):
        _fill(CorrelationSums(*(x[half, half] for x in sums)), values[half])


def _write(sums: CorrelationSums, by_bar: Float[np.ndarray, "left right bars"]) -> None:
    """Write sums and counts over the bars that have a correlation."""
    is_there = np.isfinite(by_bar)
    sums.total[:] = np.where(is_there, by_bar, 0.0).sum(axis=2)
    sums.n_bars[:] = is_there.sum(axis=2)
