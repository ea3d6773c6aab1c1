"""The nearest matrix of correlations by alternating projections (Higham 2002, algorithm 3.3)."""

import numpy as np


def nearest_correlation(matrix, steps=100_000, close=1e-13):
    near = (matrix + matrix.T) / 2
    correction = np.zeros_like(near)
    for _ in range(steps):
        before = near
        shifted = near - correction
        values, basis = np.linalg.eigh(shifted)
        projected = (basis * np.maximum(values, 0.0)) @ basis.T
        correction = projected - shifted
        near = projected.copy()
        np.fill_diagonal(near, 1.0)
        if np.linalg.norm(near - before) <= close * np.linalg.norm(near):
            break
    return near
