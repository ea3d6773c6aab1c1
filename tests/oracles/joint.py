"""The joint model of one symbol and date, by statsmodels and scikit-learn's conventions."""

import numpy as np
import statsmodels.api as sm


def joint_fit(y, raw, penalty):
    """Return slopes of y on the market, and on the other factors less what the market explains.

    ``raw`` has the market first; ridge on the last columns, standardised; none on the first two.
    """
    market = raw[:, 0]
    lines = [(0.0, 0.0)]
    columns = [market]
    for k in range(1, raw.shape[1]):
        keep = np.isfinite(market) & np.isfinite(raw[:, k])
        a, b = sm.OLS(raw[keep, k], sm.add_constant(market[keep])).fit().params
        lines.append((a, b))
        columns.append(raw[:, k] - a - b * market)
    x = np.stack(columns, axis=1)
    keep = np.isfinite(y) & np.isfinite(x).all(axis=1)
    x, y = x[keep], y[keep]
    sd = x.std(axis=0)
    z = (x - x.mean(axis=0)) / sd
    weights = np.append(np.zeros(2), np.full(x.shape[1] - 2, penalty))
    slopes = np.linalg.solve(z.T @ z + np.diag(weights), z.T @ (y - y.mean()))
    return slopes / sd, lines
