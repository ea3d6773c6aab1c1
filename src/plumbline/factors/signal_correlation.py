"""How alike signals rank the assets of a bar."""

from collections.abc import Mapping, Sequence

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
    means = np.full((len(names), len(names)), np.nan)
    _fill_means(means, values)
    return pl.DataFrame(
        {
            "signal": pl.Series([name for name in names for _ in names], dtype=pl.String),
            "other": pl.Series([*names] * len(names), dtype=pl.String),
            "mean_rank_correlation": pl.Series(means.ravel()).fill_nan(None),
        }
    )


def _fill_means(
    means: Float[np.ndarray, "signals signals"], values: Float[np.ndarray, "signals bars assets"]
) -> None:
    """Write mean correlations, one half of the signals with the other, then within each half."""
    n = len(values)
    if n == 0:
        return
    if n == 1:
        means[:] = _means(rank_ic(values, values))
        return
    one, other = slice(0, n // 2), slice(n // 2, n)
    means[one, other] = _means(rank_ic(values[one], values[other]))
    means[other, one] = means[one, other].T
    for half in (one, other):
        _fill_means(means[half, half], values[half])


def _means(
    by_bar: Float[np.ndarray, "left right bars"],
) -> Float[np.ndarray, "left right"]:
    """Return means over the bars that have a correlation."""
    is_there = np.isfinite(by_bar)
    n_bars = is_there.sum(axis=2)
    total = np.where(is_there, by_bar, 0.0).sum(axis=2)
    means: Float[np.ndarray, "left right"] = np.full(total.shape, np.nan)
    np.divide(total, n_bars, out=means, where=n_bars > 0)
    return means
