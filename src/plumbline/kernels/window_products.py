"""Correlation and slope of pairs of series over trailing windows, without subtraction of sums.

Blocks, shifts and joins as in :mod:`plumbline.kernels.window_moments`; a row counts where both of a
pair are finite.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.kernels.column_tiles import TILE, read_columns
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import Group, block_at, n_blocks

_KINDS = 6  # count, Σdx, Σdy, Σdx², Σdy², Σdxdy


class Pair(NamedTuple):
    """Two series over a tail and the head after it, and the sums of every end of the tail."""

    x_tail: Float[np.ndarray, " tail_rows"]
    y_tail: Float[np.ndarray, " tail_rows"]
    x_head: Float[np.ndarray, " rows"]
    y_head: Float[np.ndarray, " rows"]
    ends: Float[np.ndarray, "kinds ends"]


@compiled
def fill_products(
    x: Float[np.ndarray, "bars assets"],
    y: Float[np.ndarray, "bars y_assets"],
    rules: tuple[int, int, int],
    correlation: Float[np.ndarray, "bars assets"],
    slope: Float[np.ndarray, "slope_bars slope_assets"],
) -> None:
    """Write the correlation of x with y, or the slope of x on y, of each window. O(T·A).

    Parameters
    ----------
    x, y : values; ``y`` has one column for all assets or one for each.
    rules : length of a block, place of row 0 in its own, pairs that a window needs.
    correlation, slope : results; one that is not asked for has no rows.
    """
    window, offset, min_obs = rules
    n_bars, n_assets = x.shape
    is_common = y.shape[1] == 1
    longest = min(window, n_bars)
    group = Group(-offset, n_bars)
    x_columns, y_columns = np.empty((2, TILE, longest)), np.empty((2, TILE, longest))
    ends = np.empty((_KINDS, longest + 1))
    for a in range(0, n_assets, TILE):
        width = min(TILE, n_assets - a)
        y_width, y_first = (1, 0) if is_common else (width, a)
        for number in range(n_blocks(group, window)):
            block = block_at(group, number, window)
            n_tail, n_head = block.head - block.tail, block.stop - block.head
            old, new = number % 2, (number + 1) % 2
            read_columns(x, block.head, a, x_columns[new, :width, :n_head])
            read_columns(y, block.head, y_first, y_columns[new, :y_width, :n_head])
            rows = slice(block.head, block.stop)
            for j in range(width):
                k = 0 if is_common else j
                pair = Pair(
                    x_columns[old, j, :n_tail],
                    y_columns[old, k, :n_tail],
                    x_columns[new, j, :n_head],
                    y_columns[new, k, :n_head],
                    ends,
                )
                if correlation.shape[0]:
                    _fit(pair, window, min_obs, True, correlation[rows, a + j])
                if slope.shape[0]:
                    _fit(pair, window, min_obs, False, slope[rows, a + j])


@compiled
def _fit(
    pair: Pair, window: int, min_obs: int, is_correlation: bool, out: Float[np.ndarray, " rows"]
) -> None:
    """Write the figure of the windows that end in a head."""
    x, y = pair.x_head, pair.y_head
    n_head = x.shape[0]
    last_whole = window - pair.x_tail.shape[0] - 1
    first = 0
    while first < n_head and not _is_there(x[first], y[first]):
        first += 1
    if first > 0:
        last = pair.x_tail.shape[0] - 1
        while last >= 0 and not _is_there(pair.x_tail[last], pair.y_tail[last]):
            last -= 1
        shift = (pair.x_tail[last], pair.y_tail[last]) if last >= 0 else (0.0, 0.0)
        _sum_back(pair, shift)
        _sum_on(pair, shift, (0, first, last_whole), min_obs, is_correlation, out)
    if first < n_head:
        shift = (x[first], y[first])
        _sum_back(pair, shift)
        _sum_on(pair, shift, (first, n_head, last_whole), min_obs, is_correlation, out)


@compiled
def _is_there(x: float, y: float) -> bool:
    return abs(x) < math.inf and abs(y) < math.inf


@compiled
def _sum_back(pair: Pair, shift: tuple[float, float]) -> None:
    """Write the sums over every end of the tail."""
    x, y = pair.x_tail, pair.y_tail
    count, sum_x, sum_y = pair.ends[0], pair.ends[1], pair.ends[2]
    square_x, square_y, product = pair.ends[3], pair.ends[4], pair.ends[5]
    n_tail = x.shape[0]
    pair.ends[:, n_tail] = 0.0
    for i in range(n_tail - 1, -1, -1):
        is_there = _is_there(x[i], y[i])
        dx = x[i] - shift[0] if is_there else 0.0
        dy = y[i] - shift[1] if is_there else 0.0
        count[i] = count[i + 1] + (1.0 if is_there else 0.0)
        sum_x[i] = sum_x[i + 1] + dx
        sum_y[i] = sum_y[i + 1] + dy
        square_x[i] = square_x[i + 1] + dx * dx
        square_y[i] = square_y[i + 1] + dy * dy
        product[i] = product[i + 1] + dx * dy


@compiled
def _sum_on(
    pair: Pair,
    shift: tuple[float, float],
    rows: tuple[int, int, int],
    min_obs: int,
    is_correlation: bool,
    out: Float[np.ndarray, " rows"],
) -> None:
    """Add the head up from a row on, and write the figure of each window that ends there."""
    x, y = pair.x_head, pair.y_head
    counts, sums_x, sums_y = pair.ends[0], pair.ends[1], pair.ends[2]
    squares_x, squares_y, products = pair.ends[3], pair.ends[4], pair.ends[5]
    first, stop, last_whole = rows
    count, sum_x, sum_y, square_x, square_y, product = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(first, stop):
        is_there = _is_there(x[i], y[i])
        dx = x[i] - shift[0] if is_there else 0.0
        dy = y[i] - shift[1] if is_there else 0.0
        count += 1.0 if is_there else 0.0
        sum_x += dx
        sum_y += dy
        square_x += dx * dx
        square_y += dy * dy
        product += dx * dy
        end = max(i - last_whole, 0)
        n = count + counts[end]
        if n < min_obs:
            out[i] = np.nan
            continue
        total_x, total_y = sum_x + sums_x[end], sum_y + sums_y[end]
        share = 1.0 / n
        spread_x = square_x + squares_x[end] - total_x * share * total_x
        spread_y = square_y + squares_y[end] - total_y * share * total_y
        joint = product + products[end] - total_x * share * total_y
        out[i] = _correlation(joint, spread_x, spread_y) if is_correlation else joint / spread_y
        if not np.abs(out[i]) < np.inf or not spread_y > 0.0:
            out[i] = np.nan


@compiled
def _correlation(joint: float, spread_x: float, spread_y: float) -> float:
    """Return the correlation, within -1 and 1; NaN where a side is constant."""
    if not (spread_x > 0.0 and spread_y > 0.0):
        return np.nan
    value = joint / (math.sqrt(spread_x) * math.sqrt(spread_y))
    return min(max(value, -1.0), 1.0)
