"""Least squares over assets whose number is far larger than the number of exposures.

Normal equations where no column nearly depends on the ones before it, an orthogonal basis where
one does. Both work on columns as rows in memory, the response last.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled, compiled_sums

_EPS = 2.220446049250313e-16

# A pivot is what is left of a column beside the ones before it, as a share of its squared length.
# Normal equations lose as many digits as it has zeros: one refinement step brings them back below
# the first bound, only an orthogonal basis does below the second.
REFINED_BELOW = 0.1
ORTHOGONAL_BELOW = 1e-6

# Squared lengths between which products of columns neither overflow nor lose digits to underflow.
_SHORTEST, _LONGEST = 1e-250, 1e250


@compiled_sums
def dot(left: Float[np.ndarray, " assets"], right: Float[np.ndarray, " assets"]) -> float:
    """Return the inner product of two vectors."""
    total = 0.0
    for j in range(left.shape[0]):
        total += left[j] * right[j]
    return total


@compiled
def multiply(
    columns: Float[np.ndarray, "columns assets"],
    gram: Float[np.ndarray, "size size"],
    sums: Float[np.ndarray, " size"],
) -> None:
    """Write the sums of all columns and the lower triangle of their products, three by three.

    There is room for two columns more than there are.
    """
    last = columns.shape[0] - 1
    for i in range(0, last + 1, 3):
        i1, i2 = min(i + 1, last), min(i + 2, last)
        a, b, c = columns[i], columns[i1], columns[i2]
        (
            gram[i, i],
            gram[i + 1, i],
            gram[i + 2, i],
            gram[i + 1, i + 1],
            gram[i + 2, i + 1],
            gram[i + 2, i + 2],
            sums[i],
            sums[i + 1],
            sums[i + 2],
        ) = _triangle(a, b, c)
        for k in range(i + 3, last + 1, 3):
            d, e, f = columns[k], columns[min(k + 1, last)], columns[min(k + 2, last)]
            (
                gram[k, i],
                gram[k, i + 1],
                gram[k, i + 2],
                gram[k + 1, i],
                gram[k + 1, i + 1],
                gram[k + 1, i + 2],
                gram[k + 2, i],
                gram[k + 2, i + 1],
                gram[k + 2, i + 2],
            ) = _square(a, b, c, d, e, f)


@compiled_sums
def _triangle(
    a: Float[np.ndarray, " assets"],
    b: Float[np.ndarray, " assets"],
    c: Float[np.ndarray, " assets"],
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Return products and sums of three vectors: aa, ab, ac, bb, bc, cc, a, b, c."""
    aa = ab = ac = bb = bc = cc = sum_a = sum_b = sum_c = 0.0
    for j in range(a.shape[0]):
        x, y, z = a[j], b[j], c[j]
        aa += x * x
        ab += x * y
        ac += x * z
        bb += y * y
        bc += y * z
        cc += z * z
        sum_a += x
        sum_b += y
        sum_c += z
    return aa, ab, ac, bb, bc, cc, sum_a, sum_b, sum_c


@compiled_sums
def _square(
    a: Float[np.ndarray, " assets"],
    b: Float[np.ndarray, " assets"],
    c: Float[np.ndarray, " assets"],
    d: Float[np.ndarray, " assets"],
    e: Float[np.ndarray, " assets"],
    f: Float[np.ndarray, " assets"],
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Return the inner products of d, e, f with a, b, c each."""
    ad = bd = cd = ae = be = ce = af = bf = cf = 0.0
    for j in range(a.shape[0]):
        x, y, z = a[j], b[j], c[j]
        p, q, r = d[j], e[j], f[j]
        ad += x * p
        bd += y * p
        cd += z * p
        ae += x * q
        be += y * q
        ce += z * q
        af += x * r
        bf += y * r
        cf += z * r
    return ad, bd, cd, ae, be, ce, af, bf, cf


@compiled
def stands_out(square: float, whole: float, count: int) -> bool:
    """Return whether more than rounding is left of a column, given both squared lengths."""
    rounding = 4.0 * _EPS * count
    return square > rounding * rounding * whole


@compiled
def factorise(gram: Float[np.ndarray, "size size"], last: int) -> float:
    """Solve the normal equations by Cholesky; return the smallest pivot as a share of its diagonal.

    The slopes are left in the last row. 0 where the products cannot be trusted.
    """
    smallest = 1.0
    for k in range(last + 1):
        if not _SHORTEST < gram[k, k] < _LONGEST:
            return 0.0
    for k in range(last):
        diagonal = gram[k, k]
        pivot = diagonal
        for p in range(k):
            pivot -= gram[k, p] * gram[k, p]
        if not pivot > ORTHOGONAL_BELOW * diagonal:
            return 0.0
        smallest = min(smallest, pivot / diagonal)
        root = np.sqrt(pivot)
        gram[k, k] = root
        for i in range(k + 1, last):
            entry = gram[i, k]
            for p in range(k):
                entry -= gram[i, p] * gram[k, p]
            gram[i, k] = entry / root
    solve(gram, last)
    return smallest


@compiled
def solve(gram: Float[np.ndarray, "size size"], last: int) -> None:
    """Replace the last row by the slopes, given the factor above it."""
    slopes = gram[last]
    for k in range(last):
        for p in range(k):
            slopes[k] -= gram[k, p] * slopes[p]
        slopes[k] /= gram[k, k]
    for k in range(last - 1, -1, -1):
        for i in range(k + 1, last):
            slopes[k] -= gram[i, k] * slopes[i]
        slopes[k] /= gram[k, k]


@compiled
def project(
    columns: Float[np.ndarray, "columns assets"], raw: Float[np.ndarray, " columns"]
) -> int:
    """Take the span of the exposures out of the response; return their rank.

    Gram-Schmidt with a second pass, which keeps the basis orthogonal whatever the columns
    (Giraud et al. 2005). A column that nothing but rounding is left of adds no direction;
    residuals are unique without it.
    """
    last, count = columns.shape[0] - 1, columns.shape[1]
    rank = 0
    for k in range(last):
        column = columns[k]
        peak = 0.0
        for j in range(count):
            peak = max(peak, np.abs(column[j]))
        if not peak > 0.0:
            continue
        for j in range(count):
            column[j] /= peak  # squares of the values as given could overflow
        square = dot(column, column)
        if not stands_out(square, (raw[k] / peak) ** 2, count):
            continue
        whole = square
        for _ in range(2):
            for p in range(rank):
                basis = columns[p]
                product = dot(basis, column)
                for j in range(count):
                    column[j] -= product * basis[j]
        square = dot(column, column)
        if stands_out(square, whole, count):
            rest = np.sqrt(square)
            target = columns[rank]
            for j in range(count):
                target[j] = column[j] / rest
            rank += 1
    response = columns[last]
    for _ in range(2):
        for p in range(rank):
            basis = columns[p]
            product = dot(basis, response)
            for j in range(count):
                response[j] -= product * basis[j]
    return rank
