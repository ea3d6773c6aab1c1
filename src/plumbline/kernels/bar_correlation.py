"""Correlations across assets of every pair of several signals, bar by bar."""

import math

import numpy as np
from jaxtyping import Float

from plumbline.kernels.asset_least_squares import dot, stands_out
from plumbline.kernels.bar_scaling import centre
from plumbline.kernels.compilation import compiled


@compiled
def mean_correlations(
    signals: Float[np.ndarray, "signals bars assets"], out: Float[np.ndarray, "signals signals"]
) -> None:
    """Write the mean over bars of the correlation of every pair of signals. O(S²·T·A).

    Over the assets that are finite in both; bars with fewer than 3 of them or a constant side are
    left out. NaN without a bar.
    """
    n_signals, n_bars, n_assets = signals.shape
    left, right = np.empty(n_assets), np.empty(n_assets)
    for s in range(n_signals):
        for r in range(s + 1):
            total, count = 0.0, 0
            for bar in range(n_bars):
                n = _pack_both(signals[s, bar], signals[r, bar], left, right)
                value = _correlation(left[:n], right[:n]) if n >= 3 else np.nan
                if value == value:
                    total += value
                    count += 1
            out[s, r] = out[r, s] = total / count if count else np.nan


@compiled
def _pack_both(
    x: Float[np.ndarray, " assets"],
    y: Float[np.ndarray, " assets"],
    left: Float[np.ndarray, " assets"],
    right: Float[np.ndarray, " assets"],
) -> int:
    """Copy the values of assets that are finite in both, side by side; return their number."""
    count = 0
    for a in range(x.shape[0]):
        left[count], right[count] = x[a], y[a]
        count += (np.abs(x[a]) < np.inf) & (np.abs(y[a]) < np.inf)
    return count


@compiled
def _correlation(x: Float[np.ndarray, " values"], y: Float[np.ndarray, " values"]) -> float:
    """Return the correlation, within -1 and 1; NaN where a side is constant to rounding."""
    n = x.shape[0]
    size_x, size_y = centre(x), centre(y)
    square_x, square_y, product = dot(x, x), dot(y, y), dot(x, y)
    if not stands_out(square_x, n * size_x * size_x, n):
        return np.nan
    if not stands_out(square_y, n * size_y * size_y, n):
        return np.nan
    value = product / (math.sqrt(square_x) * math.sqrt(square_y))
    return min(max(value, -1.0), 1.0)
