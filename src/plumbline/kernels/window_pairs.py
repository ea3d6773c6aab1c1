"""Sums of products of pairs of symbols over trailing windows, without subtraction.

A window is the end of one block of sessions and the beginning of the next; blocks are as long as
the window and start at absolute multiples of it. Windows that end in one block share what is added
up backwards from its first session, the head, and forwards from there, so that a further date costs
a few operations a pair and not a window. Every sum of a pair is over its own returns, in an order
that the window alone decides: a pair has the same bits beside any others, on any dates.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled

FLAT = 1e-24
"""Share of the squared mean below which a variance is rounding."""
FAR = 1000.0
"""Squared mean over variance from which sums of squares lose too many digits."""
DIRECT = 2.0
"""Stands for a correlation that must be taken from the returns themselves."""
LANES = 8
"""Symbols of a vector."""


class Windows(NamedTuple):
    """Returns of symbols, and the windows that are looked at.

    Parameters
    ----------
    returns : NaN for missing.
    ends : ascending last session of each window.
    length : sessions of a window, 65,535 at most.
    first_bar : absolute number of the first session.
    least : returns that a figure needs, 2 at least.
    """

    returns: Float[np.ndarray, "symbols sessions"]
    ends: Int[np.ndarray, " dates"]
    length: int
    first_bar: int
    least: int


class Span(NamedTuple):
    """The rows of windows that end in one block; all but ``first`` counted from the first.

    Parameters
    ----------
    first : session of the first row.
    head : row where the block begins; -1 if it begins before the returns.
    starts, ends : first and last row of each window.
    """

    first: int
    head: int
    starts: Int[np.ndarray, " windows"]
    ends: Int[np.ndarray, " windows"]


class Tile(NamedTuple):
    """Symbols side by side over the rows of a span.

    Parameters
    ----------
    values : returns less ``shift``, 0 for missing.
    squares : of the values.
    present : 1 where there is a return, 0 where it is missing.
    shift : return of the head, 0 where it is missing.
    """

    values: Float[np.ndarray, "rows symbols"]
    squares: Float[np.ndarray, "rows symbols"]
    present: Float[np.ndarray, "rows symbols"]
    shift: Float[np.ndarray, " symbols"]


class Sums(NamedTuple):
    """Sums of one symbol, x, beside others, y, over the rows that both have."""

    size: Float[np.ndarray, "windows symbols"]
    x: Float[np.ndarray, "windows symbols"]
    y: Float[np.ndarray, "windows symbols"]
    xx: Float[np.ndarray, "windows symbols"]
    yy: Float[np.ndarray, "windows symbols"]
    xy: Float[np.ndarray, "windows symbols"]


@compiled
def stop_of(windows: Windows, first: int) -> int:
    """Return the first date whose window ends in a later block than that of a date."""
    block = (windows.first_bar + windows.ends[first]) // windows.length
    stop = first + 1
    while (
        stop < windows.ends.size
        and (windows.first_bar + windows.ends[stop]) // windows.length == block
    ):
        stop += 1
    return stop


@compiled
def span_of(windows: Windows, first: int, stop: int) -> Span:
    """Return the rows of some dates whose windows end in one block."""
    length = windows.length
    head = (windows.first_bar + windows.ends[first]) // length * length - windows.first_bar
    begin = max(windows.ends[first] - length + 1, 0)
    starts, ends = np.empty(stop - first, np.int64), np.empty(stop - first, np.int64)
    for d in range(first, stop):
        starts[d - first] = max(windows.ends[d] - length + 1, 0) - begin
        ends[d - first] = windows.ends[d] - begin
    return Span(begin, head - begin if head >= 0 else -1, starts, ends)


@compiled
def empty_tile(n_rows: int, n_symbols: int) -> Tile:
    """Return room for symbols, all 0."""
    return Tile(
        np.zeros((n_rows, n_symbols)),
        np.zeros((n_rows, n_symbols)),
        np.zeros((n_rows, n_symbols)),
        np.zeros(n_symbols),
    )


@compiled
def empty_sums(n_windows: int, n_symbols: int) -> Sums:
    """Return room for sums."""
    shape = (n_windows, n_symbols)
    return Sums(
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
        np.empty(shape),
    )


@compiled
def read_tile(
    windows: Windows, symbols: Int[np.ndarray, " symbols"], span: Span, tile: Tile
) -> None:
    """Copy the returns of symbols over the rows of a span."""
    n_rows = span.ends[-1] + 1
    for k in range(symbols.size):
        own = windows.returns[symbols[k], span.first : span.first + n_rows]
        shift = own[span.head] if span.head >= 0 and np.isfinite(own[span.head]) else 0.0
        tile.shift[k] = shift
        for row in range(n_rows):
            is_there = np.isfinite(own[row])
            value = own[row] - shift if is_there else 0.0
            tile.values[row, k] = value
            tile.squares[row, k] = value * value
            tile.present[row, k] = 1.0 if is_there else 0.0


@compiled
def add_up(
    x: Float[np.ndarray, " rows"],
    y: Float[np.ndarray, "rows symbols"],
    columns: tuple[int, int],
    span: Span,
    out: Float[np.ndarray, "windows symbols"],
) -> None:
    """Write the sums of x times each column, from one up to another, over each window."""
    left, width = columns[0], columns[1] - columns[0]
    head = max(span.head, 0)
    n_windows = span.starts.size
    room = np.zeros(width)
    total = room[:width]
    at = n_windows - 1
    while at >= 0 and span.starts[at] >= head:
        out[at, :width] = 0.0
        at -= 1
    for row in range(head - 1, span.starts[0] - 1, -1):
        value, own = x[row], y[row, left : left + width]
        for k in range(total.size):
            total[k] += value * own[k]
        while at >= 0 and span.starts[at] == row:
            copy = out[at, :width]
            for k in range(total.size):
                copy[k] = total[k]
            at -= 1
    total[:] = 0.0
    at = 0
    for row in range(head, span.ends[-1] + 1):
        value, own = x[row], y[row, left : left + width]
        for k in range(total.size):
            total[k] += value * own[k]
        while at < n_windows and span.ends[at] == row:
            whole = out[at, :width]
            for k in range(total.size):
                whole[k] += total[k]
            at += 1


@compiled
def sum_beside(
    one: Tile, i: int, others: Tile, columns: tuple[int, int], span: Span, sums: Sums
) -> None:
    """Write the sums of a symbol beside others, from one column up to another."""
    x, square, has_x = one.values[:, i].copy(), one.squares[:, i].copy(), one.present[:, i].copy()
    add_up(has_x, others.present, columns, span, sums.size)
    add_up(x, others.present, columns, span, sums.x)
    add_up(has_x, others.values, columns, span, sums.y)
    add_up(square, others.present, columns, span, sums.xx)
    add_up(has_x, others.squares, columns, span, sums.yy)
    add_up(x, others.values, columns, span, sums.xy)


@compiled
def correlate_beside(
    sums: Sums,
    at: int,
    shift: float,
    shifts: Float[np.ndarray, " width"],
    least: int,
    out: Float[np.ndarray, " width"],
) -> int:
    """Write the correlations of a window, NaN where there is none.

    Returns
    -------
    How many are ``DIRECT``: sums of squares lose their digits.
    """
    n, n_direct = out.size, 0
    size, sx, sy = sums.size[at, :n], sums.x[at, :n], sums.y[at, :n]
    sxx, syy, sxy = sums.xx[at, :n], sums.yy[at, :n], sums.xy[at, :n]
    for k in range(n):
        value = correlation_of(
            (size[k], sx[k], sy[k], sxx[k], syy[k], sxy[k]), (shift, shifts[k]), least
        )
        n_direct += value == DIRECT
        out[k] = value
    return n_direct


@compiled
def correlation_of(
    sums: tuple[float, float, float, float, float, float],
    shifts: tuple[float, float],
    least: int,
) -> float:
    """Return the correlation of two symbols from their sums, NaN if there is none, or ``DIRECT``.

    Parameters
    ----------
    sums : size, x, y, xx, yy, xy.
    shifts : what values of x and of y are less.
    """
    size, sx, sy, sxx, syy, sxy = sums
    inverse = 1.0 / size
    x_part, y_part = sx * sx * inverse, sy * sy * inverse
    xx, yy = sxx - x_part, syy - y_part
    x_mean, y_mean = sx * inverse + shifts[0], sy * inverse + shifts[1]
    value = (sxy - sx * sy * inverse) / (np.sqrt(xx) * np.sqrt(yy))
    value = 1.0 if value > 1.0 else value
    value = -1.0 if value < -1.0 else value
    moves = (
        (xx > FLAT * size * x_mean * x_mean)
        & (yy > FLAT * size * y_mean * y_mean)
        & (xx > 0.0)
        & (yy > 0.0)
    )
    is_far = (x_part > FAR * xx) | (y_part > FAR * yy)
    value = value if moves else np.nan
    value = DIRECT if is_far else value
    return value if size >= least else np.nan


@compiled
def correlate_plain(
    total: float,
    root: float,
    others: tuple[Float[np.ndarray, " width"], Float[np.ndarray, " width"]],
    products: Float[np.ndarray, " width"],
    size: int,
    out: Float[np.ndarray, " width"],
) -> None:
    """Write correlations of symbols that lack no return, from sums and roots of each."""
    inverse = 1.0 / size
    totals, roots = others
    for k in range(out.size):
        value = (products[k] - total * totals[k] * inverse) / (root * roots[k])
        value = 1.0 if value > 1.0 else value
        out[k] = -1.0 if value < -1.0 else value


@compiled
def repair(
    windows: Windows,
    one: int,
    others: Int[np.ndarray, " others"],
    rows: tuple[int, int],
    values: Float[np.ndarray, " width"],
) -> None:
    """Take from the returns themselves what is ``DIRECT``; ``rows`` are the window's."""
    own = slice(rows[0], rows[1])
    for k in range(others.size):
        if values[k] == DIRECT:
            values[k] = _directly(windows.returns[one, own], windows.returns[others[k], own])


@compiled
def _directly(x: Float[np.ndarray, " rows"], y: Float[np.ndarray, " rows"]) -> float:
    """Return the correlation of two series over the rows that both have, means first."""
    n, x_mean, y_mean = 0, 0.0, 0.0
    for row in range(x.size):
        if np.isfinite(x[row]) and np.isfinite(y[row]):
            n += 1
            x_mean += x[row]
            y_mean += y[row]
    x_mean, y_mean = x_mean / n, y_mean / n
    xx = yy = xy = 0.0
    for row in range(x.size):
        if np.isfinite(x[row]) and np.isfinite(y[row]):
            a, b = x[row] - x_mean, y[row] - y_mean
            xx += a * a
            yy += b * b
            xy += a * b
    if not (xx > FLAT * n * x_mean * x_mean and yy > FLAT * n * y_mean * y_mean):
        return np.nan
    return float(min(max(xy / (np.sqrt(xx) * np.sqrt(yy)), -1.0), 1.0))
