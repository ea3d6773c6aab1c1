"""What symbols have by themselves in trailing windows, before they are laid beside each other."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.window_pairs import (
    FAR,
    FLAT,
    Windows,
    add_up,
    empty_tile,
    read_tile,
    span_of,
    stop_of,
)


class Levels(NamedTuple):
    """What symbols have by themselves in each window.

    Parameters
    ----------
    total : of the returns less that of the head.
    root : of the squared distances from the mean; NaN where a symbol does not move, or has too few
        returns.
    deviation : of the sample; NaN with too few returns.
    is_plain : whether no return is missing, and sums of squares keep their digits.
    """

    total: Float[np.ndarray, "dates symbols"]
    root: Float[np.ndarray, "dates symbols"]
    deviation: Float[np.ndarray, "symbols dates"]
    is_plain: Bool[np.ndarray, "dates symbols"]


def levels_of(windows: Windows) -> Levels:
    """Return what symbols have by themselves in each window.

    Cost: O(symbols x rows) for the windows that end in one block.
    """
    shape = (windows.ends.size, windows.returns.shape[0])
    out = Levels(
        np.zeros(shape),
        np.full(shape, np.nan),
        np.full(shape[::-1], np.nan),
        np.zeros(shape, np.bool_),
    )
    _fill_levels(windows, out)
    return out


def levels_on(levels: Levels, dates: slice) -> Levels:
    """Return what symbols have on some of the dates."""
    return Levels(
        levels.total[dates],
        levels.root[dates],
        np.ascontiguousarray(levels.deviation[:, dates]),
        levels.is_plain[dates],
    )


@compiled
def _fill_levels(windows: Windows, out: Levels) -> None:
    n_symbols, width = windows.returns.shape[0], 64
    n_rows = min(2 * windows.length, windows.returns.shape[1])
    tile = empty_tile(n_rows, width)
    ones = np.ones(n_rows)
    size, total, squares = (
        np.empty((windows.length, width)),
        np.empty((windows.length, width)),
        np.empty((windows.length, width)),
    )
    symbols = np.arange(n_symbols)
    first = 0
    while first < windows.ends.size:
        stop = stop_of(windows, first)
        span = span_of(windows, first, stop)
        for left in range(0, n_symbols, width):
            own = symbols[left : left + width]
            read_tile(windows, own, span, tile)
            add_up(ones, tile.present, (0, own.size), span, size)
            add_up(ones, tile.values, (0, own.size), span, total)
            add_up(ones, tile.squares, (0, own.size), span, squares)
            for d in range(first, stop):
                at = d - first
                rows = span.ends[at] - span.starts[at] + 1
                for k in range(own.size):
                    n = size[at, k]
                    if n < windows.least:
                        continue
                    inverse = 1.0 / n
                    part = total[at, k] * total[at, k] * inverse
                    xx, mean = squares[at, k] - part, total[at, k] * inverse + tile.shift[k]
                    is_far = part > FAR * xx
                    if is_far:
                        begin = span.first + span.starts[at]
                        xx, mean = _spread(windows.returns[own[k], begin : begin + rows])
                    out.deviation[own[k], d] = np.sqrt(max(xx, 0.0) / (n - 1))
                    out.total[d, own[k]] = total[at, k]
                    if xx > 0.0 and xx > FLAT * n * mean * mean:
                        out.root[d, own[k]] = np.sqrt(xx)
                    out.is_plain[d, own[k]] = n == rows and not is_far
        first = stop


@compiled
def _spread(own: Float[np.ndarray, " rows"]) -> tuple[float, float]:
    """Return the squared distances from the mean, and the mean, of what is there."""
    n, mean, squares = 0, 0.0, 0.0
    for value in own:
        if np.isfinite(value):
            n += 1
            mean += value
    mean /= n
    for value in own:
        if np.isfinite(value):
            squares += (value - mean) * (value - mean)
    return squares, mean
