"""Cross-sections one bar at a time, by scipy and numpy; groups as dummies that add up to zero."""

import numpy as np
from scipy.stats import norm, rankdata

from tests.oracles import neutralise as by_least_squares


def by_bar(function, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Call a function with the usable values of each bar."""
    out = np.full(x.shape, np.nan)
    for t in range(len(x)):
        there = np.isfinite(x[t]) if mask is None else np.isfinite(x[t]) & mask[t]
        if there.any():
            out[t, there] = function(x[t, there])
    return out


def winsorised(low: float, high: float):
    return lambda v: np.clip(v, np.quantile(v, low), np.quantile(v, high))


def zscores(ddof: int):
    def scores(v: np.ndarray) -> np.ndarray:
        wide = v.astype(np.longdouble)
        deviation = wide - wide.mean()
        if len(v) <= max(ddof, 1) or np.abs(deviation).max() <= 1e-15 * len(v) * np.abs(v).max():
            return np.full(len(v), np.nan)
        deviation /= np.abs(deviation).max()
        return (deviation / np.sqrt((deviation**2).sum() / (len(v) - ddof))).astype(float)

    return scores


def ranks(v: np.ndarray) -> np.ndarray:
    return (rankdata(v) - 0.5) / len(v)


def gaussian_ranks(v: np.ndarray) -> np.ndarray:
    return norm.ppf(ranks(v))


def neutralised_within_groups(
    signal: np.ndarray, exposures: np.ndarray, groups: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Fit every bar on exposures and a dummy for each group but the last, which has minus all."""
    out = np.full(signal.shape, np.nan)
    for t in range(len(signal)):
        own = groups if groups.ndim == 1 else groups[t]
        weight = np.ones(signal.shape[1]) if weights is None else weights[t]
        there = by_least_squares.usable(signal[t], exposures[t], weight) & (own >= 0)
        kinds, sizes = np.unique(own[there], return_counts=True)
        there &= np.isin(own, kinds[sizes > 1])
        kinds = kinds[sizes > 1]
        if not there.any() or there.sum() < exposures.shape[2] + len(kinds) + 1:
            continue
        coded = (own[there, None] == kinds[:-1]).astype(float) - (own[there, None] == kinds[-1:])
        design = np.column_stack([exposures[t, there], coded])
        out[t, there] = by_least_squares.residuals(signal[t, there], design, weight[there])
    return out


def sequentially_orthogonal(signals: np.ndarray) -> np.ndarray:
    """Fit every signal on those before it, as given."""
    return np.stack(
        [
            by_least_squares.neutralise(signals[s], np.moveaxis(signals[:s], 0, -1))
            for s in range(len(signals))
        ]
    )


def mean_correlation(x: np.ndarray, y: np.ndarray) -> float:
    found = []
    for t in range(len(x)):
        there = np.isfinite(x[t]) & np.isfinite(y[t])
        if there.sum() >= 3 and np.ptp(x[t, there]) > 0 and np.ptp(y[t, there]) > 0:
            found.append(np.corrcoef(x[t, there], y[t, there])[0, 1])
    return float(np.mean(found)) if found else np.nan
