"""Regression residuals of one bar after the other across assets.

A bar whose values are all there is read in place; of another the usable assets are copied first,
so that both go through the same operations and missing assets change no bit of the others.
"""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled, compiled_sums

FITTED, TOO_FEW, DEFICIENT, TOO_LARGE = 0, 1, 2, 3

_EPS = 2.220446049250313e-16

# What is left of a column beside the ones before it, as a share of its squared length. Normal
# equations lose as many digits as it has zeros: from the first on one refinement step brings them
# back, from the second on only an orthogonal basis does.
_REFINED_BELOW = 0.1
_ORTHOGONAL_BELOW = 1e-6

# Values from here on may overflow when they are added up.
_LARGE = 1e290


@compiled
def leave_residuals(
    signal: Float[np.ndarray, "bars assets"],
    exposures: Float[np.ndarray, "bars assets exposures"],
    weights: Float[np.ndarray, "weighted_bars weighted_assets"],
    residuals: Float[np.ndarray, "bars assets"],
    states: Int[np.ndarray, " bars"],
) -> None:
    """Write the residuals of every bar and why a bar has none; O(T·A·P²)."""
    n_bars, n_assets, n = exposures.shape
    columns = np.empty((n + 1, n_assets))
    rows, spare = np.empty((n_assets, n)), np.empty((3, n_assets))
    places = np.empty(n_assets, np.int64)
    origin, sums = np.empty(n + 1), np.empty(n + 1)
    gram = np.empty((n + 3, n + 3))
    none = spare[0, :0]
    for bar in range(n_bars):
        out = residuals[bar]
        whole = n_assets >= n + 2 and weights.shape[0] == 0
        if whole and _lay_out(signal[bar], exposures[bar], columns, origin, sums):
            states[bar] = _fit(columns, origin, sums, none, gram, out)
            continue
        out[:] = np.nan
        given = weights[bar] if weights.shape[0] else none
        count = _gather(signal[bar], exposures[bar], given, rows, spare, places)
        if count < n + 2:
            states[bar] = TOO_FEW
            continue
        if not _lay_out(spare[0, :count], rows[:count], columns, origin, sums):
            states[bar] = TOO_LARGE
            continue
        roots = spare[1, : count if weights.shape[0] else 0]
        if roots.shape[0]:
            roots /= roots.max()
        states[bar] = _fit(columns[:, :count], origin, sums, roots, gram, spare[2, :count])
        for j in range(count):
            out[places[j]] = spare[2, j]


@compiled
def _gather(
    signal: Float[np.ndarray, " assets"],
    exposures: Float[np.ndarray, "assets exposures"],
    weights: Float[np.ndarray, " weighted_assets"],
    rows: Float[np.ndarray, "assets exposures"],
    spare: Float[np.ndarray, "three assets"],
    places: Int[np.ndarray, " assets"],
) -> int:
    """Copy the usable assets of a bar; return their count.

    An asset's check is a sum: a value that is not finite stays so when 0 times it is added.
    """
    n_assets, n = exposures.shape
    count = 0
    for a in range(n_assets):
        check = signal[a] * 0.0
        for k in range(n):
            value = exposures[a, k]
            rows[count, k] = value
            check += value * 0.0
        spare[0, count] = signal[a]
        places[count] = a
        if weights.shape[0]:
            weight = weights[a]
            spare[1, count] = np.sqrt(weight)
            if not (weight > 0.0 and weight < np.inf):
                check = np.nan
        count += check == 0.0
    return count


