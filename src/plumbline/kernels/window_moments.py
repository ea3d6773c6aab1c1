"""Moments over trailing windows without subtraction: suffix of one block plus prefix of the next.

Blocks are as long as the window and start at absolute multiples of it (van Herk 1992), so nothing
outside a window enters its sums, and the same bars give the same bits however the series was cut.
Sums are taken of deviations from one value of the window itself: the first of its head that is
there, or, before there is one, the last of its tail. A sum of squared deviations is then at most
2n times that about the mean, which bounds what cancellation can cost.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.kernels.column_tiles import TILE, read_columns, write_columns
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import Group, block_at, n_blocks
from plumbline.kernels.moment_lanes import are_whole, fill_whole_block, make_lanes
from plumbline.kernels.window_counts import count_windows

_SUM, _SQUARE, _CUBE, _KINDS = 0, 1, 2, 3  # Σd, Σd², Σd³
_MEAN, _DEVIATION, _SKEW = 0, 1, 2  # figures, in the order of their sums


class Scratch(NamedTuple):
    """Sums over the ends of a tail and the beginnings of a head, and the figures of a head.

    ``suffix`` and ``prefix`` hold sums by kind; ``figures`` mean, standard deviation and skewness,
    as many as are asked for; ``work`` the deviations of a piece, 1 / n and 1 / (n - 1).
    """

    suffix: Float[np.ndarray, "kinds ends"]
    prefix: Float[np.ndarray, "kinds rows"]
    figures: Float[np.ndarray, "figures lanes rows"]
    counts: Float[np.ndarray, "lanes rows"]
    work: Float[np.ndarray, "three rows"]


@compiled
def fill_moments(
    x: Float[np.ndarray, "bars assets"],
    window: int,
    offset: int,
    min_obs: int,
    out: Float[np.ndarray, "figures bars assets"],
    n_obs: Float[np.ndarray, "count_bars count_assets"],
) -> None:
    """Write mean, standard deviation and skewness of each window, and its count. O(T·A).

    Parameters
    ----------
    x : values; what is not finite is missing.
    window, offset : length of a block, and the place of row 0 in its own.
    min_obs : values that a figure needs.
    out : 1 to 3 figures, in this order; NaN where there is none.
    n_obs : number of values of each window; has no rows if it is not asked for.
    """
    n_bars, n_assets = x.shape
    n_figures = out.shape[0]
    longest = min(window, n_bars)
    group = Group(-offset, n_bars)
    columns = np.empty((2, TILE, longest))
    scratch = Scratch(
        np.zeros((_KINDS, longest + 1)),
        np.zeros((_KINDS, longest)),
        np.empty((n_figures, TILE, longest)),
        np.empty((TILE, longest)),
        np.empty((3, longest)),
    )
    figures = scratch.figures
    lanes = make_lanes(longest)
    has_lanes = n_assets >= TILE and n_figures <= _SKEW
    for a in range(0, n_assets, TILE):
        width, corner = min(TILE, n_assets - a), min(a, n_assets - TILE)
        was_whole, is_read = False, True
        for number in range(n_blocks(group, window)):
            block = block_at(group, number, window)
            n_tail, n_head = block.head - block.tail, block.stop - block.head
            is_whole = has_lanes and are_whole(x, block.head, block.stop, corner)
            if is_whole and was_whole and n_tail == window:
                rows = (block.head, block.stop)
                fill_whole_block(x, rows, corner, window, lanes, out)
                n_obs[block.head : block.stop, a : a + width] = window
                is_read = False
                continue
            tails, heads = columns[number % 2], columns[(number + 1) % 2]
            if not is_read:
                read_columns(x, block.tail, a, tails[:width, :n_tail])
            read_columns(x, block.head, a, heads[:width, :n_head])
            was_whole, is_read = is_whole, True
            for j in range(width):
                _fit(tails[j, :n_tail], heads[j, :n_head], window, min_obs, scratch, j)
            for kind in range(n_figures):
                write_columns(figures[kind, :width, :n_head], out[kind], block.head, a)
            if n_obs.shape[0]:
                write_columns(scratch.counts[:width, :n_head], n_obs, block.head, a)


@compiled
def _fit(
    tail: Float[np.ndarray, " tail_rows"],
    head: Float[np.ndarray, " rows"],
    window: int,
    min_obs: int,
    scratch: Scratch,
    lane: int,
) -> None:
    """Write the figures of the windows that end in a head, for one asset."""
    n_head = head.shape[0]
    counts, share, freedom = scratch.counts[lane], scratch.work[1], scratch.work[2]
    if count_windows(tail, head, window, counts[:n_head]):
        share[:n_head] = 1.0 / window if window >= min_obs else np.nan
        freedom[:n_head] = 1.0 / (window - 1.0)
    else:
        _leave_shares(counts[:n_head], float(min_obs), share, freedom)
    last_whole = window - tail.shape[0] - 1  # the last row whose window holds all of the tail
    first = first_finite(head)
    if first > 0:
        shift = last_finite(tail)
        _sum(tail, head, shift, 0, scratch)
        _leave((0, first), last_whole, shift, scratch, lane)
    if first < n_head:
        shift = head[first]
        _sum(tail, head, shift, first, scratch)
        _leave((first, n_head), last_whole, shift, scratch, lane)


@compiled
def first_finite(values: Float[np.ndarray, " rows"]) -> int:
    """Return the place of the first value that is there, or how many there are."""
    for i in range(values.shape[0]):
        if abs(values[i]) < math.inf:
            return i
    return len(values)


@compiled
def last_finite(values: Float[np.ndarray, " rows"]) -> float:
    """Return the last value that is there; 0 if there is none."""
    for i in range(values.shape[0] - 1, -1, -1):
        if abs(values[i]) < math.inf:
            return float(values[i])
    return 0.0


@compiled
def _sum(
    tail: Float[np.ndarray, " tail_rows"],
    head: Float[np.ndarray, " rows"],
    shift: float,
    first: int,
    scratch: Scratch,
) -> None:
    """Sum deviations over every end of the tail and every beginning of the head from ``first``."""
    n_tail, n_head = tail.shape[0], head.shape[0]
    work, has_cubes = scratch.work[0], scratch.figures.shape[0] > _SKEW
    suffix, prefix = scratch.suffix, scratch.prefix
    suffix[:, n_tail] = 0.0
    _deviations(tail, shift, work)
    _add_back(work[:n_tail], suffix[_SUM], suffix[_SQUARE])
    if has_cubes:
        _add_cubes_back(work[:n_tail], suffix[_CUBE])
    _deviations(head[first:], shift, work)
    # a row is cut after it was taken: a piece of a table has no known distance between values
    _add_on(work[: n_head - first], prefix[_SUM][first:n_head], prefix[_SQUARE][first:n_head])
    if has_cubes:
        _add_cubes_on(work[: n_head - first], prefix[_CUBE][first:n_head])


@compiled
def _deviations(
    values: Float[np.ndarray, " rows"], shift: float, work: Float[np.ndarray, " rows"]
) -> None:
    """Write deviations, 0 for a missing value."""
    for i in range(values.shape[0]):
        work[i] = values[i] - shift if np.abs(values[i]) < np.inf else 0.0


@compiled
def _add_back(
    work: Float[np.ndarray, " rows"],
    sums: Float[np.ndarray, " ends"],
    squares: Float[np.ndarray, " ends"],
) -> None:
    total, square = 0.0, 0.0
    for i in range(work.shape[0] - 1, -1, -1):
        deviation = work[i]
        total += deviation
        square += deviation * deviation
        sums[i] = total
        squares[i] = square


@compiled
def _add_on(
    work: Float[np.ndarray, " rows"],
    sums: Float[np.ndarray, " rows"],
    squares: Float[np.ndarray, " rows"],
) -> None:
    total, square = 0.0, 0.0
    for i in range(work.shape[0]):
        deviation = work[i]
        total += deviation
        square += deviation * deviation
        sums[i] = total
        squares[i] = square


@compiled
def _add_cubes_back(work: Float[np.ndarray, " rows"], cubes: Float[np.ndarray, " ends"]) -> None:
    cube = 0.0
    for i in range(work.shape[0] - 1, -1, -1):
        cube += work[i] * work[i] * work[i]
        cubes[i] = cube


@compiled
def _add_cubes_on(work: Float[np.ndarray, " rows"], cubes: Float[np.ndarray, " rows"]) -> None:
    cube = 0.0
    for i in range(work.shape[0]):
        cube += work[i] * work[i] * work[i]
        cubes[i] = cube


@compiled
def _leave(
    rows: tuple[int, int], last_whole: int, shift: float, scratch: Scratch, lane: int
) -> None:
    """Write the figures of the windows that end in some rows of the head."""
    start, stop = rows
    prefix, suffix, figures = scratch.prefix, scratch.suffix, scratch.figures
    n_figures = figures.shape[0]
    for kind in range(max(n_figures, _SQUARE + 1)):
        _join(prefix[kind], suffix[kind], rows, last_whole)
    total, square = prefix[_SUM][start:stop], prefix[_SQUARE][start:stop]
    share, freedom = scratch.work[1][start:stop], scratch.work[2][start:stop]
    _leave_mean(share, total, shift, figures[_MEAN, lane][start:stop])
    if n_figures > _DEVIATION:
        deviation = figures[_DEVIATION, lane][start:stop]
        _leave_deviation(share, freedom, total, square, deviation)
    if n_figures > _SKEW:
        count, cube = scratch.counts[lane][start:stop], prefix[_CUBE][start:stop]
        _leave_skew(count, share, total, square, cube, figures[_SKEW, lane][start:stop])


@compiled
def _join(
    sums: Float[np.ndarray, " rows"],
    ends: Float[np.ndarray, " ends"],
    rows: tuple[int, int],
    last_whole: int,
) -> None:
    """Add what each window holds of the tail: all of it up to a row, from there on its ends."""
    start, stop = rows
    split = min(max(last_whole + 1, start), stop)
    for i in range(start, split):
        sums[i] += ends[0]
    _add(sums[split:stop], ends[split - last_whole : stop - last_whole])


# Loops of one formula with few arrays: a compiler makes vector code of these and not of one loop
# over all, for which it would have to check too many pairs of arrays for overlap.


@compiled
def _add(target: Float[np.ndarray, " rows"], values: Float[np.ndarray, " rows"]) -> None:
    for i in range(target.shape[0]):
        target[i] += values[i]


@compiled
def _leave_shares(
    count: Float[np.ndarray, " rows"],
    least: float,
    share: Float[np.ndarray, " rows"],
    freedom: Float[np.ndarray, " rows"],
) -> None:
    for i in range(count.shape[0]):
        share[i] = 1.0 / count[i] if count[i] >= least else np.nan
        freedom[i] = 1.0 / (count[i] - 1.0)


@compiled
def _leave_mean(
    share: Float[np.ndarray, " rows"],
    total: Float[np.ndarray, " rows"],
    shift: float,
    out: Float[np.ndarray, " rows"],
) -> None:
    for i in range(out.shape[0]):
        mean = shift + total[i] * share[i]
        out[i] = mean if np.abs(mean) < np.inf else np.nan


@compiled
def _leave_deviation(
    share: Float[np.ndarray, " rows"],
    freedom: Float[np.ndarray, " rows"],
    total: Float[np.ndarray, " rows"],
    square: Float[np.ndarray, " rows"],
    out: Float[np.ndarray, " rows"],
) -> None:
    for i in range(out.shape[0]):
        squares = square[i] - total[i] * share[i] * total[i]
        squares = 0.0 if squares < 0.0 else squares
        deviation = np.sqrt(squares * freedom[i])
        out[i] = deviation if deviation < np.inf else np.nan


@compiled
def _leave_skew(
    count: Float[np.ndarray, " rows"],
    share: Float[np.ndarray, " rows"],
    total: Float[np.ndarray, " rows"],
    square: Float[np.ndarray, " rows"],
    cube: Float[np.ndarray, " rows"],
    out: Float[np.ndarray, " rows"],
) -> None:
    for i in range(out.shape[0]):
        n = count[i]
        step = total[i] * share[i]
        second = square[i] * share[i] - step * step
        third = cube[i] * share[i] - step * (3.0 * square[i] * share[i] - 2.0 * step * step)
        skew = np.sqrt(n * (n - 1.0)) / (n - 2.0) * third / (second * np.sqrt(second))
        out[i] = skew if n > 2.0 and np.abs(skew) < np.inf else np.nan
