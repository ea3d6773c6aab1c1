"""Linear correlations across assets, bar by bar, over the assets that both sides have."""

import math

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled

_FEW = 32  # sums, up to which adding one after the other is quickest


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
    room = np.empty((6, n_assets // 4))
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
    room: Float[np.ndarray, "6 quarter"],
) -> float:
    """Return the correlation over the assets that are NaN in neither; NaN if there is none.

    Values are taken from the first pair, so that equal ones deviate by exactly nothing: it lies in
    the sample, so that taking its distance from the mean out again costs at most a factor of the
    number of assets in rounding. ``room`` is written over.
    """
    n_assets = x.shape[0]
    first = 0
    while first < n_assets and not (x[first] == x[first] and y[first] == y[first]):
        first += 1
    if first == n_assets:
        return np.nan
    x0, y0 = x[first], y[first]
    quarter = n_assets // 4
    _add_quarters(x, y, x0, y0, room)
    count, sum_x, sum_y, sum_xx, sum_yy, sum_xy = _totals(room, quarter)
    for a in range(4 * quarter, n_assets):
        dx, dy = x[a] - x0, y[a] - y0
        if dx + dy == dx + dy:
            count += 1.0
            sum_x, sum_y = sum_x + dx, sum_y + dy
            sum_xx, sum_yy, sum_xy = sum_xx + dx * dx, sum_yy + dy * dy, sum_xy + dx * dy
    sum_xx -= sum_x * sum_x / count
    sum_yy -= sum_y * sum_y / count
    if count < 3.0 or sum_xx <= 0.0 or sum_yy <= 0.0:
        return np.nan
    sum_xy -= sum_x * sum_y / count
    return min(max(sum_xy / (math.sqrt(sum_xx) * math.sqrt(sum_yy)), -1.0), 1.0)


@compiled
def _add_quarters(
    x: Float[np.ndarray, " assets"],
    y: Float[np.ndarray, " assets"],
    x0: float,
    y0: float,
    room: Float[np.ndarray, "6 quarter"],
) -> None:
    """Write counts, sums, squares and products of pairs, the quarters of the assets added."""
    n = x.shape[0] // 4
    x1, x2, x3, x4 = x[:n], x[n : 2 * n], x[2 * n : 3 * n], x[3 * n : 4 * n]
    y1, y2, y3, y4 = y[:n], y[n : 2 * n], y[2 * n : 3 * n], y[3 * n : 4 * n]
    counts, sums_x, sums_y = room[0], room[1], room[2]
    squares_x, squares_y, products = room[3], room[4], room[5]
    for i in range(n):
        a1, a2, a3, a4 = x1[i] - x0, x2[i] - x0, x3[i] - x0, x4[i] - x0
        b1, b2, b3, b4 = y1[i] - y0, y2[i] - y0, y3[i] - y0, y4[i] - y0
        is_1, is_2 = a1 + b1 == a1 + b1, a2 + b2 == a2 + b2
        is_3, is_4 = a3 + b3 == a3 + b3, a4 + b4 == a4 + b4
        a1, b1 = (a1 if is_1 else 0.0), (b1 if is_1 else 0.0)
        a2, b2 = (a2 if is_2 else 0.0), (b2 if is_2 else 0.0)
        a3, b3 = (a3 if is_3 else 0.0), (b3 if is_3 else 0.0)
        a4, b4 = (a4 if is_4 else 0.0), (b4 if is_4 else 0.0)
        one = (1.0 if is_1 else 0.0) + (1.0 if is_2 else 0.0)
        counts[i] = one + ((1.0 if is_3 else 0.0) + (1.0 if is_4 else 0.0))
        sums_x[i] = (a1 + a2) + (a3 + a4)
        sums_y[i] = (b1 + b2) + (b3 + b4)
        squares_x[i] = (a1 * a1 + a2 * a2) + (a3 * a3 + a4 * a4)
        squares_y[i] = (b1 * b1 + b2 * b2) + (b3 * b3 + b4 * b4)
        products[i] = (a1 * b1 + a2 * b2) + (a3 * b3 + a4 * b4)


@compiled
def _totals(
    room: Float[np.ndarray, "6 quarter"], n: int
) -> tuple[float, float, float, float, float, float]:
    """Return sums of the first values of every row, halves added to each other while many.

    No addition of vectors waits for the one before, and the order depends on ``n`` alone. ``room``
    is written over.
    """
    while n > _FEW:
        half = (n + 1) // 2
        for k in range(room.shape[0]):
            row = room[k]
            for i in range(n - half):
                row[i] += row[half + i]
        n = half
    t0, t1, t2, t3, t4, t5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        t0, t1, t2 = t0 + room[0, i], t1 + room[1, i], t2 + room[2, i]
        t3, t4, t5 = t3 + room[3, i], t4 + room[4, i], t5 + room[5, i]
    return t0, t1, t2, t3, t4, t5
