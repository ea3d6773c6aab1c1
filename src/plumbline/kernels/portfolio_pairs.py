"""Correlations of the few symbols of a portfolio on some dates, eight symbols abreast.

The sums are those of :mod:`plumbline.kernels.window_pairs`, in the same order, so a pair has the
bits that it has in the table of all pairs. What a row adds to lies in one flat array at constant
distances, so that the compiler sees that nothing overlaps and takes all lanes in one instruction.
"""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.window_pairs import (
    DIRECT,
    LANES,
    Span,
    Windows,
    correlation_of,
    repair,
    span_of,
)

# Where a row of eight symbols has its entries: values, squares, presence, then the sums up to it.
_VALUE, _SQUARE, _PRESENT, _SIZE, _X, _Y, _XX, _YY, _XY = 0, 8, 16, 24, 32, 40, 48, 56, 64
_ROW = 72
# Where the sums of windows have theirs: the six, then what values are less, then correlations.
_SUMS, _SHIFT, _OUT = _SIZE, 48, 56


@compiled
def fill_matrix(
    windows: Windows,
    symbols: Int[np.ndarray, " symbols"],
    dates: tuple[int, int],
    matrix: Float[np.ndarray, "symbols symbols lanes"],
    lanes: int,
) -> bool:
    """Write the correlations of symbols on some dates, one a lane; the diagonal stays as it is.

    ``lanes`` is ``LANES``; the compiler must not know it: it would write short loops out one by one
    before it sees that their steps may be taken at once.

    Returns
    -------
    Whether any is missing. Cost: O(symbols² x rows).
    """
    span = span_of(windows, dates[0], dates[1])
    n, head, n_rows = symbols.size, max(span.head, 0), span.ends[-1] + 1
    n_blocks = -(-n // LANES)
    rows = np.empty((n_blocks, (n_rows + 1) * _ROW))
    rows[:, head * _ROW : (head + 1) * _ROW] = 0.0
    rows[n_blocks - 1] = 0.0
    shift = np.zeros(n_blocks * LANES)
    for k in range(n):
        shift[k] = _read(windows, symbols[k], span, rows[k // LANES], k % LANES)
    at_ends, lacks = np.zeros(_SHIFT + 2 * LANES), False
    for i in range(n - 1):
        x, square, has_x = _column(rows[i // LANES], i % LANES)
        for block in range((i + 1) // LANES, n_blocks):
            own, left = rows[block], block * LANES
            _add_all(own, head, x, square, has_x, lanes)
            at_ends[_SHIFT : _SHIFT + LANES] = shift[left : left + LANES]
            for at in range(dates[1] - dates[0]):
                begin, end = span.starts[at], span.ends[at] + 1
                _add_both(own, min(begin, head) * _ROW + _SUMS, end * _ROW + _SUMS, at_ends)
                found = at_ends[_OUT : _OUT + LANES]
                if _correlate(at_ends, shift[i], windows.least, lanes) > 0:
                    session = (span.first + begin, span.first + end)
                    repair(windows, symbols[i], symbols[left : left + LANES], session, found)
                for j in range(max(i + 1, left), min(n, left + LANES)):
                    value = found[j - left]
                    matrix[i, j, at] = matrix[j, i, at] = value
                    lacks |= np.isnan(value)
    return lacks


@compiled
def _read(
    windows: Windows, symbol: int, span: Span, rows: Float[np.ndarray, " entries"], lane: int
) -> float:
    """Write the returns of a symbol to a lane, less that of the head; return that."""
    n_rows, head = span.ends[-1] + 1, max(span.head, 0)
    own = windows.returns[symbol, span.first : span.first + n_rows]
    shift = own[span.head] if span.head >= 0 and np.isfinite(own[span.head]) else 0.0
    for row in range(n_rows):
        at = (row if row < head else row + 1) * _ROW + lane
        is_there = np.isfinite(own[row])
        value = own[row] - shift if is_there else 0.0
        rows[at + _VALUE] = value
        rows[at + _SQUARE] = value * value
        rows[at + _PRESENT] = 1.0 if is_there else 0.0
    return float(shift)


@compiled
def _column(
    rows: Float[np.ndarray, " entries"], lane: int
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, " rows"], Float[np.ndarray, " rows"]]:
    """Return the values, squares and presence of one symbol."""
    return (
        rows[_VALUE + lane :: _ROW].copy(),
        rows[_SQUARE + lane :: _ROW].copy(),
        rows[_PRESENT + lane :: _ROW].copy(),
    )


@compiled
def _add_all(
    own: Float[np.ndarray, " entries"],
    head: int,
    x: Float[np.ndarray, " rows"],
    square: Float[np.ndarray, " rows"],
    has_x: Float[np.ndarray, " rows"],
    lanes: int,
) -> None:
    """Add up backwards and forwards from the row of zeros that stands before the head."""
    for row in range(head - 1, -1, -1):
        w, a, b, c = own[row * _ROW : (row + 2) * _ROW], x[row], square[row], has_x[row]
        for lane in range(lanes):
            value, is_there = w[_VALUE + lane], w[_PRESENT + lane]
            w[_SIZE + lane] = w[_ROW + _SIZE + lane] + c * is_there
            w[_X + lane] = w[_ROW + _X + lane] + a * is_there
            w[_Y + lane] = w[_ROW + _Y + lane] + c * value
            w[_XX + lane] = w[_ROW + _XX + lane] + b * is_there
            w[_YY + lane] = w[_ROW + _YY + lane] + c * w[_SQUARE + lane]
            w[_XY + lane] = w[_ROW + _XY + lane] + a * value
    for row in range(head + 1, x.size):
        w, a, b, c = own[(row - 1) * _ROW : (row + 1) * _ROW], x[row], square[row], has_x[row]
        for lane in range(lanes):
            value, is_there = w[_ROW + _VALUE + lane], w[_ROW + _PRESENT + lane]
            w[_ROW + _SIZE + lane] = w[_SIZE + lane] + c * is_there
            w[_ROW + _X + lane] = w[_X + lane] + a * is_there
            w[_ROW + _Y + lane] = w[_Y + lane] + c * value
            w[_ROW + _XX + lane] = w[_XX + lane] + b * is_there
            w[_ROW + _YY + lane] = w[_YY + lane] + c * w[_ROW + _SQUARE + lane]
            w[_ROW + _XY + lane] = w[_XY + lane] + a * value


@compiled
def _add_both(
    own: Float[np.ndarray, " entries"], begin: int, end: int, out: Float[np.ndarray, " entries"]
) -> None:
    """Add what lies behind the head to what lies before it."""
    before, after = own[begin : begin + _SHIFT], own[end : end + _SHIFT]
    for k in range(_SHIFT):
        out[k] = before[k] + after[k]


@compiled
def _correlate(w: Float[np.ndarray, " entries"], shift: float, least: int, lanes: int) -> int:
    """Write the correlations of eight pairs; return how many are to be taken directly."""
    n_direct = 0
    for lane in range(lanes):
        value = correlation_of(
            (
                w[_SIZE - _SUMS + lane],
                w[_X - _SUMS + lane],
                w[_Y - _SUMS + lane],
                w[_XX - _SUMS + lane],
                w[_YY - _SUMS + lane],
                w[_XY - _SUMS + lane],
            ),
            (shift, w[_SHIFT + lane]),
            least,
        )
        n_direct += value == DIRECT
        w[_OUT + lane] = value
    return n_direct
