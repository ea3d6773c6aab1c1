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


@compiled
def _fit_window(
    panels: Panels,
    rules: Rules,
    results: Results,
    cell: tuple[int, int],
    design: Float[np.ndarray, "columns rows"],
) -> None:
    """Fit one window and write what its level asks for."""
    n = panels.x.shape[1]
    centre, raw = np.zeros(n + 1), np.zeros(n)
    n_obs, weight = _gather(panels, rules, cell, design, centre, raw)
    n_rows = n_obs + (n if rules.ridge > 0.0 else 0)
    for k in range(n_rows - n_obs):
        design[:, n_obs + k] = 0.0
        design[k, n_obs + k] = np.sqrt(rules.ridge)
    total = np.sqrt(np.sum(design[n, :n_rows] * design[n, :n_rows]))
    upper, right, order = np.zeros((n, n)), np.zeros(n), np.arange(n)
    rank = _orthogonalise(design[:, :n_rows], raw, upper, right, order)
    first = 1 - rules.intercept
    coefficients, spread = np.full(n + 1, np.nan), np.full(n + 1, np.nan)
    if rank < n and not rules.minimum_norm:
        results.reasons[DEFICIENT] += 1
        _write(rules, results, cell, coefficients, spread, (np.nan, np.nan, np.nan, np.nan))
        return
    # The whole triangular system, intercept first, in the caller's units.
    system, target = np.zeros((rank + 1, n + 1)), np.zeros(rank + 1)
    system[0, 0] = np.sqrt(weight)
    target[0] = np.sqrt(weight) * centre[n]
    for k in range(n):
        system[0, 1 + k] = np.sqrt(weight) * centre[k]
    for r in range(rank):
        target[1 + r] = right[r]
        for c in range(r, n):
            system[1 + r, 1 + order[c]] = upper[r, c]
    inverse = _right_inverse(system[first:, first:])
    coefficients[:] = 0.0
    if rank == n:
        _substitute(upper, right, order, centre, coefficients)
    else:
        for k in range(n + rules.intercept):
            for r in range(rank + rules.intercept):
                coefficients[first + k] += inverse[k, r] * target[first + r]
    for k in range(n + rules.intercept):
        spread[first + k] = np.sqrt(_unit_variance(inverse, k, rules.ridge, rules.intercept))
    rest = np.sum(design[n, :n_rows] * design[n, :n_rows])
    if rules.ridge > 0.0:  # the rows of the penalty are no residuals
        rest -= rules.ridge * np.sum(coefficients[1:] * coefficients[1:])
    rest = np.sqrt(max(rest, 0.0))
    regular = rank == n and rules.level == 2
    condition = _condition(system[first:, first:]) if regular else np.inf
    dof = float(n_obs - rank - rules.intercept)
    _write(rules, results, cell, coefficients, spread, (rest, total, condition, dof))


@compiled
def _substitute(
    upper: Float[np.ndarray, "factors factors"],
    right: Float[np.ndarray, " factors"],
    order: Int[np.ndarray, " factors"],
    centre: Float[np.ndarray, " columns"],
    coefficients: Float[np.ndarray, " columns"],
) -> None:
    """Solve the triangular system; ``centre`` is 0 without an intercept and alpha then too."""
    n = right.shape[0]
    for r in range(n - 1, -1, -1):
        value = right[r]
        for c in range(r + 1, n):
            value -= upper[r, c] * coefficients[1 + order[c]]
        coefficients[1 + order[r]] = value / upper[r, r]
    coefficients[0] = centre[n]
    for k in range(n):
        coefficients[0] -= centre[k] * coefficients[1 + k]


