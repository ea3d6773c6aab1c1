"""One window at a time by QR: for windows whose normal equations lose digits.

Modified Gram-Schmidt with column pivoting, the response carried as a further column, which is as
stable as Householder's method (Björck 1967). A window counts as rank-deficient when a column's
rest falls below rounding error of the column.
"""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import DEFICIENT, Panels, Results, Rules

_EPS = 2.220446049250313e-16


@compiled
def fit_exactly(panels: Panels, rules: Rules, results: Results, rows: tuple[int, int]) -> None:
    """Fit the windows of some rows that are marked as left to QR; O(W·K²) each."""
    n = panels.x.shape[1]
    design = np.empty((n + 1, min(rules.window, panels.y.shape[0]) + n))
    for bar in range(rows[0], rows[1]):
        for asset in range(panels.y.shape[1]):
            if results.n_obs[bar, asset] < 0:
                results.n_obs[bar, asset] = -results.n_obs[bar, asset]
                _fit_window(panels, rules, results, (bar, asset), design)
                if rules.level > 0:
                    _leave_residual(panels, rules, results, (bar, asset))


@compiled
def _fit_window(
    panels: Panels,
    rules: Rules,
    results: Results,
    cell: tuple[int, int],
    design: Float[np.ndarray, "columns rows"],
) -> None:
    """Fit one window and write what its level asks for."""
    n, edge = panels.x.shape[1], rules.intercept
    centre, raw = np.zeros(n + 1), np.zeros(n)
    n_obs, weight = _gather(panels, rules, cell, design, centre, raw)
    n_rows = _append_penalty(design, n_obs, rules.ridge)
    total = _length(design[n, :n_rows])
    upper, order = np.zeros((n, n + 1)), np.zeros(n, np.int64)
    rank = _orthogonalise(design, n_rows, raw, upper, order)
    coefficients, spread = np.zeros(n + 1), np.zeros(n + 1)
    if rank < n and not rules.minimum_norm:
        results.reasons[DEFICIENT] += 1
        for k in range(n + 1):
            coefficients[k] = np.nan
        _write(rules, results, cell, coefficients, coefficients, (np.nan, np.nan, np.nan, np.nan))
        return
    # The whole triangular system, intercept first, in the caller's units; response last.
    system = np.zeros((rank + edge, n + edge + 1))
    if edge:
        system[0, 0] = np.sqrt(weight)
        for k in range(n + 1):
            system[0, 1 + k] = np.sqrt(weight) * centre[k]
    for r in range(rank):
        system[edge + r, n + edge] = upper[r, n]
        for c in range(r, n):
            system[edge + r, edge + order[c]] = upper[r, c]
    inverse = _right_inverse(system)
    if rank == n:
        _substitute(upper, order, centre, coefficients)
    for k in range(n + edge):
        spread[1 - edge + k] = np.sqrt(_unit_variance(inverse, k, rules.ridge, edge))
        if rank < n:
            for r in range(rank + edge):
                coefficients[1 - edge + k] += inverse[k, r] * system[r, n + edge]
    rest = _length(design[n, :n_rows])
    if rules.ridge > 0.0:  # the rows of the penalty are no residuals
        penalty = _product(coefficients[1:], coefficients[1:])
        rest = np.sqrt(max(rest * rest - rules.ridge * penalty, 0.0))
    condition = np.inf
    if rank == n and rules.level == 2:
        condition = _condition(system)
    if not edge:
        spread[0] = np.nan
    dof = float(n_obs - rank - edge)
    _write(rules, results, cell, coefficients, spread, (rest, total, condition, dof))


@compiled
def _leave_residual(panels: Panels, rules: Rules, results: Results, cell: tuple[int, int]) -> None:
    """Write the residual, ``lag`` bars on, of one window's coefficients."""
    bar, asset = cell
    target = bar + rules.lag
    if target >= panels.y.shape[0]:
        return
    residual = panels.y[target, asset] - results.coefficients[0, bar, asset]
    for k in range(panels.x.shape[1]):
        residual -= panels.x[target, k] * results.coefficients[1 + k, bar, asset]
    results.residual[target, asset] = residual if np.abs(residual) < np.inf else np.nan


@compiled
def _append_penalty(design: Float[np.ndarray, "columns rows"], n_obs: int, ridge: float) -> int:
    """Put the rows of a ridge penalty below the observations; return the number of rows."""
    n: int = design.shape[0] - 1
    if not ridge > 0.0:
        return n_obs
    for column in range(n + 1):
        for k in range(n):
            design[column, n_obs + k] = np.sqrt(ridge) if column == k else 0.0
    return n_obs + n


