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
    """Make the matrices of a half tridiagonal; write them, and the turned vectors, to its rows.

    What a reflection takes from the matrices is taken while the next one multiplies them.
    """
    n = v.size // LANES
    u, p = np.zeros(n * LANES), np.zeros(n * LANES)  # of the last reflection
    w, q = room_for(n * LANES), room_for(n * LANES)  # of the next
    for k in range(n):
        at = k * _ROW + half
        x, y = load(u, k * LANES), load(p, k * LANES)
        for i in range(k, n):
            both = load(u, i * LANES) * y + load(p, i * LANES) * x
            store(w, i * LANES, load(a, entry_of(i, k)) - both)
        store(rows, at + _D, load(w, k * LANES))
        if k + 1 < n:
            store(rows, at + _E, load(w, (k + 1) * LANES))
        if k >= n - 2:
            continue
        head = load(w, (k + 1) * LANES)
        square = _products(w, w, k + 2, n)
        is_done = square == 0.0
        length = root(square + head * head)
        length = choose(head > 0.0, 0.0 - length, length)
        rest = head - length
        store(rows, at + _E, choose(is_done, head, length))
        store(w, (k + 1) * LANES, rest)  # the reflection's vector
        share = choose(is_done, 0.0, -1.0 / (length * rest))  # 2 / u'u
        turned = _products(w, v, k + 1, n) * share
        _subtract_and_multiply(a, (u, p), (w, q), k + 1)
        for i in range((k + 1) * LANES, n * LANES, LANES):
            store(v, i, load(v, i) - turned * load(w, i))
            store(q, i, load(q, i) * share)
        along = _products(q, w, k + 1, n) * (share / 2.0)
        for i in range((k + 1) * LANES, n * LANES, LANES):
            store(q, i, load(q, i) - along * load(w, i))
        u, p, w, q = w, q, u, p
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
def _subtract_and_multiply(
    a: Float[np.ndarray, " entries"],
    last: tuple[np.ndarray, np.ndarray],
    following: tuple[np.ndarray, np.ndarray],
    first: int,
) -> None:
    """Take u_i p_j + p_i u_j from the entries from one row and column on, and write them times w.

    Two rows go at once. Each sum takes its columns in order: those up to the row's own from its
    entries, later ones, which stand below it, as their rows come.
    """
    u, p = last
    w, out = following
    n = u.size // LANES
    for i in range(first, n, 2):
        k, row = i * LANES, entry_of(i, 0)
        u0, p0, w0 = load(u, k), load(p, k), load(w, k)
        if i + 1 == n:
            total = spread(0.0)
            for at in range(first * LANES, k, LANES):
                e0 = _less(a, row + at, (u0, load(p, at)), (p0, load(u, at)))
                total = total + e0 * load(w, at)
                store(out, at, load(out, at) + e0 * w0)
            store(out, k, total + _less(a, row + k, (u0, p0), (p0, u0)) * w0)
            continue
        below, k1 = entry_of(i + 1, 0), k + LANES
        u1, p1, w1 = load(u, k1), load(p, k1), load(w, k1)
        t0, t1 = spread(0.0), spread(0.0)
        for at in range(first * LANES, k, LANES):
            x, y, z = load(u, at), load(p, at), load(w, at)
            e0 = _less(a, row + at, (u0, y), (p0, x))
            e1 = _less(a, below + at, (u1, y), (p1, x))
            t0, t1 = t0 + e0 * z, t1 + e1 * z
            store(out, at, load(out, at) + e0 * w0 + e1 * w1)
        beside = _less(a, below + k, (u1, p0), (p1, u0))
        store(out, k, t0 + _less(a, row + k, (u0, p0), (p0, u0)) * w0 + beside * w1)
        t1 = t1 + beside * w0
        store(out, k1, t1 + _less(a, below + k1, (u1, p1), (p1, u1)) * w1)


@compiled
def _less(
    a: Float[np.ndarray, " entries"], at: int, one: tuple[Any, Any], other: tuple[Any, Any]
) -> Any:
    """Take two products from an entry, and return what is left."""
    left = load(a, at) - (one[0] * one[1] + other[0] * other[1])
    store(a, at, left)
    return left


@compiled
def _diagonalise(rows: Float[np.ndarray, " entries"], is_lost: Bool[np.ndarray, " lanes"]) -> None:
    """Turn tridiagonal matrices diagonal by implicit QL steps.

    What ties two rows is nothing beside the largest of all entries, not beside its neighbours: of
    more symbols than returns most eigenvalues are 0, and nothing would be small beside them.
    """
    n = rows.size // _ROW
    tops, ends, largest = np.empty(ABREAST), np.empty(ABREAST), np.zeros(ABREAST)
    is_lost[:] = False
    for k in range(n):
        for lane in range(ABREAST):
            size = np.abs(rows[k * _ROW + _D + lane]) + np.abs(rows[k * _ROW + _E + lane])
            largest[lane] = max(largest[lane], 2.0 * size)
    for left in range(n):
        for sweep in range(_SWEEPS + 1):
            for half in range(0, ABREAST, LANES):
                store(tops, half, _tops(rows, left, half, load(largest, half)))
            highest = int(tops.max())
            if highest == left:
                break
            if sweep == _SWEEPS:
                is_lost |= tops > left
                break
            _sweep(rows, (left, highest), tops, ends)


