"""Ridge regressions of many series on the same standardised factors, over windows.

Each window is summed by itself: dates are few, and a window's bits then depend on its own rows and
on nothing else. Series without gaps share the factors' products; they are summed side by side.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.core.errors import ParameterError
from plumbline.kernels.compilation import compiled

_FLAT = 1e-24  # share of its squared mean below which the variance of a factor is rounding
_PIVOT = 1e-12  # share of its diagonal below which a pivot says that factors depend on each other


class RidgeFit(NamedTuple):
    """Fits at the end of each window; NaN where there is none.

    Parameters
    ----------
    alpha : (E, S) intercept, in units of the series.
    beta : (E, S, K) slopes in units of the series per raw unit of a factor.
    r2 : (E, S) share of the variance explained, in sample; NaN of a constant series.
    n_obs : (E, S) rows of the window that have the series and all factors.
    """

    alpha: Float[np.ndarray, "ends series"]
    beta: Float[np.ndarray, "ends series factors"]
    r2: Float[np.ndarray, "ends series"]
    n_obs: Int[np.ndarray, "ends series"]


def standardised_ridge(
    y: Float[np.ndarray, "rows series"],
    x: Float[np.ndarray, "rows factors"],
    ends: Int[np.ndarray, " ends"],
    window: int,
    *,
    min_obs: int,
    penalty: Float[np.ndarray, " factors"],
) -> RidgeFit:
    """Fit each series on factors that are standardised over its own rows of the window.

    A series is centred, factors have mean 0 and population deviation 1 over the rows in which the
    series and all factors are finite; what is minimised is the sum of squared residuals plus
    ``penalty`` times the squared slopes on standardised factors. So ``sklearn``'s ``Ridge(alpha)``
    on standardised rows agrees, and 0 is least squares.

    Parameters
    ----------
    y, x : NaN for missing.
    ends : rows with which windows end, at least 0.
    window : rows of a window; a window that begins before row 0 has fewer.
    min_obs : rows that a fit needs, at least 2.
    penalty : of each factor, at least 0. A factor that does not move gets slope 0 if it is
        penalised; if not, or if factors depend on each other without penalty, there is no fit.

    Raises
    ------
    ParameterError
        If ``window`` or ``min_obs`` is below 2, or a penalty is negative.

    Notes
    -----
    Cost: O(ends x window x series x factors), and a factorisation for each end and each series with
    gaps.

    References
    ----------
    Hoerl and Kennard, "Ridge regression", Technometrics 12 (1970) 55-67.
    """
    if window < 2 or not 2 <= min_obs <= window or not (penalty >= 0).all():
        raise ParameterError(
            f"window={window} and min_obs={min_obs} must be 2 or more, min_obs at most the window, "
            f"and penalties {penalty.tolist()} 0 or more"
        )
    shape = (ends.size, y.shape[1])
    out = RidgeFit(
        np.full(shape, np.nan),
        np.full((*shape, x.shape[1]), np.nan),
        np.full(shape, np.nan),
        np.zeros(shape, dtype=np.int64),
    )
    _fit_all(
        np.ascontiguousarray(y), np.ascontiguousarray(x), ends, (window, min_obs), penalty, out
    )
    return out


class _Design(NamedTuple):
    """Standardised factors of some rows, and the factor of their penalised products."""

    rows: Int[np.ndarray, " rows"]
    z: Float[np.ndarray, "rows factors"]
    mean: Float[np.ndarray, " factors"]
    deviation: Float[np.ndarray, " factors"]
    chol: Float[np.ndarray, "factors factors"]
    size: Int[np.ndarray, " one"]


@compiled
def _fit_all(
    y: Float[np.ndarray, "rows series"],
    x: Float[np.ndarray, "rows factors"],
    ends: Int[np.ndarray, " ends"],
    rules: tuple[int, int],
    penalty: Float[np.ndarray, " factors"],
    out: RidgeFit,
) -> None:
    window, min_obs = rules
    n_series, k = y.shape[1], x.shape[1]
    design = _empty_design(window, k)
    own = _empty_design(window, k)
    sums, alone = np.empty((k + 2, n_series)), np.empty(k + 2)
    missing = np.empty(n_series, dtype=np.int64)
    for e in range(ends.size):
        stop = ends[e] + 1
        start = max(0, stop - window)
        n = 0
        for row in range(start, stop):
            if _all_finite(x[row]):
                design.rows[n] = row
                n += 1
        design.size[0] = n
        is_fit = n >= min_obs and _standardise(x, penalty, design)
        missing[:] = 0
        _count_missing(y, design, missing)
        if is_fit:
            _sum(y, design, sums)
        for s in range(n_series):
            if missing[s] == 0:
                out.n_obs[e, s] = n
                if is_fit:
                    _solve(design, sums[:, s], out.beta[e, s], out.alpha[e], out.r2[e], s)
                continue
            m = 0
            for i in range(n):
                if np.isfinite(y[design.rows[i], s]):
                    own.rows[m] = design.rows[i]
                    m += 1
            own.size[0] = m
            out.n_obs[e, s] = m
            if m >= min_obs and _standardise(x, penalty, own):
                _sum_alone(y, s, own, alone)
                _solve(own, alone, out.beta[e, s], out.alpha[e], out.r2[e], s)


@compiled
def _empty_design(window: int, k: int) -> _Design:
    return _Design(
        np.empty(window, dtype=np.int64),
        np.empty((window, k)),
        np.empty(k),
        np.empty(k),
        np.empty((k, k)),
        np.zeros(1, dtype=np.int64),
    )


@compiled
def _all_finite(row: Float[np.ndarray, " factors"]) -> bool:
    return bool(np.isfinite(row).all())


@compiled
def _count_missing(
    y: Float[np.ndarray, "rows series"], design: _Design, missing: Int[np.ndarray, " series"]
) -> None:
    for i in range(design.size[0]):
        row = y[design.rows[i]]
        for s in range(row.size):
            missing[s] += not np.isfinite(row[s])


@compiled
def _standardise(
    x: Float[np.ndarray, "rows factors"], penalty: Float[np.ndarray, " factors"], design: _Design
) -> bool:
    """Standardise the rows of a design and factorise their products; return whether that exists."""
    n, k = design.size[0], x.shape[1]
    mean, rest, squares = design.mean, np.zeros(k), np.zeros(k)
    mean[:] = 0.0
    for i in range(n):  # factors go abreast: each sum waits for itself only
        for j in range(k):
            mean[j] += x[design.rows[i], j]
    for j in range(k):
        mean[j] /= n
    for i in range(n):
        for j in range(k):
            difference = x[design.rows[i], j] - mean[j]
            rest[j] += difference
            squares[j] += difference * difference
    for j in range(k):
        mean[j] += rest[j] / n
        variance = (squares[j] - rest[j] * rest[j] / n) / n
        is_flat = variance <= _FLAT * mean[j] * mean[j] or variance == 0.0
        if is_flat and penalty[j] == 0.0:
            return False
        design.deviation[j] = np.inf if is_flat else math.sqrt(variance)
    design.chol[:] = 0.0
    for i in range(n):
        own = design.z[i]
        for j in range(k):
            own[j] = (x[design.rows[i], j] - mean[j]) / design.deviation[j]
        for j in range(k):
            for m in range(j + 1):
                design.chol[j, m] += own[j] * own[m]
    for j in range(k):
        design.chol[j, j] += penalty[j]
    return _factorise(design.chol)


@compiled
def _factorise(a: Float[np.ndarray, "factors factors"]) -> bool:
    """Write the Cholesky factor over the lower triangle; return whether there is one."""
    for j in range(a.shape[0]):
        diagonal = a[j, j]
        left = diagonal
        for m in range(j):
            left -= a[j, m] * a[j, m]
        if not left > _PIVOT * diagonal:
            return False
        a[j, j] = math.sqrt(left)
        for i in range(j + 1, a.shape[0]):
            total = a[i, j]
            for m in range(j):
                total -= a[i, m] * a[j, m]
            a[i, j] = total / a[j, j]
    return True


@compiled
def _sum(
    y: Float[np.ndarray, "rows series"], design: _Design, sums: Float[np.ndarray, "kinds series"]
) -> None:
    """Write for each series its products with the factors, its mean, its squared deviations."""
    n, k = design.size[0], design.z.shape[1]
    sums[:] = 0.0
    mean, squares = sums[k], sums[k + 1]
    for i in range(n):
        row = y[design.rows[i]]
        for s in range(mean.size):
            mean[s] += row[s]
    for s in range(mean.size):
        mean[s] /= n
    for i in range(n):
        row = y[design.rows[i]]
        for s in range(mean.size):
            difference = row[s] - mean[s]
            squares[s] += difference * difference
    for j in range(k):
        products = sums[j]
        for i in range(n):
            row = y[design.rows[i]]
            z = design.z[i, j]
            for s in range(mean.size):
                products[s] += z * (row[s] - mean[s])


@compiled
def _sum_alone(
    y: Float[np.ndarray, "rows series"],
    s: int,
    design: _Design,
    sums: Float[np.ndarray, " kinds"],
) -> None:
    """Write the same of one series, factors abreast."""
    n, k = design.size[0], design.z.shape[1]
    sums[:] = 0.0
    total = 0.0
    for i in range(n):
        total += y[design.rows[i], s]
    mean, squares = total / n, 0.0
    for i in range(n):
        difference = y[design.rows[i], s] - mean
        squares += difference * difference
        for j in range(k):
            sums[j] += design.z[i, j] * difference
    sums[k], sums[k + 1] = mean, squares


@compiled
def _solve(
    design: _Design,
    sums: Float[np.ndarray, " kinds"],
    beta: Float[np.ndarray, " factors"],
    alpha: Float[np.ndarray, " series"],
    r2: Float[np.ndarray, " series"],
    s: int,
) -> None:
    k, n = design.mean.size, design.size[0]
    chol = design.chol
    for i in range(k):
        total = sums[i]
        for m in range(i):
            total -= chol[i, m] * beta[m]
        beta[i] = total / chol[i, i]
    for i in range(k - 1, -1, -1):
        total = beta[i]
        for m in range(i + 1, k):
            total -= chol[m, i] * beta[m]
        beta[i] = total / chol[i, i]
    explained = 0.0
    for i in range(k):  # with penalty p, b'(Z'Z)b = b'(Z'y) - b'pb; rss = yy - 2b'Z'y + b'Z'Zb
        explained += beta[i] * sums[i]
    fitted = 0.0
    for i in range(n):
        total = 0.0
        for j in range(k):
            total += design.z[i, j] * beta[j]
        fitted += total * total
    squares = sums[k + 1]
    r2[s] = (2.0 * explained - fitted) / squares if squares > 0.0 else np.nan
    level = sums[k]
    for i in range(k):
        beta[i] /= design.deviation[i]
        level -= beta[i] * design.mean[i]
    alpha[s] = level
