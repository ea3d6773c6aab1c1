"""The causal residual of one asset, one window and one least-squares solution at a time."""

import numpy as np


def rolling_regression(
    y: np.ndarray, x: np.ndarray, window: int, min_obs: int, lag: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (T, A) alpha, (T, A, K) beta and (T, A) residual."""
    n_bars, n_assets = y.shape
    n_factors = x.shape[1]
    alpha = np.full((n_bars, n_assets), np.nan)
    beta = np.full((n_bars, n_assets, n_factors), np.nan)
    residual = np.full((n_bars, n_assets), np.nan)
    for a in range(n_assets):
        for t in range(n_bars):
            rows = range(max(t - window + 1, 0), t + 1)
            used = [r for r in rows if np.isfinite(y[r, a]) and np.isfinite(x[r]).all()]
            if len(used) >= max(min_obs, n_factors + 2):
                design = np.column_stack([np.ones(len(used)), x[used]])
                solution = np.linalg.lstsq(design, y[used, a], rcond=None)[0]
                alpha[t, a], beta[t, a] = solution[0], solution[1:]
        for t in range(lag, n_bars):
            residual[t, a] = y[t, a] - alpha[t - lag, a] - x[t] @ beta[t - lag, a]
    return alpha, beta, residual
