"""Returns and signals, one value at a time."""

import math

import numpy as np


def simple_return(close: np.ndarray, t: int, horizon: int = 1) -> float:
    """Return close[t] / close[t - horizon] - 1 of one asset, NaN where that is not defined."""
    if t < horizon or t >= len(close):
        return math.nan
    before, after = float(close[t - horizon]), float(close[t])
    if not (math.isfinite(before) and math.isfinite(after) and before > 0 and after > 0):
        return math.nan
    return after / before - 1


def momentum(close: np.ndarray, lookback: int, skip: int) -> np.ndarray:
    out = np.full(close.shape, np.nan)
    for t in range(lookback, close.shape[0]):
        for a in range(close.shape[1]):
            out[t, a] = simple_return(close[:, a][: t - skip + 1], t - skip, lookback - skip)
    return out


def residual_momentum(residual: np.ndarray, lookback: int, skip: int, min_obs: int) -> np.ndarray:
    out = np.full(residual.shape, np.nan)
    for t in range(residual.shape[0]):
        for a in range(residual.shape[1]):
            rows = range(max(t - lookback + 1, 0), t - skip + 1)
            window = [float(residual[r, a]) for r in rows if math.isfinite(residual[r, a])]
            if len(window) < min_obs:
                continue
            deviation = float(np.std(window, ddof=1))
            if deviation > 1e-12 * abs(float(np.mean(window))):
                out[t, a] = math.fsum(window) / deviation
    return out
