"""Slow twins of what compares signals and groups, by pandas and loops."""

import numpy as np
import pandas as pd


def mean_rank_correlation(one, other):
    """Return the mean over bars of the Spearman correlation of two (T, A) arrays."""
    found = []
    for x, y in zip(one, other, strict=True):
        keep = np.isfinite(x) & np.isfinite(y)
        if keep.sum() < 3:
            continue
        a, b = pd.Series(x[keep]).rank(), pd.Series(y[keep]).rank()
        if a.nunique() == 1 or b.nunique() == 1:
            continue
        found.append(np.corrcoef(a, b)[0, 1])
    return np.mean(found) if found else None


def quantile_history(buckets, changes, n_quantiles):
    """Return [(bar, quantile, running sum)] from the bar after the first group on."""
    n_bars = len(buckets)
    running = [0.0] * n_quantiles
    rows = []
    started = False
    for t in range(1, n_bars):
        members = [np.flatnonzero(buckets[t - 1] == q) for q in range(1, n_quantiles + 1)]
        started = started or any(len(m) for m in members)
        if not started:
            continue
        means = [changes[t, m].mean() if len(m) else None for m in members]
        there = [m for m in means if m is not None]
        for q, mean in enumerate(means):
            if mean is not None:
                running[q] += mean - sum(there) / len(there)
            rows.append((t, q + 1, running[q]))
    return sorted(rows, key=lambda row: (row[1], row[0]))
