"""Correlations of the few symbols of a portfolio on some dates, eight symbols abreast.

The sums are those of :mod:`plumbline.kernels.window_pairs`, in the same order, so a pair has the
bits that it has in the table of all pairs. Symbols with a gap come first: of those that have none,
a pair needs no sum but that of its products.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.abreast import (
    LANES,
    choose,
    is_any,
    load,
    load_one,
    room_for,
    root,
    spread,
    store,
)
from plumbline.kernels.compilation import compiled
from plumbline.kernels.window_levels import Levels
from plumbline.kernels.window_pairs import DIRECT, FAR, FLAT, Span, Windows, repair, span_of

_ABREAST = 3  # sums that are added up together, as each waits for itself
# Rows of a block of symbols: values, squares, presence.
_VALUES, _SQUARES, _PRESENT, _COLUMNS = 0, 1, 2, 3
# Sums over windows: those of a symbol beside a block, correlations of three blocks, and what the
# symbols of each block have by themselves: rows, values, squares, or where none has a gap total,
# root.
_BESIDE, _FOUND, _OWN = 0, 6, 9


class _Room(NamedTuple):
    """Symbols of a portfolio over the rows of a span, eight a block, those with a gap first.

    Parameters
    ----------
    order : place of each among the portfolio's.
    symbols : in that order.
    n_gaps : symbols that have one.
    n_mixed : blocks that have such a symbol.
    shift : return of the head, 0 where it is missing.
    rows : of each block, eight symbols a row: returns less the shift, 0 for missing; their squares;
        1 where there is a return and 0 where it is missing, of mixed blocks alone. Ones, last.
    sums : eight symbols a window.
    """

    order: Int[np.ndarray, " symbols"]
    symbols: Int[np.ndarray, " symbols"]
    n_gaps: int
    n_mixed: int
    shift: Float[np.ndarray, " blocks_times_lanes"]
    rows: Float[np.ndarray, " entries"]
    sums: Float[np.ndarray, " entries"]


@compiled
def fill_pairs(
    windows: Windows,
    levels: Levels,
    symbols: Int[np.ndarray, " symbols"],
    dates: tuple[int, int],
    pairs: Float[np.ndarray, "pairs dates"],
) -> bool:
    """Write the correlations of symbols on some dates whose windows end in one block.

    Parameters
    ----------
    pairs : of symbol i with each j before it, from ``pair_of(i, 0)`` on.

    Returns
    -------
    Whether any is missing.

    Notes
    -----
    Cost: O(symbols² x rows), a few operations a pair for each further date; three to six times that
    for a pair with a gap.
    """
    span = span_of(windows, dates[0], dates[1])
    room = _room_for(levels, symbols, dates, span)
    _read(windows, span, room)
    _fill_own(levels, dates, span, room)
    lacks = False
    for r in range(1, symbols.size):
        n_before = -(-r // LANES)
        for block in range(min(n_before, room.n_mixed)):
            _correlate_mixed(windows, room, (r, block), span)
            lacks |= _write(room, (r, block), 0, pairs)
        for block in range(room.n_mixed, n_before, _ABREAST):
            _correlate_plain(room, (r, block), span)
            for k in range(min(_ABREAST, n_before - block)):
                lacks |= _write(room, (r, block + k), k, pairs)
    return lacks


@compiled
def pair_of(i: int, j: int) -> int:
    """Return the place of the pair of a symbol and one before it."""
    return i * (i - 1) // 2 + j


@compiled
def _room_for(
    levels: Levels, symbols: Int[np.ndarray, " symbols"], dates: tuple[int, int], span: Span
) -> _Room:
    n, n_rows = symbols.size, span.ends[-1] + 1
    has_gap = np.zeros(n, np.bool_)
    for k in range(n):
        for d in range(dates[0], dates[1]):
            has_gap[k] |= not levels.is_plain[d, symbols[k]]
    order = np.append(np.flatnonzero(has_gap), np.flatnonzero(~has_gap))
    n_gaps = int(np.sum(has_gap))
    n_blocks, n_mixed = -(-n // LANES), -(-n_gaps // LANES)
    rows = room_for((n_blocks * _COLUMNS + 1) * n_rows * LANES)
    sums = room_for((n_blocks * _COLUMNS + _OWN) * span.ends.size * LANES)
    return _Room(order, symbols[order], n_gaps, n_mixed, np.zeros(n_blocks * LANES), rows, sums)


@compiled
def _column(span: Span, block: int, column: int) -> int:
    """Return where the rows of a block begin."""
    return int((block * _COLUMNS + column) * (span.ends[-1] + 1) * LANES)


@compiled
def _sum(span: Span, what: int) -> int:
    """Return where some sums over windows begin."""
    return int(what * span.ends.size * LANES)


@compiled
def _read(windows: Windows, span: Span, room: _Room) -> None:
    """Write the rows of the symbols, and ones."""
    n, n_rows, rows = room.symbols.size, span.ends[-1] + 1, room.rows
    n_blocks = -(-n // LANES)
    rows[_column(span, n_blocks, 0) :] = 1.0
    rows[_column(span, n_blocks - 1, 0) : _column(span, n_blocks, 0)] = 0.0  # no symbols: no NaN
    for k in range(n):
        block, lane = k // LANES, k % LANES
        own = windows.returns[room.symbols[k], span.first : span.first + n_rows]
        shift = own[span.head] if span.head >= 0 and np.isfinite(own[span.head]) else 0.0
        room.shift[k] = shift
        at = _column(span, block, _VALUES) + lane
        to_squares = _column(span, 0, _SQUARES)
        for row in range(n_rows):
            value = own[row] - shift if np.isfinite(own[row]) else 0.0
            rows[at] = value
            rows[at + to_squares] = value * value
            at += LANES
        if block < room.n_mixed:
            at = _column(span, block, _PRESENT) + lane
            for row in range(n_rows):
                rows[at] = 1.0 if np.isfinite(own[row]) else 0.0
                at += LANES


@compiled
def _fill_own(levels: Levels, dates: tuple[int, int], span: Span, room: _Room) -> None:
    """Write what each symbol has by itself in each window."""
    n, sums = room.symbols.size, room.sums
    n_blocks = -(-n // LANES)
    ones = _column(span, n_blocks, 0)
    for block in range(room.n_mixed):
        at = _column(span, block, 0)
        y = (_column(span, block, _PRESENT), at, _column(span, block, _SQUARES))
        _add_three(room, (ones, ones, ones), y, span, _OWN + block * _COLUMNS)
    for k in range(room.n_mixed * LANES, n_blocks * LANES):
        block, symbol = k // LANES, room.symbols[min(k, n - 1)]  # no symbols: what one has
        total, root = _sum(span, _OWN + block * _COLUMNS), _sum(span, _OWN + block * _COLUMNS + 1)
        for d in range(dates[0], dates[1]):
            at = (d - dates[0]) * LANES + k % LANES
            sums[total + at] = levels.total[d, symbol]
            sums[root + at] = levels.root[d, symbol]


@compiled
def _add_three(
    room: _Room, x: tuple[int, int, int], y: tuple[int, int, int], span: Span, what: int
) -> None:
    """Write three sums over each window of products of the rows of one symbol and of a block.

    Parameters
    ----------
    x, y : where those begin.
    what : of the sums, the first that is written.
    """
    rows, sums = room.rows, room.sums
    out, width = _sum(span, what), _sum(span, 1)
    head, n = max(span.head, 0), span.starts.size
    a, b, c = spread(0.0), spread(0.0), spread(0.0)
    reached = head
    for at in range(n - 1, -1, -1):
        for row in range(reached - 1, span.starts[at] - 1, -1):
            a, b, c = _step(rows, x, y, row * LANES, (a, b, c))
        reached = min(reached, span.starts[at])
        k = out + at * LANES
        store(sums, k, a)
        store(sums, k + width, b)
        store(sums, k + 2 * width, c)
    a, b, c = spread(0.0), spread(0.0), spread(0.0)
    reached = head
    for at in range(n):
        for row in range(reached, span.ends[at] + 1):
            a, b, c = _step(rows, x, y, row * LANES, (a, b, c))
        reached = span.ends[at] + 1
        k = out + at * LANES
        store(sums, k, load(sums, k) + a)
        store(sums, k + width, load(sums, k + width) + b)
        store(sums, k + 2 * width, load(sums, k + 2 * width) + c)


@compiled
def _step(
    rows: Float[np.ndarray, " entries"],
    x: tuple[int, int, int],
    y: tuple[int, int, int],
    at: int,
    sums: tuple[Any, Any, Any],
) -> tuple[Any, Any, Any]:
    """Return three sums with the products of one more row."""
    return (
        sums[0] + load_one(rows, x[0] + at) * load(rows, y[0] + at),
        sums[1] + load_one(rows, x[1] + at) * load(rows, y[1] + at),
        sums[2] + load_one(rows, x[2] + at) * load(rows, y[2] + at),
    )


@compiled
def _correlate_mixed(windows: Windows, room: _Room, pair: tuple[int, int], span: Span) -> None:
    """Correlate a symbol with those of a block, some of which have a gap."""
    r, block = pair
    own, lane, sums = r // LANES, r % LANES, room.sums
    x, xx = _column(span, own, _VALUES) + lane, _column(span, own, _SQUARES) + lane
    y, yy = _column(span, block, _VALUES), _column(span, block, _SQUARES)
    there = _column(span, block, _PRESENT)
    _add_three(room, (x, xx, x), (there, there, y), span, _BESIDE)
    width = _sum(span, 1)
    to_size = _sum(span, _OWN + block * _COLUMNS)
    to_y, to_yy = to_size + width, to_size + 2 * width
    if r < room.n_gaps:  # else every row that a symbol of the block has, both have
        has_x = _column(span, own, _PRESENT) + lane
        _add_three(room, (has_x, has_x, has_x), (there, y, yy), span, _BESIDE + _ABREAST)
        to_size, to_y, to_yy = 3 * width, 4 * width, 5 * width
    shift, shifts = spread(room.shift[r]), load(room.shift, block * LANES)
    for at in range(span.ends.size):
        k = at * LANES
        value = _correlation_of(
            (
                load(sums, to_size + k),
                load(sums, k),
                load(sums, to_y + k),
                load(sums, width + k),
                load(sums, to_yy + k),
                load(sums, 2 * width + k),
            ),
            (shift, shifts),
            windows.least,
        )
        found = _FOUND * width + k
        store(sums, found, value)
        if is_any(value == DIRECT):
            window = (span.first + span.starts[at], span.first + span.ends[at] + 1)
            others = room.symbols[block * LANES : (block + 1) * LANES]
            repair(windows, room.symbols[r], others, window, sums[found : found + LANES])


@compiled
def _correlation_of(
    sums: tuple[Any, Any, Any, Any, Any, Any], shifts: tuple[Any, Any], least: int
) -> Any:
    """Return what :func:`~plumbline.kernels.window_pairs.correlation_of` does, of eight pairs."""
    size, sx, sy, sxx, syy, sxy = sums
    inverse = 1.0 / size
    x_part, y_part = sx * sx * inverse, sy * sy * inverse
    xx, yy = sxx - x_part, syy - y_part
    x_mean, y_mean = sx * inverse + shifts[0], sy * inverse + shifts[1]
    value = _within_one((sxy - sx * sy * inverse) / (root(xx) * root(yy)))
    moves = (
        (xx > FLAT * size * x_mean * x_mean)
        & (yy > FLAT * size * y_mean * y_mean)
        & (xx > 0.0)
        & (yy > 0.0)
    )
    is_far = (x_part > FAR * xx) | (y_part > FAR * yy)
    return choose(size >= least, choose(is_far, DIRECT, choose(moves, value, np.nan)), np.nan)


@compiled
def _within_one(value: Any) -> Any:
    value = choose(value > 1.0, 1.0, value)
    return choose(value < -1.0, -1.0, value)


@compiled
def _correlate_plain(room: _Room, pair: tuple[int, int], span: Span) -> None:
    """Correlate a symbol with those of three blocks, none of which have a gap.

    Of fewer blocks, the last is done again.
    """
    r, block = pair
    own, lane, last, sums = r // LANES, r % LANES, (r - 1) // LANES, room.sums
    x, second, third = _column(span, own, 0) + lane, min(block + 1, last), min(block + 2, last)
    y = (_column(span, block, 0), _column(span, second, 0), _column(span, third, 0))
    _add_three(room, (x, x, x), y, span, _BESIDE)
    width, mine = _sum(span, 1), _sum(span, _OWN + own * _COLUMNS) + lane
    for n in range(min(_ABREAST, last - block + 1)):
        theirs = _sum(span, _OWN + (block + n) * _COLUMNS)
        products, found = _sum(span, _BESIDE + n), _sum(span, _FOUND + n)
        for at in range(span.ends.size):
            k = at * LANES
            inverse = 1.0 / (span.ends[at] - span.starts[at] + 1)
            part = load_one(sums, mine + k) * load(sums, theirs + k) * inverse
            roots = load_one(sums, mine + width + k) * load(sums, theirs + width + k)
            store(sums, found + k, _within_one((load(sums, products + k) - part) / roots))


@compiled
def _write(
    room: _Room, pair: tuple[int, int], which: int, pairs: Float[np.ndarray, "pairs dates"]
) -> bool:
    """Write the correlations of a symbol with those of a block; return whether any is missing."""
    r, block = pair
    n_dates, lacks = pairs.shape[1], False
    for lane in range(min(LANES, r - block * LANES)):
        one, other = room.order[r], room.order[block * LANES + lane]
        place = pair_of(max(one, other), min(one, other))
        found = (_FOUND + which) * n_dates * LANES + lane
        for at in range(n_dates):
            value = room.sums[found + at * LANES]
            pairs[place, at] = value
            lacks |= np.isnan(value)
    return lacks
