"""Correlation figures of one portfolio, by LAPACK and plain loops."""

import numpy as np


def alikeness_of(weights, deviations, matrix):
    """Return the figures of symbols that all have correlations; weights are signed."""
    n = len(weights)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    sizes = np.abs(weights)
    risk = weights * deviations
    variance = risk @ matrix @ risk
    values, basis = np.linalg.eigh(matrix)
    shares = np.maximum(values, 0) * (basis.T @ risk) ** 2
    shares = shares[shares > 0] / shares.sum()
    return {
        "mean": np.mean([matrix[i, j] for i, j in pairs]) if pairs else np.nan,
        "weighted_mean": (
            np.average(
                [matrix[i, j] for i, j in pairs], weights=[sizes[i] * sizes[j] for i, j in pairs]
            )
            if pairs
            else np.nan
        ),
        "diversification": np.abs(risk).sum() / np.sqrt(variance),
        "effective_bets": np.exp(-(shares * np.log(shares)).sum()),
        "covered": sizes.sum(),
    }