@compiled
def _tops(rows: Float[np.ndarray, " entries"], left: int, half: int, size: Any) -> Any:
    """Return the first row from one on that nothing ties to the next, for each lane of a half."""
    last = rows.size // _ROW - 1
    top = spread(float(last))
    for k in range(last - 1, left - 1, -1):
        beside = absolute(load(rows, k * _ROW + half + _E))
        top = choose(beside + size == size, k, top)
    return top


@compiled
def _sweep(
    rows: Float[np.ndarray, " entries"],
    between: tuple[int, int],
    tops: Float[np.ndarray, " lanes"],
    ends: Float[np.ndarray, " lanes"],
) -> None:
    """Rotate from the tops down to a row; both halves go at once, as each waits for itself.

    Parameters
    ----------
    between : that row and the highest top.
    ends : room for what stands at the tops.
    """
    left, highest = between
    for lane in range(ABREAST):
        ends[lane] = rows[int(tops[lane]) * _ROW + _D + lane]
    one = _begin(rows, left, 0, tops, ends)
    two = _begin(rows, left, LANES, tops, ends)
    lasts = (_last(rows, highest * _ROW), _last(rows, highest * _ROW + LANES))
    for i in range(highest - 1, left - 1, -1):
        one, last = _rotate(rows, i * _ROW, float(i), one, lasts[0])
        two, other = _rotate(rows, i * _ROW + LANES, float(i), two, lasts[1])
        lasts = (last, other)
    _end(rows, left, 0, one, lasts[0])
    _end(rows, left, LANES, two, lasts[1])
    for lane in range(ABREAST):
        if tops[lane] > left:
            rows[int(tops[lane]) * _ROW + _E + lane] = 0.0


@compiled
def _last(rows: Float[np.ndarray, " entries"], at: int) -> tuple[Any, Any]:
    """Return the diagonal and the part of the vector of a row."""
    return load(rows, at + _D), load(rows, at + _V)


@compiled
def _begin(
    rows: Float[np.ndarray, " entries"],
    left: int,
    half: int,
    tops: Float[np.ndarray, " lanes"],
    ends: Float[np.ndarray, " lanes"],
) -> tuple[Any, Any, Any, Any, Any]:
    """Return what a sweep sets out with: sine, cosine, what was moved, rest, top.

    The rest is that of the shift by the eigenvalue that is sought.
    """
    at, zero, one = left * _ROW + half, spread(0.0), spread(1.0)
    own, beside, top = load(rows, at + _D), load(rows, at + _E), load(tops, half)
    g = (load(rows, at + _ROW + _D) - own) / (2.0 * beside)
    r = root(g * g + one)
    rest = (load(ends, half) - own) + beside / (g + choose(g >= 0.0, r, 0.0 - r))
    return one, one, zero, choose(top > left, rest, 0.0), top


@compiled
def _rotate(
    rows: Float[np.ndarray, " entries"],
    at: int,
    i: float,
    carried: tuple[Any, Any, Any, Any, Any],
    last: tuple[Any, Any],
) -> tuple[tuple[Any, Any, Any, Any, Any], tuple[Any, Any]]:
    """Rotate a row and the next in the lanes whose top lies above; return what goes on.

    A lane that splits ends its sweep: its top becomes -1.

    Parameters
    ----------
    last : diagonal and part of the vector of the next row, which are written here, once: a read
        would have to wait until they are.
    """
    s, c, p, g, top = carried
    above, lower = last
    own, beside, upper = load(rows, at + _D), load(rows, at + _E), load(rows, at + _V)
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
    going_on = (
        choose(turns, sine, s),
        choose(turns, cosine, c),
        choose(turns, moved, p),
        choose(turns, cosine * across - b, g),
        choose(is_on & is_null, -1.0, top),
    )
    return going_on, (own, choose(turns, cosine * upper - sine * lower, upper))


@compiled
def _end(
    rows: Float[np.ndarray, " entries"],
    left: int,
    half: int,
    carried: tuple[Any, Any, Any, Any, Any],
    last: tuple[Any, Any],
) -> None:
    """Write what a sweep arrives with at its last row, where it has not split."""
    at, (_, _, p, g, top), (own, part) = left * _ROW + half, carried, last
    arrives = top > left
    store(rows, at + _D, choose(arrives, own - p, own))
    store(rows, at + _E, choose(arrives, g, load(rows, at + _E)))
    store(rows, at + _V, part)
