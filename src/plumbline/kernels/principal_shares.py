"""How vectors' variances under symmetric matrices split over principal components.

Eight matrices are turned at once, one a lane: entry (i, j) of a lane lies at ``[i, j, lane]``. Each
lane does the operations of the scalar algorithm in its order, whatever is in the others.

What a rotation reads and writes lies in one flat array at constant distances, so that the compiler
sees that nothing overlaps and takes all lanes in one instruction.
"""

import numpy as np
from jaxtyping import Bool, Float

from plumbline.kernels.compilation import compiled

LANES = 8
"""Matrices that are turned together."""
_SWEEPS = 60  # of the QL iteration for one eigenvalue; two or three are usual

# Where a row of the tridiagonal matrices has its entries: diagonal, entry beside it, part of the
# vector; and what a sweep carries from row to row: sine, cosine, shift, rest, top.
_D, _E, _V, _S, _C, _P, _G, _T = 0, 8, 16, 24, 32, 40, 48, 56
_ROW = 64


@compiled
def rotate_to_components(
    matrices: Float[np.ndarray, "size size lanes"],
    vectors: Float[np.ndarray, "size lanes"],
    values: Float[np.ndarray, "size lanes"],
    is_lost: Bool[np.ndarray, " lanes"],
) -> None:
    """Write the eigenvalues, and e_k'v over the vectors.

    Matrices are made tridiagonal by reflections, then diagonal by rotations; both turn the vectors
    along, so no eigenvector is ever built. Matrices are overwritten. The order of the pairs is the
    iteration's own. A smaller matrix is filled up with zeros, and so is its vector: it gets the
    same bits, and further values of 0. Cost: 4/3 size³ a lane.

    Parameters
    ----------
    is_lost : set where the iteration does not end, as with a matrix that holds NaN.

    References
    ----------
    Golub and Welsch, "Calculation of Gauss quadrature rules", Mathematics of Computation 23 (1969)
    221-230. Wilkinson and Reinsch, "Linear algebra" (1971), contributions II/2 and II/4.
    """
    n = values.shape[0]
    rows = np.zeros(n * _ROW)
    _reflect(matrices, vectors, rows)
    for i in range(n):
        for lane in range(LANES):
            rows[i * _ROW + _V + lane] = vectors[i, lane]
    _diagonalise(rows, is_lost)
    for i in range(n):
        for lane in range(LANES):
            values[i, lane] = rows[i * _ROW + _D + lane]
            vectors[i, lane] = rows[i * _ROW + _V + lane]


@compiled
def _reflect(
    a: Float[np.ndarray, "size size lanes"],
    v: Float[np.ndarray, "size lanes"],
    rows: Float[np.ndarray, " entries"],
) -> None:
    """Make the matrices tridiagonal; write their diagonals and the entries beside them."""
    n = v.shape[0]
    u, p = np.empty((n, LANES)), np.empty((n, LANES))
    scale, turned, inner = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for k in range(n):
        for lane in range(LANES):
            rows[k * _ROW + _D + lane] = a[k, k, lane]
            rows[k * _ROW + _E + lane] = a[k, k + 1, lane] if k + 1 < n else 0.0
        if k >= n - 2:
            continue
        u[k + 1 :] = a[k, k + 1 :]
        _add_products(u, u, k + 2, scale)
        for lane in range(LANES):
            square, head = scale[lane], u[k + 1, lane]
            is_done = square == 0.0
            length = np.sqrt(square + head * head)
            length = -length if head > 0.0 else length
            rows[k * _ROW + _E + lane] = head if is_done else length
            u[k + 1, lane] = head - length  # the reflection's vector
            scale[lane] = 0.0 if is_done else -1.0 / (length * u[k + 1, lane])  # 2 / u'u
        _add_products(u, v, k + 1, turned)
        for i in range(k + 1, n):
            for lane in range(LANES):
                v[i, lane] -= turned[lane] * scale[lane] * u[i, lane]
            _add_products(a[i], u, k + 1, p[i])
            for lane in range(LANES):
                p[i, lane] *= scale[lane]
        _add_products(p, u, k + 1, inner)
        for i in range(k + 1, n):
            for lane in range(LANES):
                p[i, lane] -= inner[lane] * (scale[lane] / 2.0) * u[i, lane]
        for i in range(k + 1, n):
            _subtract_both(a[i], u, p, i, k + 1)


@compiled
def _add_products(
    x: Float[np.ndarray, "size lanes"],
    y: Float[np.ndarray, "size lanes"],
    first: int,
    out: Float[np.ndarray, " lanes"],
) -> None:
    """Write the sum of x times y over the rows from one on; lanes go abreast, in registers."""
    t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = 0.0
    for i in range(first, x.shape[0]):
        a, b = x[i], y[i]
        t0, t1, t2, t3 = t0 + a[0] * b[0], t1 + a[1] * b[1], t2 + a[2] * b[2], t3 + a[3] * b[3]
        t4, t5, t6, t7 = t4 + a[4] * b[4], t5 + a[5] * b[5], t6 + a[6] * b[6], t7 + a[7] * b[7]
    out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7] = t0, t1, t2, t3, t4, t5, t6, t7


