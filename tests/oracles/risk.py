"""Risk of a portfolio by loops over bars, factors and assets."""

import numpy as np


def decomposition(beta, x, residual, weight, half_life):
    """Return the variance per bar of each factor's part, and of the specific part.

    Rows of ``x`` and ``residual`` are the window; assets with a missing beta have weight 0.
    """
    n, k = x.shape
    v = [1.0 if half_life is None else 0.5 ** ((n - 1 - t) / half_life) for t in range(n)]
    rows = [t for t in range(n) if np.isfinite(x[t]).all()]
    f = np.array([[_covariance(x[:, i], x[:, j], rows, v) for j in range(k)] for i in range(k)])
    b = [sum(weight[a] * beta[a, i] for a in range(len(weight)) if weight[a]) for i in range(k)]
    parts = [b[i] * sum(f[i, j] * b[j] for j in range(k)) for i in range(k)]
    specific = 0.0
    for a in range(len(weight)):
        own = [t for t in rows if np.isfinite(residual[t, a])]
        if weight[a]:
            specific += weight[a] ** 2 * _covariance(residual[:, a], residual[:, a], own, v)
    return np.array(parts), specific


def _covariance(p, q, rows, v):
    total = sum(v[t] for t in rows)
    left = sum(v[t] * p[t] for t in rows) / total
    right = sum(v[t] * q[t] for t in rows) / total
    products = sum(v[t] * (p[t] - left) * (q[t] - right) for t in rows)
    return products / (total - sum(v[t] ** 2 for t in rows) / total)
