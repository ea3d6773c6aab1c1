"""Newey-West by sums over pairs of values, on the values' own places in time."""

import numpy as np


def automatic_lag(x: np.ndarray) -> int:
    """Return the 1994 rule for Bartlett weights on a series without gaps."""
    n = len(x)
    deviation = x - x.mean()
    n_pilot = int(np.floor(4 * (n / 100) ** (2 / 9)))
    sigma = [float(deviation[j:] @ deviation[: n - j]) / n for j in range(n_pilot + 1)]
    s0 = sigma[0] + 2 * sum(sigma[1:])
    s1 = 2 * sum(j * sigma[j] for j in range(1, n_pilot + 1))
    return int(np.floor(1.1447 * ((s1 / s0) ** 2) ** (1 / 3) * n ** (1 / 3)))


def stderr(x: np.ndarray, lag: int) -> float:
    """Return the standard error of the mean; NaN is missing and keeps its place."""
    place = np.flatnonzero(np.isfinite(x))
    deviation = x[place] - x[place].mean()
    weight = np.maximum(0, 1 - np.abs(place[:, None] - place[None, :]) / (lag + 1))
    return float(np.sqrt((weight * np.outer(deviation, deviation)).sum())) / len(place)


def kept_of_overlap(lag: int, horizon: int) -> float:
    """Return the share of Var(mean of h-bar sums) that Bartlett weights keep, long sample."""
    full = kept = 0.0
    for j in range(-horizon + 1, horizon):
        full += horizon - abs(j)
        kept += max(0.0, 1 - abs(j) / (lag + 1)) * (horizon - abs(j))
    return kept / full