@compiled
def leave_residuals(panels: Panels, rules: Rules, results: Results, rows: tuple[int, int]) -> None:
    """Write the residual of each row from the coefficients of ``lag`` bars before; O(A·K) a bar."""
    n_assets = panels.y.shape[1]
    for bar in range(rows[0], rows[1]):
        residual = results.residual[bar]
        source = bar - rules.lag
        if source < 0:
            residual[:] = np.nan
            continue
        y, alpha = panels.y[bar], results.coefficients[0, source]
        for a in range(n_assets):
            residual[a] = y[a] - alpha[a]
        for k in range(panels.x.shape[1]):
            factor, beta = panels.x[bar, k], results.coefficients[1 + k, source]
            for a in range(n_assets):
                residual[a] -= factor * beta[a]
        for a in range(n_assets):
            residual[a] = residual[a] if np.abs(residual[a]) < np.inf else np.nan


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
    centre = column[0]
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
    raw: Float[np.ndarray, " factors"],
    upper: Float[np.ndarray, "factors factors"],
    right: Float[np.ndarray, " factors"],
    order: Int[np.ndarray, " factors"],
) -> int:
    """Factorise the design in place, response last; return its rank.

    A column is measured against its own length before centring, so units do not matter.
    """
    n = upper.shape[0]
    n_rows = design.shape[1]
    tolerance = 4.0 * _EPS * max(n_rows, n)
    size = np.empty(n)
    for k in range(n):
        size[k] = np.sqrt(np.sum(design[k] * design[k]))
        if not size[k] > tolerance * raw[k]:
            size[k] = 0.0
    for step in range(n):
        best = -1
        longest = tolerance
        for c in range(step, n):
            k = order[c]
            if size[k] > 0.0:
                share = np.sqrt(np.sum(design[k] * design[k])) / size[k]
                if share > longest:
                    longest = share
                    best = c
        if best < 0:
            return step
        order[step], order[best] = order[best], order[step]
        for r in range(step):
            upper[r, step], upper[r, best] = upper[r, best], upper[r, step]
        pivot = design[order[step]]
        length = np.sqrt(np.sum(pivot * pivot))
        upper[step, step] = length
        pivot /= length
        for c in range(step + 1, n + 1):
            column = design[order[c]] if c < n else design[n]
            product = 0.0
            for r in range(n_rows):
                product += pivot[r] * column[r]
            for r in range(n_rows):
                column[r] -= product * pivot[r]
            if c < n:
                upper[step, c] = product
            else:
                right[step] = product
    return n


@compiled
def _right_inverse(system: Float[np.ndarray, "rank columns"]) -> Float[np.ndarray, "columns rank"]:
    """Return the pseudo-inverse of a matrix of full row rank, by orthogonalising its rows."""
    rank, columns = system.shape
    basis = system.copy()
    lower = np.zeros((rank, rank))
    for r in range(rank):
        for _ in range(2):
            for p in range(r):
                product = np.sum(basis[p] * basis[r])
                lower[r, p] += product
                basis[r] -= product * basis[p]
        lower[r, r] = np.sqrt(np.sum(basis[r] * basis[r]))
        basis[r] /= lower[r, r]
    inverse = np.zeros((columns, rank))
    for target in range(rank):
        solution = np.zeros(rank)
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
def _condition(system: Float[np.ndarray, "size size"]) -> float:
    """Return the ratio of largest to smallest singular value, by one-sided Jacobi rotations."""
    turned = system.copy()
    size = turned.shape[0]
    for _ in range(40):
        largest = 0.0
        for p in range(size):
            for q in range(p + 1, size):
                a = np.sum(turned[p] * turned[p])
                b = np.sum(turned[q] * turned[q])
                c = np.sum(turned[p] * turned[q])
                scale = np.sqrt(a * b)
                if not np.abs(c) > _EPS * scale:
                    continue
                largest = max(largest, np.abs(c) / scale)
                ratio = (b - a) / (2.0 * c)
                tangent = np.copysign(1.0 / (np.abs(ratio) + np.hypot(1.0, ratio)), ratio)
                cosine = 1.0 / np.hypot(1.0, tangent)
                for k in range(size):
                    left = turned[p, k]
                    right = turned[q, k]
                    turned[p, k] = cosine * (left - tangent * right)
                    turned[q, k] = cosine * (tangent * left + right)
        if largest <= 1e-15:
            break
    lengths = np.empty(size)
    for p in range(size):
        lengths[p] = np.sqrt(np.sum(turned[p] * turned[p]))
    return np.max(lengths) / np.min(lengths)


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
