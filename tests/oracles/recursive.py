"""Filtered coefficients as one generalised least-squares solution per asset and bar.

With coefficients that are random walks, y_s = x_s'β_t - x_s'(steps from s to t) + ε_s: given β_t,
the rows up to t have errors whose covariance is known, and β_t is estimated by their inverse. What
is forgotten grows in variance by a bar's share, steps as well as noise.
"""

import numpy as np


def recursive(
    y: np.ndarray,
    x: np.ndarray,
    memory: int,
    min_obs: int,
    drift: np.ndarray,
    forgetting: float,
    first_bar: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (C, T, A) coefficients, intercept first, (T, A) counts and (T, A) R²."""
    n_bars, n_assets = y.shape
    n = x.shape[1] + 1
    beta = np.full((n, n_bars, n_assets), np.nan)
    counts = np.zeros((n_bars, n_assets))
    r2 = np.full((n_bars, n_assets), np.nan)
    for t in range(n_bars):
        start = ((first_bar + t) // memory - 1) * memory - first_bar
        for a in range(n_assets):
            rows = [
                s
                for s in range(max(start, 0), t + 1)
                if np.isfinite(y[s, a]) and np.isfinite(x[s]).all()
            ]
            counts[t, a] = len(rows)
            if len(rows) < max(min_obs, n + 1):
                continue
            design = np.column_stack([np.ones(len(rows)), x[rows]])
            age = t - np.array(rows)
            grown = np.cumsum([0.0, *(forgetting ** -np.arange(1.0, age.max() + 1))])
            steps = grown[np.minimum.outer(age, age)]
            moved = (design * np.square(drift)) @ design.T * steps
            root = np.linalg.cholesky(np.diag(forgetting ** -age.astype(float)) + moved)
            white, target = np.linalg.solve(root, design), np.linalg.solve(root, y[rows, a])
            size = np.linalg.norm(white, axis=0)
            if np.linalg.matrix_rank(white / np.where(size > 0, size, 1.0), tol=1e-5) < n:
                continue
            solution = np.linalg.lstsq(white / size, target, rcond=None)[0] / size
            beta[:, t, a] = solution
            weight = forgetting ** age.astype(float)
            mean = weight @ y[rows, a] / weight.sum()
            total = weight @ (y[rows, a] - mean) ** 2
            if np.ptp(y[rows, a]) > 0:
                r2[t, a] = 1 - ((target - white @ solution) ** 2).sum() / total
    return beta, counts, r2