@compiled
def _subtract_both(
    row: Float[np.ndarray, "size lanes"],
    u: Float[np.ndarray, "size lanes"],
    p: Float[np.ndarray, "size lanes"],
    i: int,
    first: int,
) -> None:
    """Take u_i p_j + p_i u_j from the entries of row i, from one on; all are read, then written."""
    a, b = u[i], p[i]
    a0, a1, a2, a3, a4, a5, a6, a7 = a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]
    b0, b1, b2, b3, b4, b5, b6, b7 = b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
    for j in range(first, row.shape[0]):
        own, x, y = row[j], p[j], u[j]
        r0, r1 = own[0] - (a0 * x[0] + b0 * y[0]), own[1] - (a1 * x[1] + b1 * y[1])
        r2, r3 = own[2] - (a2 * x[2] + b2 * y[2]), own[3] - (a3 * x[3] + b3 * y[3])
        r4, r5 = own[4] - (a4 * x[4] + b4 * y[4]), own[5] - (a5 * x[5] + b5 * y[5])
        r6, r7 = own[6] - (a6 * x[6] + b6 * y[6]), own[7] - (a7 * x[7] + b7 * y[7])
        own[0], own[1], own[2], own[3] = r0, r1, r2, r3
        own[4], own[5], own[6], own[7] = r4, r5, r6, r7


@compiled
def _diagonalise(rows: Float[np.ndarray, " entries"], is_lost: Bool[np.ndarray, " lanes"]) -> None:
    """Turn tridiagonal matrices diagonal by implicit QL steps."""
    n = rows.size // _ROW
    tops = np.empty(LANES, np.int64)
    is_lost[:] = False
    for left in range(n):
        for sweep in range(_SWEEPS + 1):
            highest = _find_tops(rows, left, tops)
            if highest == left:
                break
            if sweep == _SWEEPS:
                for lane in range(LANES):
                    is_lost[lane] |= tops[lane] > left
                break
            _begin(rows, left, highest, tops)
            for i in range(highest - 1, left - 1, -1):
                if _rotate(rows[i * _ROW : (i + 2) * _ROW], float(i)) > 0:
                    for lane in range(LANES):
                        if i < tops[lane] and rows[i * _ROW + _T + lane] < 0.0:
                            rows[tops[lane] * _ROW + _E + lane] = 0.0
                            tops[lane] = -1
            own = rows[left * _ROW : (left + 1) * _ROW]
            for lane in range(LANES):
                if tops[lane] > left:
                    own[_D + lane] -= own[_P + lane]
                    own[_E + lane] = own[_G + lane]
                    rows[tops[lane] * _ROW + _E + lane] = 0.0


@compiled
def _find_tops(rows: Float[np.ndarray, " entries"], left: int, tops: np.ndarray) -> int:
    """Find the first row from one on that nothing ties to the next; return the last of all."""
    n, highest = rows.size // _ROW, left
    last = rows[(n - 1) * _ROW : n * _ROW]
    for lane in range(LANES):
        last[_T + lane] = float(n - 1)
    for k in range(n - 2, left - 1, -1):
        own, row = rows[k * _ROW : (k + 2) * _ROW], float(k)
        for lane in range(LANES):
            size = np.abs(own[_D + lane]) + np.abs(own[_ROW + _D + lane])
            is_top = np.abs(own[_E + lane]) + size == size
            own[_T + lane] = row if is_top else own[_ROW + _T + lane]
    for lane in range(LANES):
        tops[lane] = int(rows[left * _ROW + _T + lane])
        highest = max(highest, tops[lane])
    return highest


@compiled
def _begin(rows: Float[np.ndarray, " entries"], left: int, highest: int, tops: np.ndarray) -> None:
    """Set out from the highest top, with the shift of the eigenvalue that is sought."""
    own, start = rows[left * _ROW : (left + 2) * _ROW], rows[highest * _ROW : (highest + 1) * _ROW]
    for lane in range(LANES):
        top, beside = tops[lane], own[_E + lane]
        start[_S + lane], start[_C + lane] = 1.0, 1.0
        start[_P + lane], start[_G + lane], start[_T + lane] = 0.0, 0.0, float(top)
        if top > left:
            g = (own[_ROW + _D + lane] - own[_D + lane]) / (2.0 * beside)
            r = np.sqrt(g * g + 1.0)
            rest = rows[top * _ROW + _D + lane] - own[_D + lane]
            start[_G + lane] = rest + beside / (g + (r if g >= 0.0 else -r))


@compiled
def _rotate(w: Float[np.ndarray, " two_rows"], i: float) -> int:
    """Rotate row i, first in ``w``, and the next, in the lanes whose top lies above.

    Returns
    -------
    How many lanes split, which ends their sweep: their top becomes -1.
    """
    n_split = 0
    for lane in range(LANES):
        top, p, g = w[_ROW + _T + lane], w[_ROW + _P + lane], w[_ROW + _G + lane]
        s, c = w[_ROW + _S + lane], w[_ROW + _C + lane]
        f, b = s * w[_E + lane], c * w[_E + lane]
        r = np.sqrt(f * f + g * g)
        is_on = i < top
        is_split = is_on & (r == 0.0)
        turns = is_on & (r != 0.0)
        sine, cosine = f / r, g / r
        rest = w[_ROW + _D + lane] - p
        across = (w[_D + lane] - rest) * sine + 2.0 * cosine * b
        moved = sine * across
        upper, lower = w[_V + lane], w[_ROW + _V + lane]
        left = rest + moved if turns else rest
        w[_ROW + _E + lane] = r if is_on else w[_ROW + _E + lane]
        w[_ROW + _D + lane] = left if is_on else w[_ROW + _D + lane]
        w[_ROW + _V + lane] = sine * upper + cosine * lower if turns else lower
        w[_V + lane] = cosine * upper - sine * lower if turns else upper
        w[_G + lane] = cosine * across - b if turns else g
        w[_S + lane] = sine if turns else s
        w[_C + lane] = cosine if turns else c
        w[_P + lane] = moved if turns else p
        w[_T + lane] = -1.0 if is_split else top
        n_split += is_split
    return n_split