@compiled
def _substitute(
    upper: Float[np.ndarray, "factors columns"],
    order: Int[np.ndarray, " factors"],
    centre: Float[np.ndarray, " columns"],
    coefficients: Float[np.ndarray, " columns"],
) -> None:
    """Solve the triangular system; ``centre`` is 0 without an intercept and alpha then too."""
    n = order.shape[0]
    for r in range(n - 1, -1, -1):
        value = upper[r, n]
        for c in range(r + 1, n):
            value -= upper[r, c] * coefficients[1 + order[c]]
        coefficients[1 + order[r]] = value / upper[r, r]
    coefficients[0] = centre[n]
    for k in range(n):
        coefficients[0] -= centre[k] * coefficients[1 + k]


@compiled
def _gather(
    panels: Panels,
    rules: Rules,
    cell: tuple[int, int],
    design: Float[np.ndarray, "columns rows"],
    centre: Float[np.ndarray, " columns"],
    raw: Float[np.ndarray, " factors"],
) -> tuple[int, float]:
    """Lay the usable rows out by column, weighted and centred; return their count and weight."""
    n = panels.x.shape[1]
    bar, asset = cell
    begin = max(bar - rules.window + 1, 0)
    roots = np.empty(bar - begin + 1)
    count = 0
    weight_sum = 0.0
    for row in range(begin, bar + 1):
        weight = panels.row_weight[row] * panels.decay[bar - row]
        if panels.cell_weight.shape[0]:
            weight *= panels.cell_weight[row, asset]
        if weight > 0.0 and np.isfinite(panels.y[row, asset]):
            for k in range(n):
                design[k, count] = panels.x[row, k]
            design[n, count] = panels.y[row, asset]
            roots[count] = np.sqrt(weight)
            weight_sum += weight
            count += 1
    for k in range(n):
        square = 0.0
        for r in range(count):
            square += (roots[r] * design[k, r]) ** 2
        raw[k] = np.sqrt(square)
    if rules.intercept:
        for k in range(n + 1):
            centre[k] = _centre(design[k, :count], roots[:count], weight_sum)
    for k in range(n + 1):
        for r in range(count):
            design[k, r] *= roots[r]
    return count, weight_sum


@compiled
def _centre(
    column: Float[np.ndarray, " rows"], roots: Float[np.ndarray, " rows"], weight: float
) -> float:
    """Subtract a column's weighted mean in place and return it; a constant leaves exact zeros."""
    centre = float(column[0])
    for r in range(column.shape[0]):
        column[r] -= centre
    for _ in range(2):
        mean = 0.0
        for r in range(column.shape[0]):
            mean += roots[r] * roots[r] * column[r]
        mean /= weight
        for r in range(column.shape[0]):
            column[r] -= mean
        centre += mean
    return centre


@compiled
def _orthogonalise(
    design: Float[np.ndarray, "columns rows"],
    n_rows: int,
    raw: Float[np.ndarray, " factors"],
    upper: Float[np.ndarray, "factors columns"],
    order: Int[np.ndarray, " factors"],
) -> int:
    """Factorise the design in place, response last; return its rank.

    What is left of a column counts while it is more than the rounding of the column's values, whose
    length before centring is ``raw``; the column with most left comes first.
    """
    n: int = order.shape[0]
    tolerance = 4.0 * _EPS * max(n_rows, n)
    for k in range(n):
        order[k] = k
        raw[k] = max(raw[k], _length(design[k, :n_rows]))  # a penalty's rows add to it
    for step in range(n):
        best = -1
        longest = tolerance
        for c in range(step, n):
            k = order[c]
            if raw[k] > 0.0:
                share = _length(design[k, :n_rows]) / raw[k]
                if share > longest:
                    longest = share
                    best = c
        if best < 0:
            return step
        order[step], order[best] = order[best], order[step]
        for r in range(step):
            upper[r, step], upper[r, best] = upper[r, best], upper[r, step]
        pivot = design[order[step], :n_rows]
        length = _length(pivot)
        upper[step, step] = length
        for r in range(n_rows):
            pivot[r] /= length
        for c in range(step + 1, n + 1):
            column = design[order[c] if c < n else n, :n_rows]
            upper[step, c] = _remove(column, pivot)
    return n


@compiled
def _length(values: Float[np.ndarray, " rows"]) -> float:
    """Return the root of a sum of squares."""
    return float(np.sqrt(_product(values, values)))


