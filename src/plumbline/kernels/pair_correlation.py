"""Correlations of all pairs of symbols over one window, each pair on the rows that both have.

Sums run over the rows in their order for each pair, whatever other symbols there are and wherever
they stand, so a pair has the same bits beside any others.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

from plumbline.kernels.compilation import compiled

_ROWS = 3  # rows that are added in one step
_WIDTH = 512  # symbols side by side, whose sums stay in the fastest memory
_STRIP = 4  # symbols that share what is read of the others
_FLAT = 1e-24  # share of the squared mean below which a variance is rounding


def pair_correlation(
    returns: Float[np.ndarray, "rows symbols"], min_obs: int
) -> tuple[Float[np.ndarray, " pairs"], UInt16[np.ndarray, " pairs"]]:
    """Return the correlation of each pair of columns, and the rows that it is over.

    Parameters
    ----------
    returns : of one window, 65,535 rows at most; NaN for missing.
    min_obs : rows that a pair needs.

    Returns
    -------
    The upper triangle without the diagonal, row by row: (0, 1), (0, 2), … NaN of a pair with too
    few rows, or of which one does not move on them. Between -1 and 1.

    Notes
    -----
    Cost: O(rows x symbols²), for symbols without a gap in the window a few operations at a time.
    """
    n_rows, n = returns.shape
    out = np.full(n * (n - 1) // 2, np.nan)
    counts = np.full(out.size, n_rows, dtype=np.uint16)
    is_missing = ~np.isfinite(returns)
    whole = np.flatnonzero(~is_missing.any(axis=0))
    if n_rows >= max(min_obs, 2) and whole.size:
        padded = -(-n_rows // _ROWS) * _ROWS
        scores = np.zeros((padded, -(-whole.size // _STRIP) * _STRIP))
        moves = np.zeros(whole.size, dtype=np.bool_)
        _score(returns, whole, scores, moves)
        _fill_whole(scores, whole, moves, n, out)
    if whole.size < n:
        filled = np.where(is_missing, 0.0, returns)
        present = np.where(is_missing, 0.0, 1.0)
        _fill_gaps(filled, present, is_missing.any(axis=0), min_obs, out, counts)
    return out, counts


@compiled
def _place(i: int, j: int, n: int) -> int:
    """Return where the pair of i and a later j stands in the triangle."""
    return i * n - i * (i + 1) // 2 + j - i - 1


@compiled
def _score(
    returns: Float[np.ndarray, "rows symbols"],
    whole: Int[np.ndarray, " whole"],
    scores: Float[np.ndarray, "padded strips"],
    moves: Bool[np.ndarray, " whole"],
) -> None:
    """Write columns centred and of length 1; leave those that do not move at 0."""
    n_rows = returns.shape[0]
    for k in range(whole.size):
        s = whole[k]
        total = 0.0
        for row in range(n_rows):
            total += returns[row, s]
        mean, squares = total / n_rows, 0.0
        for row in range(n_rows):
            squares += (returns[row, s] - mean) * (returns[row, s] - mean)
        moves[k] = squares > _FLAT * n_rows * mean * mean and squares > 0.0
        if moves[k]:
            length = np.sqrt(squares)
            for row in range(n_rows):
                scores[row, k] = (returns[row, s] - mean) / length


@compiled
def _fill_whole(
    scores: Float[np.ndarray, "padded strips"],
    whole: Int[np.ndarray, " whole"],
    moves: Bool[np.ndarray, " whole"],
    n: int,
    out: Float[np.ndarray, " pairs"],
) -> None:
    n_whole = whole.size
    sums = np.empty((_STRIP, _WIDTH))
    for first in range(0, n_whole, _STRIP):
        for left in range(first, n_whole, _WIDTH):
            right = min(left + _WIDTH, n_whole)
            width = right - left
            sums[:] = 0.0
            for row in range(0, scores.shape[0], _ROWS):
                _add(scores[row : row + _ROWS], first, left, width, sums)
            for i in range(first, min(first + _STRIP, n_whole)):
                for j in range(max(left, i + 1), right):
                    if moves[i] and moves[j]:
                        value = sums[i - first, j - left]
                        out[_place(whole[i], whole[j], n)] = min(max(value, -1.0), 1.0)


@compiled
def _add(
    rows: Float[np.ndarray, "three strips"],
    first: int,
    left: int,
    width: int,
    sums: Float[np.ndarray, "four width"],
) -> None:
    b0, b1, b2 = (
        rows[0, left : left + width],
        rows[1, left : left + width],
        rows[2, left : left + width],
    )
    s0, s1, s2, s3 = sums[0], sums[1], sums[2], sums[3]
    a00, a01, a02 = rows[0, first], rows[1, first], rows[2, first]
    a10, a11, a12 = rows[0, first + 1], rows[1, first + 1], rows[2, first + 1]
    a20, a21, a22 = rows[0, first + 2], rows[1, first + 2], rows[2, first + 2]
    a30, a31, a32 = rows[0, first + 3], rows[1, first + 3], rows[2, first + 3]
    for j in range(width):
        x, y, z = b0[j], b1[j], b2[j]
        s0[j] = s0[j] + a00 * x + a01 * y + a02 * z
        s1[j] = s1[j] + a10 * x + a11 * y + a12 * z
        s2[j] = s2[j] + a20 * x + a21 * y + a22 * z
        s3[j] = s3[j] + a30 * x + a31 * y + a32 * z


@compiled
def _fill_gaps(
    filled: Float[np.ndarray, "rows symbols"],
    present: Float[np.ndarray, "rows symbols"],
    has_gap: Bool[np.ndarray, " symbols"],
    min_obs: int,
    out: Float[np.ndarray, " pairs"],
    counts: UInt16[np.ndarray, " pairs"],
) -> None:
    """Write the counts and correlations of the pairs of which one has a gap.

    Parameters
    ----------
    filled, present : values and 1.0, both 0.0 where there is none.
    """
    n_rows, n = filled.shape
    least = max(min_obs, 2)
    x, has_x = np.empty(n_rows), np.empty(n_rows)
    sums = np.empty((6, _WIDTH))
    for i in range(n):
        if not has_gap[i]:
            continue
        for row in range(n_rows):
            x[row], has_x[row] = filled[row, i], present[row, i]
        for left in range(0, n, _WIDTH):
            width = min(_WIDTH, n - left)
            _sum_beside(x, has_x, filled, present, (left, width), sums)
            for k in range(width):
                j = left + k
                if j == i or (has_gap[j] and j < i):
                    continue
                at = _place(min(i, j), max(i, j), n)
                size, x_mean, y_mean = sums[0, k], sums[1, k], sums[2, k]
                xx, yy = sums[3, k], sums[4, k]
                counts[at] = int(size)
                moves = xx > _FLAT * size * x_mean * x_mean and yy > _FLAT * size * y_mean * y_mean
                if size >= least and moves:
                    value = sums[5, k] / (np.sqrt(xx) * np.sqrt(yy))
                    out[at] = min(max(value, -1.0), 1.0)


@compiled
def _sum_beside(
    x: Float[np.ndarray, " rows"],
    has_x: Float[np.ndarray, " rows"],
    filled: Float[np.ndarray, "rows symbols"],
    present: Float[np.ndarray, "rows symbols"],
    others: tuple[int, int],
    sums: Float[np.ndarray, "six width"],
) -> None:
    """Write count, means, squares and products of one column with each of some others.

    Rows are cut out one by one: the compiler adds side by side only what it knows to be dense.
    """
    left, width = others
    right = left + width
    sums[:] = 0.0
    n, x_mean, y_mean = sums[0, :width], sums[1, :width], sums[2, :width]
    xx, yy, xy = sums[3, :width], sums[4, :width], sums[5, :width]
    for row in range(x.size):
        if has_x[row] == 0.0:
            continue
        value, has_y, y = x[row], present[row, left:right], filled[row, left:right]
        for k in range(n.size):
            n[k] += has_y[k]
            x_mean[k] += has_y[k] * value
            y_mean[k] += y[k]
    for k in range(n.size):
        size = max(n[k], 1.0)
        x_mean[k] /= size
        y_mean[k] /= size
    for row in range(x.size):
        if has_x[row] == 0.0:
            continue
        value, has_y, y = x[row], present[row, left:right], filled[row, left:right]
        for k in range(n.size):
            a = (value - x_mean[k]) * has_y[k]
            b = (y[k] - y_mean[k]) * has_y[k]
            xx[k] += a * a
            yy[k] += b * b
            xy[k] += a * b