@compiled_sums
def _lay_out(
    signal: Float[np.ndarray, " assets"],
    rows: Float[np.ndarray, "assets exposures"],
    columns: Float[np.ndarray, "columns all_assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
) -> bool:
    """Write every column less its first value, the signal last, and its sum.

    The first value out, a constant column leaves exact zeros. False where a value is not finite,
    or too large to be added up.
    """
    n_assets, n = rows.shape
    for k in range(n + 1):
        column, total = columns[k], 0.0
        start = rows[0, k] if k < n else signal[0]
        if k < n:
            for a in range(n_assets):
                value = rows[a, k] - start
                column[a] = value
                total += value
        else:
            for a in range(n_assets):
                value = signal[a] - start
                column[a] = value
                total += value
        origin[k] = start
        sums[k] = total
        if not np.abs(start) + np.abs(total) < _LARGE:
            return False
    return True


@compiled
def _fit(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
    gram: Float[np.ndarray, "size size"],
    out: Float[np.ndarray, " assets"],
) -> int:
    """Write the residuals of one bar of usable assets; return its state."""
    last, count = columns.shape
    last -= 1
    _centre(columns, origin, sums, roots)
    _multiply(columns, gram)
    smallest = _factorise(gram, last)
    response = columns[last]
    state = FITTED
    if smallest > _ORTHOGONAL_BELOW:
        _subtract(columns, gram, response)
        if smallest < _REFINED_BELOW:
            for k in range(last):
                gram[last, k] = _dot(columns[k], response)
            _solve(gram, last)
            _subtract(columns, gram, response)
    else:
        rank = _project(columns, sums)
        state = FITTED if rank == last else DEFICIENT
    if roots.shape[0]:
        for j in range(count):
            out[j] = response[j] / roots[j]
    else:
        for j in range(count):
            out[j] = response[j]
    return state


@compiled_sums
def _dot(left: Float[np.ndarray, " assets"], right: Float[np.ndarray, " assets"]) -> float:
    """Return the inner product of two vectors."""
    total = 0.0
    for j in range(left.shape[0]):
        total += left[j] * right[j]
    return total


@compiled
def _centre(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
) -> None:
    """Take the mean out of every column and scale by root weights; leave lengths before that."""
    n_columns, count = columns.shape
    total = _dot(roots, roots) if roots.shape[0] else float(count)
    for k in range(n_columns):
        column = columns[k]
        if roots.shape[0]:
            mean = _weighted_sum(roots, column) / total
            for j in range(count):
                column[j] = (column[j] - mean) * roots[j]
        else:
            mean = sums[k] / total
            for j in range(count):
                column[j] -= mean
        sums[k] = np.abs(origin[k] + mean) * np.sqrt(total)


@compiled_sums
def _weighted_sum(
    roots: Float[np.ndarray, " assets"], column: Float[np.ndarray, " assets"]
) -> float:
    """Return the sum of a column, weighted by squared roots."""
    total = 0.0
    for j in range(roots.shape[0]):
        total += roots[j] * roots[j] * column[j]
    return total


@compiled
def _multiply(
    columns: Float[np.ndarray, "columns assets"], gram: Float[np.ndarray, "size size"]
) -> None:
    """Write the lower triangle of the inner products of all columns, three by three.

    The matrix has room for two rows and columns more than there are.
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
) -> tuple[float, float, float, float, float, float]:
    """Return the inner products of three vectors: aa, ab, ac, bb, bc, cc."""
    aa = ab = ac = bb = bc = cc = 0.0
    for j in range(a.shape[0]):
        x, y, z = a[j], b[j], c[j]
        aa += x * x
        ab += x * y
        ac += x * z
        bb += y * y
        bc += y * z
        cc += z * z
    return aa, ab, ac, bb, bc, cc


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
def _factorise(gram: Float[np.ndarray, "size size"], last: int) -> float:
    """Solve the normal equations by Cholesky; return the smallest pivot as a share of its diagonal.

    The slopes are left in the last row.
    """
    smallest = 1.0
    for k in range(last):
        diagonal = gram[k, k]
        pivot = diagonal
        for p in range(k):
            pivot -= gram[k, p] * gram[k, p]
        if not pivot > _ORTHOGONAL_BELOW * diagonal:
            return 0.0
        smallest = min(smallest, pivot / diagonal)
        root = np.sqrt(pivot)
        gram[k, k] = root
        for i in range(k + 1, last):
            entry = gram[i, k]
            for p in range(k):
                entry -= gram[i, p] * gram[k, p]
            gram[i, k] = entry / root
    if not smallest < np.inf:
        return 0.0
    _solve(gram, last)
    return smallest


@compiled
def _solve(gram: Float[np.ndarray, "size size"], last: int) -> None:
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
def _subtract(
    columns: Float[np.ndarray, "columns assets"],
    gram: Float[np.ndarray, "size size"],
    response: Float[np.ndarray, " assets"],
) -> None:
    """Take the fitted values out of the response, three exposures at a time."""
    last, count = columns.shape
    last -= 1
    slopes = gram[last]
    whole = last - last % 3
    for k in range(0, whole, 3):
        first, second, third = columns[k], columns[k + 1], columns[k + 2]
        a, b, c = slopes[k], slopes[k + 1], slopes[k + 2]
        for j in range(count):
            response[j] -= a * first[j] + b * second[j] + c * third[j]
    for k in range(whole, last):
        column, a = columns[k], slopes[k]
        for j in range(count):
            response[j] -= a * column[j]


@compiled
def _project(
    columns: Float[np.ndarray, "columns assets"], raw: Float[np.ndarray, " columns"]
) -> int:
    """Take the span of the exposures out of the response; return their rank.

    Gram-Schmidt with a second pass, which keeps the basis orthogonal whatever the columns
    (Giraud et al. 2005). A column that nothing but rounding is left of adds no direction;
    residuals are unique without it.
    """
    last, count = columns.shape
    last -= 1
    tolerance = 4.0 * _EPS * max(count, last)
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
        length = np.sqrt(_dot(column, column))
        if not length > tolerance * (raw[k] / peak):
            continue
        for _ in range(2):
            for p in range(rank):
                basis = columns[p]
                product = _dot(basis, column)
                for j in range(count):
                    column[j] -= product * basis[j]
        rest = np.sqrt(_dot(column, column))
        if rest > tolerance * length:
            target = columns[rank]
            for j in range(count):
                target[j] = column[j] / rest
            rank += 1
    response = columns[last]
    for _ in range(2):
        for p in range(rank):
            basis = columns[p]
            product = _dot(basis, response)
            for j in range(count):
                response[j] -= product * basis[j]
    return rank
