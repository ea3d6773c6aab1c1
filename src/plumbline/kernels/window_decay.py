"""Exponentially weighted means over trailing windows.

The weight of a value halves with its age; a window ends the sum, so that the same bars give the
same bits however the series was cut. Blocks as in :mod:`plumbline.kernels.window_moments`.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.column_tiles import TILE, read_columns, write_columns
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import Group, block_at, n_blocks
from plumbline.kernels.window_counts import count_windows


@compiled
def fill_decayed_means(
    x: Float[np.ndarray, "bars assets"],
    decay: Float[np.ndarray, " ages"],
    rules: tuple[int, int, int],
    out: Float[np.ndarray, "bars assets"],
) -> None:
    """Write the exponentially weighted mean of each window. O(T·A).

    Parameters
    ----------
    x : values; what is not finite is missing, and keeps its place in time.
    decay : weight of each age, 1 at 0, up to the last row of a window or of the panel.
    rules : length of a block, place of row 0 in its own, values that a window needs.
    out : the means.
    """
    window, offset, min_obs = rules
    n_bars, n_assets = x.shape
    longest = min(window, n_bars)
    group = Group(-offset, n_bars)
    columns = np.empty((2, TILE, longest))
    ends, means, counts = np.zeros((2, longest + 1)), np.empty((TILE, longest)), np.empty(longest)
    for a in range(0, n_assets, TILE):
        width = min(TILE, n_assets - a)
        for number in range(n_blocks(group, window)):
            block = block_at(group, number, window)
            n_tail, n_head = block.head - block.tail, block.stop - block.head
            tails, heads = columns[number % 2], columns[(number + 1) % 2]
            read_columns(x, block.head, a, heads[:width, :n_head])
            for j in range(width):
                tail, head = tails[j, :n_tail], heads[j, :n_head]
                count_windows(tail, head, window, counts[:n_head])
                _sum_back(tail, decay, ends)
                _sum_on(head, decay, ends, window - n_tail - 1, means[j])
                for i in range(n_head):
                    if counts[i] < min_obs or not np.abs(means[j, i]) < np.inf:
                        means[j, i] = np.nan
            write_columns(means[:width, :n_head], out, block.head, a)


@compiled
def _sum_back(
    tail: Float[np.ndarray, " tail_rows"],
    decay: Float[np.ndarray, " ages"],
    ends: Float[np.ndarray, "two ends"],
) -> None:
    """Write weights and weighted values over every end of the tail, as its last row sees them."""
    weights, sums = ends[0], ends[1]
    n_tail = tail.shape[0]
    weight, total = 0.0, 0.0
    weights[n_tail], sums[n_tail] = 0.0, 0.0
    for i in range(n_tail - 1, -1, -1):
        if np.abs(tail[i]) < np.inf:
            weight += decay[n_tail - 1 - i]
            total += decay[n_tail - 1 - i] * tail[i]
        weights[i], sums[i] = weight, total


@compiled
def _sum_on(
    head: Float[np.ndarray, " rows"],
    decay: Float[np.ndarray, " ages"],
    ends: Float[np.ndarray, "two ends"],
    last_whole: int,
    out: Float[np.ndarray, " rows"],
) -> None:
    """Write the weighted mean of each window that ends in the head."""
    weights, sums = ends[0], ends[1]
    weight, total = 0.0, 0.0
    fade = decay[1] if decay.shape[0] > 1 else 0.0
    for i in range(head.shape[0]):
        weight, total = fade * weight, fade * total
        if np.abs(head[i]) < np.inf:
            weight += 1.0
            total += head[i]
        end = max(i - last_whole, 0)
        age = decay[i + 1] if i + 1 < decay.shape[0] else 0.0
        out[i] = (total + age * sums[end]) / (weight + age * weights[end])
