"""Betas of one window with their standard errors, by statsmodels."""

import numpy as np
from statsmodels.regression.linear_model import OLS, WLS


def betas(
    y: np.ndarray, x: np.ndarray, window: int, half_life: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (K,) betas, standard errors and t of the last window of one return series."""
    y, x = y[-window:], x[-window:]
    age = np.arange(len(y))[::-1]
    kept = np.isfinite(y) & np.isfinite(x).all(axis=1)
    design = np.column_stack([np.ones(kept.sum()), x[kept]])
    if half_life is None:
        fit = OLS(y[kept], design).fit()
    else:
        fit = WLS(y[kept], design, weights=0.5 ** (age[kept] / half_life)).fit()
    return fit.params[1:], fit.bse[1:], fit.tvalues[1:]
