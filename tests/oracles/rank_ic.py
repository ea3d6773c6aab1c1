"""Spearman's correlation, one pair of panels and one bar at a time."""

import numpy as np
from scipy.stats import rankdata, spearmanr


def rank_ic(signals: np.ndarray, forwards: np.ndarray) -> np.ndarray:
    """Correlate average ranks over the assets that are finite in both."""
    out = np.full((len(signals), len(forwards), signals.shape[1]), np.nan)
    for s in range(len(signals)):
        for h in range(len(forwards)):
            for t in range(signals.shape[1]):
                out[s, h, t] = correlation(signals[s, t], forwards[h, t])
    return out


def correlation(left: np.ndarray, right: np.ndarray) -> float:
    there = np.isfinite(left) & np.isfinite(right)
    if there.sum() < 3:
        return np.nan
    x, y = rankdata(left[there]), rankdata(right[there])
    if len(set(x)) == 1 or len(set(y)) == 1:
        return np.nan
    return float(spearmanr(left[there], right[there]).statistic)
