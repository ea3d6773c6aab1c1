"""Residuals across assets, one bar at a time: by least squares, and exactly in fractions."""

from fractions import Fraction

import numpy as np


def neutralise(
    signal: np.ndarray, exposures: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Fit every bar by ``numpy.linalg.lstsq`` on centred columns of largest value 1."""
    out = np.full(signal.shape, np.nan)
    for t in range(len(signal)):
        weight = np.ones(signal.shape[1]) if weights is None else weights[t]
        there = usable(signal[t], exposures[t], weight)
        if there.sum() >= exposures.shape[2] + 2:
            out[t, there] = residuals(signal[t, there], exposures[t, there], weight[there])
    return out


def usable(signal: np.ndarray, exposures: np.ndarray, weight: np.ndarray) -> np.ndarray:
    finite = np.isfinite(signal) & np.isfinite(exposures).all(axis=1) & np.isfinite(weight)
    return finite & (weight > 0)


def residuals(y: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the residuals of one bar; a column that only rounding moves is left out."""
    weight = weight / weight.max()

    def centred(column: np.ndarray) -> np.ndarray:
        shifted = column - column[0]
        return shifted - weight @ shifted / weight.sum()

    columns = []
    for k in range(x.shape[1]):
        column = centred(x[:, k])
        peak = np.abs(column).max()
        if peak > 1e-13 * np.abs(x[:, k]).max():
            columns.append(column / peak)
    response = centred(y)
    if not columns:
        return response
    design, root = np.column_stack(columns), np.sqrt(weight)
    for _ in range(2):  # the second fit takes out what rounding left of the first
        slopes = np.linalg.lstsq(design * root[:, None], response * root, rcond=1e-12)[0]
        response = response - design @ slopes
    return response


def exact_residuals(y: np.ndarray, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the residuals of one bar of independent exposures, rounded only at the end."""
    weights = [Fraction(float(v)) for v in weight]
    columns = [[Fraction(1)] * len(y)]
    columns += [[Fraction(float(v)) for v in x[:, k]] for k in range(x.shape[1])]
    response = [Fraction(float(v)) for v in y]
    basis: list[list[Fraction]] = []
    for column in [*columns, response]:
        for other in basis:
            length = sum(w * v * v for w, v in zip(weights, other, strict=True))
            inner = sum(w * v * c for w, v, c in zip(weights, other, column, strict=True))
            column = [c - inner / length * v for c, v in zip(column, other, strict=True)]
        basis.append(column)
    return np.array([float(v) for v in basis[-1]])
