"""How vectors' variances under symmetric matrices split over principal components.

Eight matrices are turned at once, one a lane. Each lane does the operations of the scalar algorithm
in its order, whatever is in the others. Entries (i, j) and (j, i) would get the same bits, so only
one of them is kept.

What a rotation reads and writes lies in one flat array at constant distances, so that the compiler
sees that nothing overlaps and takes all lanes in one instruction.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from plumbline.kernels.abreast import LANES, absolute, choose, load, room_for, root, spread, store
from plumbline.kernels.compilation import compiled

_SWEEPS = 60  # of the QL iteration for one eigenvalue; two or three are usual

ABREAST = 2 * LANES
"""Matrices that are turned together."""
# Where a row of the tridiagonal matrices has its entries: diagonal, entry beside it, part of the
# vector.
_D, _E, _V = 0, ABREAST, 2 * ABREAST
_ROW = 3 * ABREAST


@compiled
def rotate_to_components(
    triangles: Float[np.ndarray, "halves entries"],
    vectors: Float[np.ndarray, "halves size_times_lanes"],
    values: Float[np.ndarray, "halves size_times_lanes"],
    is_lost: Bool[np.ndarray, " halves_times_lanes"],
) -> None:
    """Write the eigenvalues, and e_k'v over the vectors.

    Matrices are made tridiagonal by reflections, then diagonal by rotations; both turn the vectors
    along, so no eigenvector is ever built. Matrices are overwritten. The order of the pairs is the
    iteration's own. A smaller matrix is filled up with zeros, and so is its vector: it gets the
    same bits, and further values of 0. Cost: 4/3 size³ a lane.

    Parameters
    ----------
    triangles : lower ones with the diagonal, row by row, eight lanes an entry; there may be more
        room than is used.
    vectors, values : eight lanes a row.
    is_lost : set where the iteration does not end, as with a matrix that holds NaN.

    References
    ----------
    Golub and Welsch, "Calculation of Gauss quadrature rules", Mathematics of Computation 23 (1969)
    221-230. Wilkinson and Reinsch, "Linear algebra" (1971), contributions II/2 and II/4.
    """
    n = values.shape[1] // LANES
    rows = room_for(n * _ROW)
    rows[:] = 0.0
    for half in range(ABREAST // LANES):
        _reflect(triangles[half], vectors[half], rows, half * LANES)
    _diagonalise(rows, is_lost)
    for half in range(ABREAST // LANES):
        for i in range(n):
            at = i * _ROW + half * LANES
            store(values[half], i * LANES, load(rows, at + _D))
            store(vectors[half], i * LANES, load(rows, at + _V))


@compiled
def _reflect(
    a: Float[np.ndarray, " entries"],
    v: Float[np.ndarray, " size_times_lanes"],
    rows: Float[np.ndarray, " entries"],
    half: int,
) -> None:
    """Make the matrices of a half tridiagonal; write them, and the turned vectors, to its rows."""
    n = v.size // LANES
    u, p = room_for(n * LANES), room_for(n * LANES)
    for k in range(n):
        at = k * _ROW + half
        store(rows, at + _D, load(a, entry_of(k, k)))
        if k + 1 < n:
            store(rows, at + _E, load(a, entry_of(k + 1, k)))
        if k >= n - 2:
            continue
        for i in range(k + 1, n):
            store(u, i * LANES, load(a, entry_of(i, k)))
        square, head = _products(u, u, k + 2, n), load(u, (k + 1) * LANES)
        is_done = square == 0.0
        length = root(square + head * head)
        length = choose(head > 0.0, 0.0 - length, length)
        rest = head - length
        store(rows, at + _E, choose(is_done, head, length))
        store(u, (k + 1) * LANES, rest)  # the reflection's vector
        share = choose(is_done, 0.0, -1.0 / (length * rest))  # 2 / u'u
        turned = _products(u, v, k + 1, n) * share
        _multiply(a, u, k + 1, p)
        for i in range(k + 1, n):
            store(v, i * LANES, load(v, i * LANES) - turned * load(u, i * LANES))
            store(p, i * LANES, load(p, i * LANES) * share)
        along = _products(p, u, k + 1, n) * (share / 2.0)
        for i in range(k + 1, n):
            store(p, i * LANES, load(p, i * LANES) - along * load(u, i * LANES))
        _subtract_both(a, u, p, k + 1)
    for i in range(n):
        store(rows, i * _ROW + half + _V, load(v, i * LANES))


@compiled
def entry_of(i: int, j: int) -> int:
    """Return where entry (i, j), j not above i, of triangles begins."""
    return (i * (i + 1) // 2 + j) * LANES


@compiled
def _products(
    x: Float[np.ndarray, " size_times_lanes"],
    y: Float[np.ndarray, " size_times_lanes"],
    first: int,
    stop: int,
) -> Any:
    """Return the sum of x times y over the rows from one up to another."""
    total = spread(0.0)
    for i in range(first, stop):
        total = total + load(x, i * LANES) * load(y, i * LANES)
    return total


@compiled
def _multiply(
    a: Float[np.ndarray, " entries"],
    u: Float[np.ndarray, " size_times_lanes"],
    first: int,
    out: Float[np.ndarray, " size_times_lanes"],
) -> None:
    """Write the matrices from one row on times u: each sum takes its columns in order."""
    for i in range(first, u.size // LANES):
        row, own, total = entry_of(i, 0), load(u, i * LANES), spread(0.0)
        for j in range(first, i):
            value, at = load(a, row + j * LANES), j * LANES
            total = total + value * load(u, at)
            store(out, at, load(out, at) + value * own)
        store(out, i * LANES, total + load(a, row + i * LANES) * own)


@compiled
def _subtract_both(
    a: Float[np.ndarray, " entries"],
    u: Float[np.ndarray, " size_times_lanes"],
    p: Float[np.ndarray, " size_times_lanes"],
    first: int,
) -> None:
    """Take u_i p_j + p_i u_j from the entries of the matrices from one row and column on."""
    for i in range(first, u.size // LANES):
        row, x, y = entry_of(i, 0), load(u, i * LANES), load(p, i * LANES)
        for j in range(first, i + 1):
            at = row + j * LANES
            both = x * load(p, j * LANES) + y * load(u, j * LANES)
            store(a, at, load(a, at) - both)


@compiled
def _diagonalise(rows: Float[np.ndarray, " entries"], is_lost: Bool[np.ndarray, " lanes"]) -> None:
    """Turn tridiagonal matrices diagonal by implicit QL steps."""
    n = rows.size // _ROW
    tops = np.empty(ABREAST)
    is_lost[:] = False
    for left in range(n):
        for sweep in range(_SWEEPS + 1):
            for half in range(0, ABREAST, LANES):
                store(tops, half, _tops(rows, left, half))
            highest = int(tops.max())
            if highest == left:
                break
            if sweep == _SWEEPS:
                is_lost |= tops > left
                break
            _sweep(rows, left, highest, tops)


@compiled
def _tops(rows: Float[np.ndarray, " entries"], left: int, half: int) -> Any:
    """Return the first row from one on that nothing ties to the next, for each lane of a half."""
    last = rows.size // _ROW - 1
    top = spread(float(last))
    below = absolute(load(rows, last * _ROW + half + _D))
    for k in range(last - 1, left - 1, -1):
        at = k * _ROW + half
        own = absolute(load(rows, at + _D))
        size = own + below
        top = choose(absolute(load(rows, at + _E)) + size == size, k, top)
        below = own
    return top


@compiled
def _sweep(
    rows: Float[np.ndarray, " entries"],
    left: int,
    highest: int,
    tops: Float[np.ndarray, " lanes"],
) -> None:
    """Rotate from the tops down to a row; both halves go at once, as each waits for itself."""
    one, two = _begin(rows, left, 0, tops), _begin(rows, left, LANES, tops)
    for i in range(highest - 1, left - 1, -1):
        one = _rotate(rows, i * _ROW, float(i), one)
        two = _rotate(rows, i * _ROW + LANES, float(i), two)
    _end(rows, left, 0, one)
    _end(rows, left, LANES, two)
    for lane in range(ABREAST):
        if tops[lane] > left:
            rows[int(tops[lane]) * _ROW + _E + lane] = 0.0


@compiled
def _begin(
    rows: Float[np.ndarray, " entries"], left: int, half: int, tops: Float[np.ndarray, " lanes"]
) -> tuple[Any, Any, Any, Any, Any]:
    """Return what a sweep sets out with: sine, cosine, what was moved, rest, top.

    The rest is that of the shift by the eigenvalue that is sought.
    """
    at, ends, zero, one = left * _ROW + half, np.empty(LANES), spread(0.0), spread(1.0)
    for lane in range(LANES):
        ends[lane] = rows[int(tops[half + lane]) * _ROW + half + _D + lane]
    own, beside, top = load(rows, at + _D), load(rows, at + _E), load(tops, half)
    g = (load(rows, at + _ROW + _D) - own) / (2.0 * beside)
    r = root(g * g + one)
    rest = (load(ends, 0) - own) + beside / (g + choose(g >= 0.0, r, 0.0 - r))
    return one, one, zero, choose(top > left, rest, 0.0), top


@compiled
def _rotate(
    rows: Float[np.ndarray, " entries"], at: int, i: float, carried: tuple[Any, Any, Any, Any, Any]
) -> tuple[Any, Any, Any, Any, Any]:
    """Rotate a row and the next in the lanes whose top lies above; return what goes on.

    A lane that splits ends its sweep: its top becomes -1.
    """
    s, c, p, g, top = carried
    own, beside, above = load(rows, at + _D), load(rows, at + _E), load(rows, at + _ROW + _D)
    upper, lower = load(rows, at + _V), load(rows, at + _ROW + _V)
    f, b = s * beside, c * beside
    r = root(f * f + g * g)
    is_on, is_null = top > i, r == 0.0
    sine, cosine = f / r, g / r
    rest = above - p
    across = (own - rest) * sine + 2.0 * cosine * b
    moved = sine * across
    store(rows, at + _ROW + _E, choose(is_on, r, load(rows, at + _ROW + _E)))
    store(rows, at + _ROW + _D, choose(is_on, choose(is_null, rest, rest + moved), above))
    turns = is_on & ~is_null
    store(rows, at + _ROW + _V, choose(turns, sine * upper + cosine * lower, lower))
    store(rows, at + _V, choose(turns, cosine * upper - sine * lower, upper))
    return (
        choose(turns, sine, s),
        choose(turns, cosine, c),
        choose(turns, moved, p),
        choose(turns, cosine * across - b, g),
        choose(is_on & is_null, -1.0, top),
    )


@compiled
def _end(
    rows: Float[np.ndarray, " entries"],
    left: int,
    half: int,
    carried: tuple[Any, Any, Any, Any, Any],
) -> None:
    """Write what a sweep arrives with at its last row, where it has not split."""
    at, (_, _, p, g, top) = left * _ROW + half, carried
    own, beside = load(rows, at + _D), load(rows, at + _E)
    arrives = top > left
    store(rows, at + _D, choose(arrives, own - p, own))
    store(rows, at + _E, choose(arrives, g, beside))
