"""The nearest matrix of correlations."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError

_STEPS: Final = 100  # of Newton's method; ten are usual
_SOLVING: Final = 200  # of conjugate gradients for one of them
_HALVINGS: Final = 30
_CLOSE: Final = 1e-11  # distance of the diagonal from one, root of the mean square
_RIDGE: Final = 1e-12  # that keeps the curvature above 0
_ENOUGH: Final = 1e-4  # of the fall that the slope promises


class _Dual(NamedTuple):
    """A shift of the diagonal, and the positive part of the matrix shifted by it.

    Parameters
    ----------
    shift : (N,) added to the diagonal.
    values, basis : eigenvalues and eigenvectors of the shifted matrix.
    near : its positive part.
    height : what is made least.
    slope : (N,) diagonal of the positive part less one.
    """

    shift: Float[np.ndarray, " size"]
    values: Float[np.ndarray, " size"]
    basis: Float[np.ndarray, "size size"]
    near: Float[np.ndarray, "size size"]
    height: float
    slope: Float[np.ndarray, " size"]


def nearest_correlation(
    matrix: Float[np.ndarray, "size size"],
) -> Float[np.ndarray, "size size"]:
    """Return the positive semi-definite matrix with a unit diagonal that is nearest.

    Nearness is that of all entries, squared. It is the positive part of the matrix with another
    diagonal, which Newton's method finds.

    Parameters
    ----------
    matrix : symmetric, without NaN.

    Raises
    ------
    ParameterError
        If it has an entry that is not finite, or the steps do not settle.

    Notes
    -----
    Cost: O(size³) a step, quadratic convergence.

    References
    ----------
    Qi and Sun, "A quadratically convergent Newton method for computing the nearest correlation
    matrix", SIAM Journal on Matrix Analysis and Applications 28 (2006) 360-385. Higham, "Computing
    the nearest correlation matrix: a problem from finance", IMA Journal of Numerical Analysis 22
    (2002) 329-343.
    """
    if not np.isfinite(matrix).all():
        raise ParameterError("a matrix of correlations must be finite; leave symbols out first")
    symmetric = (matrix + matrix.T) / 2
    found = _dual(symmetric, 1.0 - np.diag(symmetric))
    for _ in range(_STEPS):
        size = np.sqrt(np.mean(found.slope**2))
        if size <= _CLOSE:
            root = np.sqrt(np.diag(found.near))
            near = found.near / np.outer(root, root)
            np.fill_diagonal(near, 1.0)
            return np.asarray(near)
        found = _lower(symmetric, found, _newton_step(found, min(0.1, size)))
    raise ParameterError(f"no nearest matrix of correlations was found in {_STEPS} steps")


def _dual(matrix: np.ndarray, shift: np.ndarray) -> _Dual:
    values, basis = np.linalg.eigh(matrix + np.diag(shift))
    positive = np.maximum(values, 0.0)
    near = (basis * positive) @ basis.T
    height = float(positive @ positive) / 2 - float(shift.sum())
    return _Dual(shift, values, basis, near, height, np.diag(near) - 1.0)


def _lower(matrix: np.ndarray, found: _Dual, step: np.ndarray) -> _Dual:
    """Return the point a step on, or a part of it that is low enough."""
    fall = float(found.slope @ step)
    if fall >= 0:
        step, fall = -found.slope, -float(found.slope @ found.slope)
    share = 1.0
    for _ in range(_HALVINGS):
        there = _dual(matrix, found.shift + share * step)
        rounding = 1e-14 * abs(found.height)
        if there.height <= found.height + _ENOUGH * share * fall + rounding:
            return there
        share /= 2
    return there


def _newton_step(found: _Dual, share: float) -> np.ndarray:
    """Return the step that leaves a share of the slope at most, by conjugate gradients."""
    bend = _curvature(found)
    step, residual = np.zeros_like(found.slope), -found.slope
    direction, square = residual.copy(), float(residual @ residual)
    enough = share**2 * square
    for _ in range(_SOLVING):
        bent = bend(direction)
        length = square / float(direction @ bent)
        step = step + length * direction
        residual = residual - length * bent
        before, square = square, float(residual @ residual)
        if square <= enough:
            break
        direction = residual + (square / before) * direction
    return np.asarray(step)


def _curvature(found: _Dual) -> Callable[[np.ndarray], np.ndarray]:
    """Return what a small step on does to the slope."""
    n_below = int((found.values <= 0).sum())
    below, above = found.values[:n_below], found.values[n_below:]
    others, kept = found.basis[:, :n_below], found.basis[:, n_below:]
    mixed = above / (above - below[:, None])  # 1 where both values are above 0, 0 where none is

    def bend(step: np.ndarray) -> np.ndarray:
        turned = step[:, None] * kept
        rows = kept @ (kept.T @ turned) + 2 * (others @ (mixed * (others.T @ turned)))
        return np.asarray(np.einsum("ij,ij->i", rows, kept) + _RIDGE * step)

    return bend
