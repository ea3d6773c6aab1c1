"""Ridge on standardised factors, one window and one series at a time, by scikit-learn."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler


def ridge_of_window(y, x, penalty):
    """Return alpha, slopes in raw units, R2 of the rows in which all is finite."""
    keep = np.isfinite(y) & np.isfinite(x).all(axis=1)
    rows, target = x[keep], y[keep]
    scaler = StandardScaler().fit(rows)
    fit = Ridge(alpha=penalty, solver="cholesky").fit(scaler.transform(rows), target)
    slopes = fit.coef_ / scaler.scale_
    residual = target - fit.predict(scaler.transform(rows))
    total = ((target - target.mean()) ** 2).sum()
    return target.mean() - slopes @ scaler.mean_, slopes, 1 - (residual**2).sum() / total
