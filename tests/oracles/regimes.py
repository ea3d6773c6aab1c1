"""States by thresholds, one bar at a time."""

import math

import numpy as np


def threshold_state(
    returns: np.ndarray, t: int, measure: str, window: int, lookback: int, cuts: tuple
) -> float:
    """Return the place of the state of bar t, NaN where it has none."""
    measured = []
    for s in range(max(t - lookback + 1, 0), t + 1):
        there = [r for r in returns[max(s - window + 1, 0) : s + 1] if math.isfinite(r)]
        if len(there) < math.ceil(0.6 * window):
            measured.append(math.nan)
        else:
            figure = np.std(there, ddof=1) if measure == "volatility" else np.mean(there)
            measured.append(float(figure))
    known = [m for m in measured if math.isfinite(m)]
    if math.isnan(measured[-1]) or len(known) < math.ceil(0.6 * lookback):
        return math.nan
    return float(sum(measured[-1] > np.quantile(known, cut) for cut in cuts))