@compiled
def _product(left: Float[np.ndarray, " rows"], right: Float[np.ndarray, " rows"]) -> float:
    """Return an inner product, summed in order."""
    total = 0.0
    for r in range(left.shape[0]):
        total += left[r] * right[r]
    return total


@compiled
def _remove(column: Float[np.ndarray, " rows"], unit: Float[np.ndarray, " rows"]) -> float:
    """Take a unit vector's share out of a column; return it."""
    share = _product(unit, column)
    for r in range(column.shape[0]):
        column[r] -= share * unit[r]
    return share


@compiled
def _right_inverse(
    system: Float[np.ndarray, "rank columns_and_response"],
) -> Float[np.ndarray, "columns rank"]:
    """Return the pseudo-inverse of a matrix of full row rank, by orthogonalising its rows.

    The last column of ``system`` is the response and no part of the matrix.
    """
    rank, columns = system.shape[0], system.shape[1] - 1
    basis, lower = np.zeros((rank, columns)), np.zeros((rank, rank))
    for r in range(rank):
        for k in range(columns):
            basis[r, k] = system[r, k]
        for _ in range(2):
            for p in range(r):
                lower[r, p] += _remove(basis[r], basis[p])
        lower[r, r] = _length(basis[r])
        for k in range(columns):
            basis[r, k] /= lower[r, r]
    inverse = np.zeros((columns, rank))
    solution = np.zeros(rank)
    for target in range(rank):
        for r in range(target, rank):
            value = 1.0 if r == target else 0.0
            for p in range(target, r):
                value -= lower[r, p] * solution[p]
            solution[r] = value / lower[r, r]
        for r in range(target, rank):
            for k in range(columns):
                inverse[k, target] += basis[r, k] * solution[r]
    return inverse


@compiled
def _unit_variance(
    inverse: Float[np.ndarray, "columns rank"], k: int, ridge: float, intercept: int
) -> float:
    """Return the variance of coefficient k for a residual variance of one.

    The inverse of the penalised Gram matrix is M = PP'; with a penalty D the variance is M - M·D·M.
    """
    columns, rank = inverse.shape
    variance = 0.0
    for r in range(rank):
        variance += inverse[k, r] * inverse[k, r]
    if ridge > 0.0:
        for i in range(intercept, columns):
            product = 0.0
            for r in range(rank):
                product += inverse[k, r] * inverse[i, r]
            variance -= ridge * product * product
    return max(variance, 0.0)


@compiled
def _condition(system: Float[np.ndarray, "size size_and_response"]) -> float:
    """Return the ratio of largest to smallest singular value, by one-sided Jacobi rotations.

    The last column of ``system`` is the response and no part of the matrix.
    """
    size = system.shape[0]
    for _ in range(40):
        turned = False
        for p in range(size):
            for q in range(p + 1, size):
                first, second = system[p, :size], system[q, :size]
                a, b = _product(first, first), _product(second, second)
                c = _product(first, second)
                if not np.abs(c) > 4.0 * _EPS * np.sqrt(a * b):
                    continue
                turned = True
                ratio = (b - a) / (2.0 * c)
                tangent = 1.0 / (np.abs(ratio) + np.sqrt(1.0 + ratio * ratio))
                tangent = tangent if ratio >= 0.0 else -tangent
                cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
                for k in range(size):
                    left, right = first[k], second[k]
                    first[k] = cosine * (left - tangent * right)
                    second[k] = cosine * (tangent * left + right)
        if not turned:
            break
    largest, smallest = 0.0, np.inf
    for p in range(size):
        length = _length(system[p, :size])
        largest, smallest = max(largest, length), min(smallest, length)
    return largest / smallest


@compiled
def _write(
    rules: Rules,
    results: Results,
    cell: tuple[int, int],
    coefficients: Float[np.ndarray, " coefficients"],
    spread: Float[np.ndarray, " coefficients"],
    quality: tuple[float, float, float, float],
) -> None:
    """Write one window; ``quality`` is rest, total (both root sums of squares), condition, dof."""
    bar, asset = cell
    n = results.coefficients.shape[0] - 1
    rest, total, condition, dof = quality
    for k in range(n + 1):
        results.coefficients[k, bar, asset] = coefficients[k]
    if rules.level > 0:
        results.r2[bar, asset] = 1.0 - (rest / total) ** 2 if total > 0.0 else np.nan
    if rules.level == 2:
        sigma = rest / np.sqrt(dof) if dof > 0.0 else np.nan
        results.condition[bar, asset] = condition
        for k in range(n + 1):
            error = sigma * spread[k]
            results.stderr[k, bar, asset] = error
            results.tstat[k, bar, asset] = coefficients[k] / error
