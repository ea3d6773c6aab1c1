"""Statistical factors one refit, one asset and one bar at a time."""

import numpy as np


def statistical(
    y: np.ndarray, first_bar: int, n_factors: int, window: int, refit_bars: int, needed: int
) -> dict[str, np.ndarray]:
    """Return alpha, r2, n_obs, residual (T, A), beta (K, T, A) and factor (T, K)."""
    n_bars, n_assets = y.shape
    alpha, r2, residual = (np.full((n_bars, n_assets), np.nan) for _ in range(3))
    n_obs = np.zeros((n_bars, n_assets))
    beta = np.full((n_factors, n_bars, n_assets), np.nan)
    factor = np.full((n_bars, n_factors), np.nan)
    fit = None
    for t in range(n_bars):
        if fit is not None:
            mean, weight, coefficients = fit
            shares = [a for a in weight if np.isfinite(y[t, a])]
            if shares:
                filled = {a: y[t, a] if a in shares else mean[a] for a in weight}
                factor[t] = sum(weight[a] * filled[a] for a in weight)
            for a, (intercept, slopes, _) in coefficients.items():
                residual[t, a] = y[t, a] - intercept - slopes @ factor[t]
        if (first_bar + t) % refit_bars == 0:
            seen = y[max(t - window + 1, 0) : t + 1]
            counts = np.isfinite(seen).sum(axis=0)
            fit = _fit(seen, [a for a in range(n_assets) if counts[a] >= needed], n_factors)
        if (first_bar + t) // refit_bars * refit_bars >= first_bar:
            n_obs[t] = counts
        if fit is not None:
            for a, (intercept, slopes, share) in fit[2].items():
                alpha[t, a], beta[:, t, a], r2[t, a] = intercept, slopes, share
    names = ("alpha", "r2", "n_obs", "residual", "beta", "factor")
    return dict(zip(names, (alpha, r2, n_obs, residual, beta, factor), strict=True))


def _fit(seen, columns, n_factors):
    """Return means, portfolio weights, and alpha, betas, R² of each asset."""
    own = {a: seen[np.isfinite(seen[:, a]), a] for a in columns}
    mean = {a: own[a].mean() for a in columns}
    sd = {a: own[a].std() for a in columns}
    moving = [a for a in columns if sd[a] > 1e-12 * abs(own[a]).max()]
    if len(moving) <= n_factors:
        return None
    z = np.column_stack([np.nan_to_num((seen[:, a] - mean[a]) / sd[a]) for a in moving])
    _, singular, rows = np.linalg.svd(z, full_matrices=False)
    if len(singular) < n_factors or singular[n_factors - 1] < 1e-5 * singular[0]:
        return None
    vectors = [row if (row**3).sum() >= 0 else -row for row in rows[:n_factors]]
    weight = {
        a: np.array(
            [v[i] / sd[a] / sum(abs(v[j] / sd[b]) for j, b in enumerate(moving)) for v in vectors]
        )
        for i, a in enumerate(moving)
    }
    base = sum(weight[a] * mean[a] for a in moving)
    factor = np.array(
        [base + sum(weight[a] * np.nan_to_num(row[a] - mean[a]) for a in moving) for row in seen]
    )
    coefficients = {}
    for a in columns:
        there = np.isfinite(seen[:, a])
        design = np.column_stack([np.ones(there.sum()), factor[there]])
        solution = np.linalg.lstsq(design / abs(design).max(axis=0), own[a], rcond=None)[0]
        solution = solution / abs(design).max(axis=0)
        left = own[a] - design @ solution
        share = 1 - (left @ left) / own[a].var() / len(own[a]) if a in moving else np.nan
        coefficients[a] = (solution[0], solution[1:], share)
    return mean, weight, coefficients
