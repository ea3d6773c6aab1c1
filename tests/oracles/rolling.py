"""Statistics of trailing windows, one window at a time."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from scipy.stats import skew as scipy_skew


def rolling(
    function: Callable[..., float], window: int, min_obs: int, *series: np.ndarray
) -> np.ndarray:
    """Call a function with the rows of each window and asset where all series are finite."""
    first = series[0]
    out = np.full(first.shape, np.nan)
    for t in range(first.shape[0]):
        rows = slice(max(t - window + 1, 0), t + 1)
        for a in range(first.shape[1]):
            columns = [s[rows, a if s.shape[1] > 1 else 0] for s in series]
            there = np.all([np.isfinite(c) for c in columns], axis=0)
            if there.sum() >= min_obs:
                out[t, a] = function(*(c[there] for c in columns))
    return out


def deviations(x: np.ndarray) -> np.ndarray:
    """Return deviations from the mean; without the digits that a level costs."""
    wide = x.astype(np.longdouble) - x[0]
    return wide - wide.mean()


def mean(x: np.ndarray) -> float:
    return float(np.sum(x.astype(np.longdouble)) / len(x))


def std(x: np.ndarray) -> float:
    if len(x) < 2:
        return np.nan
    return float(np.sqrt(np.sum(deviations(x) ** 2) / (len(x) - 1)))


def skew(x: np.ndarray) -> float:
    if len(x) < 3 or (x == x[0]).all():
        return np.nan
    return float(scipy_skew(deviations(x), bias=False))


def quantile(q: float) -> Callable[[np.ndarray], float]:
    return lambda x: float(np.quantile(x, q))


def corr(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return np.nan
    dx, dy = deviations(x), deviations(y)
    return float((dx * dy).sum() / np.sqrt((dx**2).sum() * (dy**2).sum()))


def beta(y: np.ndarray, x: np.ndarray) -> float:
    if len(x) < 2 or (x == x[0]).all():
        return np.nan
    dx, dy = deviations(x), deviations(y)
    return float((dx * dy).sum() / (dx**2).sum())


def rolling_rank(x: np.ndarray, window: int, min_obs: int) -> np.ndarray:
    """Rank the last value of each window among those that are finite."""
    out = np.full(x.shape, np.nan)
    for t in range(x.shape[0]):
        for a in range(x.shape[1]):
            values = x[max(t - window + 1, 0) : t + 1, a]
            there = values[np.isfinite(values)]
            if np.isfinite(x[t, a]) and len(there) >= min_obs:
                out[t, a] = rankdata(there)[-1] / len(there)
    return out


def ewma(x: np.ndarray, half_life: float, window: int, min_obs: int) -> np.ndarray:
    """Weigh each window's values by their age."""
    out = np.full(x.shape, np.nan)
    for t in range(x.shape[0]):
        first = max(t - window + 1, 0)
        weight = 0.5 ** ((t - np.arange(first, t + 1)) / half_life)
        for a in range(x.shape[1]):
            there = np.isfinite(x[first : t + 1, a])
            if there.sum() >= min_obs:
                out[t, a] = np.average(x[first : t + 1, a][there], weights=weight[there])
    return out
