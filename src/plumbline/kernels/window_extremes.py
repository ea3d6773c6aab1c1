"""Smallest and largest value of trailing windows: suffix of one block against prefix of the next.

Blocks as in :mod:`plumbline.kernels.window_moments` (van Herk 1992). Two assets are worked on
together, so that a processor waits for neither; a missing value is smaller and larger than nothing.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.column_tiles import TILE, read_columns
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import Group, block_at, n_blocks
from plumbline.kernels.window_counts import count_windows

_LOW, _HIGH = 0, 1


@compiled
def fill_extremes(
    x: Float[np.ndarray, "bars assets"],
    window: int,
    offset: int,
    min_obs: int,
    lows: Float[np.ndarray, "bars assets"],
    highs: Float[np.ndarray, "bars assets"],
) -> None:
    """Write the smallest and the largest value of each window. O(T·A).

    Parameters
    ----------
    x : values; what is not finite is missing.
    window, offset : length of a block, and the place of row 0 in its own.
    min_obs : values that a window needs, else NaN.
    lows, highs : the results.
    """
    n_bars, n_assets = x.shape
    longest = min(window, n_bars)
    group = Group(-offset, n_bars)
    columns = np.empty((2, TILE, longest))
    ends = np.empty((TILE, 2, longest + 1))
    counts = np.empty(longest)
    n_finite = np.zeros((2, TILE), np.int64)
    for a in range(0, n_assets, TILE):
        width = min(TILE, n_assets - a)
        for number in range(n_blocks(group, window)):
            block = block_at(group, number, window)
            n_tail, n_head = block.head - block.tail, block.stop - block.head
            tails, heads = columns[number % 2], columns[(number + 1) % 2]
            n_before, n_now = n_finite[number % 2], n_finite[(number + 1) % 2]
            read_columns(x, block.head, a, heads[:width, :n_head])
            rows = slice(block.head, block.stop)
            for j in range(width):
                n_now[j] = _blank_infinite(heads[j, :n_head])
            for j in range(0, width, 2):
                k = min(j + 1, width - 1)
                _scan_back(tails[j, :n_tail], tails[k, :n_tail], ends[j], ends[k])
                _scan_on(
                    (heads[j, :n_head], heads[k, :n_head]),
                    (ends[j], ends[k]),
                    window - n_tail - 1,
                    (lows[rows, a + j], lows[rows, a + k]),
                    (highs[rows, a + j], highs[rows, a + k]),
                )
            for j in range(width):
                tail, head = tails[j, :n_tail], heads[j, :n_head]
                is_full = n_tail + 1 >= window and n_before[j] == n_tail and n_now[j] == n_head
                if is_full and window >= min_obs:
                    continue
                if not count_windows(tail, head, window, counts[:n_head]) or window < min_obs:
                    _hide(lows[rows, a + j], highs[rows, a + j], counts, min_obs)


@compiled
def _blank_infinite(values: Float[np.ndarray, " rows"]) -> int:
    """Make infinite values NaN, which no comparison takes; return how many are finite."""
    count = 0
    for i in range(values.shape[0]):
        is_finite = np.abs(values[i]) < np.inf
        count += is_finite
        values[i] = values[i] if is_finite else np.nan
    return count


@compiled
def _scan_back(
    first: Float[np.ndarray, " tail_rows"],
    second: Float[np.ndarray, " tail_rows"],
    first_ends: Float[np.ndarray, "two ends"],
    second_ends: Float[np.ndarray, "two ends"],
) -> None:
    """Write the extremes of every end of two tails."""
    low, other_low, high, other_high = np.inf, np.inf, -np.inf, -np.inf
    lows, highs = first_ends[_LOW], first_ends[_HIGH]
    other_lows, other_highs = second_ends[_LOW], second_ends[_HIGH]
    n = first.shape[0]
    lows[n], other_lows[n], highs[n], other_highs[n] = np.inf, np.inf, -np.inf, -np.inf
    for i in range(n - 1, -1, -1):
        value, other = first[i], second[i]
        low = value if value < low else low
        other_low = other if other < other_low else other_low
        high = value if value > high else high
        other_high = other if other > other_high else other_high
        lows[i], highs[i], other_lows[i], other_highs[i] = low, high, other_low, other_high


_Pair = tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]


@compiled
def _scan_on(
    heads: _Pair,
    ends: tuple[Float[np.ndarray, "two ends"], Float[np.ndarray, "two ends"]],
    last_whole: int,
    out_lows: _Pair,
    out_highs: _Pair,
) -> None:
    """Write the extremes of the windows that end in two heads.

    Up to row ``last_whole`` a window holds all of the tail, from there on its ends.
    """
    head, other_head = heads
    tail_lows, tail_highs = ends[0][_LOW], ends[0][_HIGH]
    other_tail_lows, other_tail_highs = ends[1][_LOW], ends[1][_HIGH]
    lows, other_lows = out_lows
    highs, other_highs = out_highs
    low, other_low, high, other_high = np.inf, np.inf, -np.inf, -np.inf
    for i in range(head.shape[0]):
        value, other = head[i], other_head[i]
        low = value if value < low else low
        other_low = other if other < other_low else other_low
        high = value if value > high else high
        other_high = other if other > other_high else other_high
        end = max(i - last_whole, 0)
        before = tail_lows[end]
        lows[i] = before if before < low else low
        before = tail_highs[end]
        highs[i] = before if before > high else high
        before = other_tail_lows[end]
        other_lows[i] = before if before < other_low else other_low
        before = other_tail_highs[end]
        other_highs[i] = before if before > other_high else other_high


@compiled
def _hide(
    lows: Float[np.ndarray, " rows"],
    highs: Float[np.ndarray, " rows"],
    counts: Float[np.ndarray, " rows"],
    min_obs: int,
) -> None:
    """Take back the extremes of windows with too few values."""
    for i in range(lows.shape[0]):
        if counts[i] < min_obs:
            lows[i] = np.nan
            highs[i] = np.nan
