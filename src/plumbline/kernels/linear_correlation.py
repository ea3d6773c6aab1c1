"""Linear correlations across assets, bar by bar, over the assets that both sides have."""

import math

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled


@compiled
def fill_correlations(
    left: Float[np.ndarray, "signals bars assets"],
    right: Float[np.ndarray, "horizons bars assets"],
    out: Float[np.ndarray, "signals horizons bars"],
) -> None:
    """Write the correlation of every row of ``left`` with every row of ``right``."""
    n_left, n_bars, n_assets = left.shape
    n_right = right.shape[0]
    scaled = np.empty((n_left + n_right, n_assets))
    room = np.empty((5, n_assets))
    for bar in range(n_bars):
        for p in range(n_left):
            _scale(left[p, bar], scaled[p])
        for p in range(n_right):
            _scale(right[p, bar], scaled[n_left + p])
        for s in range(n_left):
            for h in range(n_right):
                out[s, h, bar] = _correlation(scaled[s], scaled[n_left + h], room)


@compiled
def _scale(row: Float[np.ndarray, " assets"], scaled: Float[np.ndarray, " assets"]) -> None:
    """Write a row times the power of two that brings its largest value near 1; NaN if missing.

    Squares of deviations then neither overflow nor underflow, and scaling loses no bit.
    """
    largest = 0.0
    for a in range(row.shape[0]):
        size = abs(row[a])
        if size < np.inf and size > largest:
            largest = size
    _, exponent = math.frexp(largest)
    half = -(exponent // 2)  # a factor of 2**1074 is no number
    one, other = math.ldexp(1.0, half), math.ldexp(1.0, -exponent - half)
    for a in range(row.shape[0]):
        scaled[a] = row[a] * one * other if abs(row[a]) < np.inf else np.nan


@compiled
def _correlation(
    x: Float[np.ndarray, " assets"],
    y: Float[np.ndarray, " assets"],
    room: Float[np.ndarray, "5 assets"],
) -> float:
    """Return the correlation over the assets that are NaN in neither; NaN if there is none.

    Values are taken from the first pair, so that equal ones deviate by exactly nothing. ``room`` is
    written over.
    """
    n_assets = x.shape[0]
    first = 0
    while first < n_assets and not (x[first] == x[first] and y[first] == y[first]):
        first += 1
    if first == n_assets:
        return np.nan
    x0, y0 = x[first], y[first]
    dx, dy, xx, yy, xy = room[0], room[1], room[2], room[3], room[4]
    count = 0
    for a in range(n_assets):
        is_pair = (x[a] == x[a]) & (y[a] == y[a])
        count += is_pair
        dx[a] = (x[a] - x0) if is_pair else 0.0
        dy[a] = (y[a] - y0) if is_pair else 0.0
        xx[a], yy[a] = dx[a], dy[a]
    mean_x, mean_y = _sum(xx) / count, _sum(yy) / count
    for a in range(n_assets):
        is_pair = (x[a] == x[a]) & (y[a] == y[a])
        from_x = (dx[a] - mean_x) if is_pair else 0.0
        from_y = (dy[a] - mean_y) if is_pair else 0.0
        xx[a], yy[a], xy[a] = from_x * from_x, from_y * from_y, from_x * from_y
    sum_xx, sum_yy = _sum(xx), _sum(yy)
    if count < 3 or sum_xx == 0.0 or sum_yy == 0.0:
        return np.nan
    return min(max(_sum(xy) / (math.sqrt(sum_xx) * math.sqrt(sum_yy)), -1.0), 1.0)


@compiled
def _sum(values: Float[np.ndarray, " assets"]) -> float:
    """Return a sum, halves added to each other: no addition waits for the one before.

    The order depends on how many there are alone. ``values`` are written over.
    """
    n = values.shape[0]
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            values[i] += values[half + i]
        n = half
    total: float = values[0]
    return total
