"""Correlations of all pairs of symbols over trailing windows, each on the rows that both have."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16
from numpy.typing import DTypeLike

from plumbline.kernels.compilation import compiled
from plumbline.kernels.result_memory import empty_arrays
from plumbline.kernels.window_levels import Levels
from plumbline.kernels.window_pairs import (
    LANES,
    Span,
    Sums,
    Tile,
    Windows,
    add_up,
    correlate_beside,
    correlate_plain,
    empty_sums,
    empty_tile,
    read_tile,
    repair,
    span_of,
    stop_of,
    sum_beside,
)

_WIDTH = 128  # symbols side by side, whose sums stay in fast memory
_STRIP = 16  # symbols that are laid beside those, one by one
_TASK = 64  # symbols of a task


class _Others(NamedTuple):
    """Symbols that others are laid beside, those with a gap first; widths are whole vectors.

    Parameters
    ----------
    symbols : rows of the returns.
    place, total, root : of the pairs and of the levels, for each date.
    """

    symbols: Int[np.ndarray, " symbols"]
    place: Int[np.ndarray, "windows width"]
    total: Float[np.ndarray, "windows width"]
    root: Float[np.ndarray, "windows width"]


class _Room(NamedTuple):
    """What some symbols are laid beside others in."""

    strip: Tile
    tile: Tile
    sums: Sums
    products: Float[np.ndarray, "windows width"]
    values: Float[np.ndarray, "windows width"]


class Pairs(NamedTuple):
    """Upper triangles without the diagonal, row by row, of the symbols that are held on each date.

    Parameters
    ----------
    start : place of each date's first pair; the last entry is how many there are.
    n_held : symbols of each date.
    place : of a symbol among those of a date; -1 if it is not held.
    values : correlations, between -1 and 1; NaN of a pair with too few rows, or of which one does
        not move on them.
    counts : rows that both have.
    """

    start: Int[np.ndarray, " dates_and_one"]
    n_held: Int[np.ndarray, " dates"]
    place: Int[np.ndarray, "dates symbols"]
    values: Float[np.ndarray, " pairs"]
    counts: UInt16[np.ndarray, " pairs"]


def pair_correlation(
    windows: Windows,
    levels: Levels,
    held: Bool[np.ndarray, "symbols dates"],
    map_over: Callable[..., Any] = map,
    dtype: DTypeLike = np.float32,
) -> Pairs:
    """Return the correlation of each pair of symbols that are held on a date, on all dates.

    Parameters
    ----------
    windows : of the dates.
    levels : of the windows.
    held : symbols that pairs are made of.
    map_over : ``map``, or that of an executor of threads.
    dtype : of the values.

    Notes
    -----
    Cost: O(pairs x rows) for the windows that end in one block, a few operations for each further
    date. Six times that for a symbol with a gap.
    """
    n_held = held.sum(axis=0)
    sizes = n_held * (n_held - 1) // 2
    start = np.append(0, np.cumsum(sizes))
    place = np.where(held, np.cumsum(held, axis=0) - 1, -1).T
    n_pairs = (int(start[-1]),)
    room = empty_arrays((n_pairs, dtype), (n_pairs, np.uint16))
    out = Pairs(start, n_held, np.ascontiguousarray(place), *room)
    parts = []
    first = 0
    while first < windows.ends.size:
        dates = (first, stop_of(windows, first))
        own = np.flatnonzero(held[:, slice(*dates)].any(axis=1))
        is_plain = levels.is_plain[slice(*dates)].all(axis=0)
        parts += [(own, is_plain, dates, i) for i in range(0, own.size, _TASK)]
        first = dates[1]

    def fill(part: tuple[np.ndarray, np.ndarray, tuple[int, int], int]) -> None:
        own, is_plain, dates, i = part
        _fill(windows, levels, (own, is_plain), dates, i, out)

    for _ in map_over(fill, parts):
        pass
    return out


@compiled
def _fill(
    windows: Windows,
    levels: Levels,
    symbols: tuple[Int[np.ndarray, " held"], Bool[np.ndarray, " symbols"]],
    dates: tuple[int, int],
    task: int,
    out: Pairs,
) -> None:
    """Write the pairs of some symbols with all that come later."""
    held, is_plain = symbols
    n_dates = dates[1] - dates[0]
    span = span_of(windows, dates[0], dates[1])
    n_rows = span.ends[-1] + 1
    room = _Room(
        empty_tile(n_rows, _STRIP),
        empty_tile(n_rows, _WIDTH),
        empty_sums(n_dates, _WIDTH),
        np.empty((n_dates, _WIDTH)),
        np.empty((n_dates, _WIDTH)),
    )
    end = min(task + _TASK, held.size)
    for low in range(task, end, _STRIP):
        ones = held[low : min(low + _STRIP, end)]
        read_tile(windows, ones, span, room.strip)
        for left in range(low + 1, held.size, _WIDTH):
            mixed = held[left : left + _WIDTH]
            flags = is_plain[mixed]
            gaps = mixed[~flags]
            others = _others_of(levels, np.append(gaps, mixed[flags]), dates, out)
            read_tile(windows, others.symbols, span, room.tile)
            for i in range(ones.size):
                n_gaps = gaps.size if is_plain[ones[i]] else mixed.size
                _correlate(windows, levels, (ones[i], i), (others, n_gaps), (dates[0], span), room)
                _write(ones[i], others, dates[0], room, out)


@compiled
def _others_of(
    levels: Levels, symbols: Int[np.ndarray, " width"], dates: tuple[int, int], out: Pairs
) -> _Others:
    first, stop = dates
    shape = (stop - first, -(-symbols.size // LANES) * LANES)
    found = _Others(symbols, np.full(shape, -1), np.zeros(shape), np.zeros(shape))
    for d in range(first, stop):
        for k in range(symbols.size):
            found.place[d - first, k] = out.place[d, symbols[k]]
            found.total[d - first, k] = levels.total[d, symbols[k]]
            found.root[d - first, k] = levels.root[d, symbols[k]]
    return found


@compiled
def _correlate(
    windows: Windows,
    levels: Levels,
    one: tuple[int, int],
    beside: tuple[_Others, int],
    dates: tuple[int, Span],
    room: _Room,
) -> None:
    """Correlate a symbol with others over all windows, and count the rows."""
    symbol, i = one
    others, n_gaps = beside
    first, span = dates
    n_windows, width = others.place.shape
    middle = -(-n_gaps // LANES) * LANES  # no vector is part of both kinds
    if middle > 0:
        sum_beside(room.strip, i, room.tile, (0, middle), span, room.sums)
    add_up(room.strip.values[:, i].copy(), room.tile.values, (middle, width), span, room.products)
    shift, shifts = room.strip.shift[i], room.tile.shift[:middle]
    for at in range(n_windows):
        size = span.ends[at] - span.starts[at] + 1
        values, d = room.values[at], first + at
        n_direct = correlate_beside(room.sums, at, shift, shifts, windows.least, values[:middle])
        if n_direct > 0:
            rows = (span.first + span.starts[at], span.first + span.ends[at] + 1)
            repair(windows, symbol, others.symbols[:n_gaps], rows, values)
        known = (others.total[at, middle:width], others.root[at, middle:width])
        products, kept = room.products[at, : width - middle], values[middle:width]
        correlate_plain(
            levels.total[d, symbol], levels.root[d, symbol], known, products, size, kept
        )
        room.sums.size[at, middle:width] = size


@compiled
def _write(one: int, others: _Others, first: int, room: _Room, out: Pairs) -> None:
    """Write the pairs of a symbol with those that come later."""
    n_windows, width = others.place.shape
    for at in range(n_windows):
        d = first + at
        mine, n = out.place[d, one], out.n_held[d]
        if mine < 0:
            continue
        base = out.start[d] + mine * n - mine * (mine + 1) // 2 - mine - 1
        places, values, sizes = others.place[at], room.values[at], room.sums.size[at]
        for k in range(width):
            if places[k] > mine:
                out.values[base + places[k]] = values[k]
                out.counts[base + places[k]] = np.uint16(sizes[k])
