"""Regression residuals of one bar after the other across assets."""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled, compiled_sums

FITTED, TOO_FEW, DEFICIENT = 0, 1, 2

_EPS = 2.220446049250313e-16

# Below this share of its diagonal a pivot costs fitted values more digits than they may lose.
_SMALLEST_PIVOT = 1e-8


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
    columns = np.empty((n + 2, n_assets))
    roots = np.empty(n_assets)
    places = np.empty(n_assets, np.int64)
    raw, beta = np.empty(n), np.empty(n)
    gram = np.empty((n + 1, n + 1))
    for bar in range(n_bars):
        out = residuals[bar]
        out[:] = np.nan
        given = weights[bar] if weights.shape[0] else roots[:0]
        count = _gather(signal[bar], exposures[bar], given, columns, roots, places)
        states[bar] = TOO_FEW
        if count < n + 2:
            continue
        _centre(columns, roots, raw, count, given.shape[0] > 0)
        response = columns[n, :count]
        if _solve(columns, gram, beta, count):
            states[bar] = FITTED
            _subtract(columns, beta, count)
        else:
            rank = _project(columns, raw, count)
            states[bar] = FITTED if rank == n else DEFICIENT
        for j in range(count):
            out[places[j]] = response[j]
        if given.shape[0]:
            for j in range(count):
                out[places[j]] /= roots[j]


@compiled
def _gather(
    signal: Float[np.ndarray, " assets"],
    exposures: Float[np.ndarray, "assets exposures"],
    weights: Float[np.ndarray, " weighted_assets"],
    columns: Float[np.ndarray, "columns assets"],
    roots: Float[np.ndarray, " assets"],
    places: Int[np.ndarray, " assets"],
) -> int:
    """Lay the usable assets of a bar out by column, the signal last; return their count.

    An asset's check is a sum: a value that is not finite stays so when 0 times it is added.
    """
    n_assets, n = exposures.shape
    count = 0
    for a in range(n_assets):
        check = signal[a] * 0.0
        for k in range(n):
            value = exposures[a, k]
            columns[k, count] = value
            check += value * 0.0
        columns[n, count] = signal[a]
        places[count] = a
        if weights.shape[0]:
            weight = weights[a]
            roots[count] = np.sqrt(weight)
            if not (weight > 0.0 and weight < np.inf):
                check = np.nan
        count += check == 0.0
    return count


@compiled_sums
def _sum(values: Float[np.ndarray, " assets"]) -> float:
    """Return the sum of a vector."""
    total = 0.0
    for j in range(values.shape[0]):
        total += values[j]
    return total


@compiled_sums
def _dot(left: Float[np.ndarray, " assets"], right: Float[np.ndarray, " assets"]) -> float:
    """Return the inner product of two vectors."""
    total = 0.0
    for j in range(left.shape[0]):
        total += left[j] * right[j]
    return total


@compiled_sums
def _dots(
    left: Float[np.ndarray, " assets"],
    first: Float[np.ndarray, " assets"],
    second: Float[np.ndarray, " assets"],
    third: Float[np.ndarray, " assets"],
) -> tuple[float, float, float]:
    """Return the inner products of one vector with three, reading it once."""
    a = b = c = 0.0
    for j in range(left.shape[0]):
        value = left[j]
        a += value * first[j]
        b += value * second[j]
        c += value * third[j]
    return a, b, c


@compiled
def _centre(
    columns: Float[np.ndarray, "columns assets"],
    roots: Float[np.ndarray, " assets"],
    raw: Float[np.ndarray, " exposures"],
    count: int,
    weighted: bool,
) -> None:
    """Take the mean out of every column, leave lengths before that, scale by root weights.

    Columns are shifted by their first value before, so that a constant leaves exact zeros.
    """
    n = raw.shape[0]
    spare = columns[n + 1, :count]
    total = float(count)
    if weighted:
        total = _dot(roots[:count], roots[:count])
        for j in range(count):
            spare[j] = roots[j] * roots[j]
    for k in range(n + 1):
        column = columns[k, :count]
        start = column[0]
        for j in range(count):
            column[j] -= start
        mean = (_dot(spare, column) if weighted else _sum(column)) / total
        for j in range(count):
            column[j] -= mean
        if weighted:
            for j in range(count):
                column[j] *= roots[j]
        if k < n:
            raw[k] = np.abs(start + mean) * np.sqrt(total)


@compiled
def _solve(
    columns: Float[np.ndarray, "columns assets"],
    gram: Float[np.ndarray, "size size"],
    beta: Float[np.ndarray, " exposures"],
    count: int,
) -> bool:
    """Solve the normal equations by Cholesky; return whether every pivot kept its digits."""
    n = beta.shape[0]
    for i in range(n):
        left = columns[i, :count]
        for k in range(i, n + 1, 3):
            second, third = min(k + 1, n), min(k + 2, n)
            a, b, c = _dots(
                left, columns[k, :count], columns[second, :count], columns[third, :count]
            )
            gram[k, i] = a
            gram[second, i] = b if second > k else a
            gram[third, i] = c
    for k in range(n):
        diagonal = gram[k, k]
        for p in range(k):
            gram[k, k] -= gram[k, p] * gram[k, p]
        if not gram[k, k] > _SMALLEST_PIVOT * diagonal:
            return False
        gram[k, k] = np.sqrt(gram[k, k])
        for i in range(k + 1, n + 1):
            for p in range(k):
                gram[i, k] -= gram[i, p] * gram[k, p]
            gram[i, k] /= gram[k, k]
    for k in range(n - 1, -1, -1):
        beta[k] = gram[n, k]
        for i in range(k + 1, n):
            beta[k] -= gram[i, k] * beta[i]
        beta[k] /= gram[k, k]
    return True


@compiled
def _subtract(
    columns: Float[np.ndarray, "columns assets"], beta: Float[np.ndarray, " exposures"], count: int
) -> None:
    """Take the fitted values out of the response, three exposures at a time."""
    n = beta.shape[0]
    response = columns[n, :count]
    whole = n - n % 3
    for k in range(0, whole, 3):
        first, second, third = columns[k, :count], columns[k + 1, :count], columns[k + 2, :count]
        a, b, c = beta[k], beta[k + 1], beta[k + 2]
        for j in range(count):
            response[j] -= a * first[j] + b * second[j] + c * third[j]
    for k in range(whole, n):
        column, a = columns[k, :count], beta[k]
        for j in range(count):
            response[j] -= a * column[j]


@compiled
def _project(
    columns: Float[np.ndarray, "columns assets"], raw: Float[np.ndarray, " exposures"], count: int
) -> int:
    """Take the span of the exposures out of the response; return their rank.

    Gram-Schmidt with a second pass, which keeps the basis orthogonal whatever the columns
    (Giraud et al. 2005). A column that nothing but rounding is left of adds no direction;
    residuals are unique without it.
    """
    n = raw.shape[0]
    tolerance = 4.0 * _EPS * max(count, n)
    rank = 0
    for k in range(n):
        column = columns[k, :count]
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
                basis = columns[p, :count]
                product = _dot(basis, column)
                for j in range(count):
                    column[j] -= product * basis[j]
        rest = np.sqrt(_dot(column, column))
        if rest > tolerance * length:
            target = columns[rank, :count]
            for j in range(count):
                target[j] = column[j] / rest
            rank += 1
    response = columns[n, :count]
    for _ in range(2):
        for p in range(rank):
            basis = columns[p, :count]
            product = _dot(basis, response)
            for j in range(count):
                response[j] -= product * basis[j]
    return rank
