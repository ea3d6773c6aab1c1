"""The nearest matrix of correlations."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError

_STEPS: Final = 200  # of Newton's method; four or five are usual
_CLOSE: Final = 1e-12  # distance of the diagonal from 1, per entry, at which they end
_FEWEST: Final = 1e-8  # part of a full step below which one is not shortened
_DESCENT: Final = 1e-4  # share of the slope that a step must gain
_INNER: Final = 500  # steps that a direction is sought in; three are usual
_SAME: Final = 1e-12  # gap of eigenvalues, of the largest, below which they are one


def nearest_correlation(
    matrix: Float[np.ndarray, "size size"],
) -> Float[np.ndarray, "size size"]:
    """Return the positive semi-definite matrix with a unit diagonal that is nearest.

    Nearness is that of all entries, squared. The nearest matrix is what is left of the given one,
    with another diagonal, when its negative eigenvalues are taken out; Newton's method finds the
    diagonal.

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
    Higham, "Computing the nearest correlation matrix: a problem from finance", IMA Journal of
    Numerical Analysis 22 (2002) 329-343. Qi and Sun, "A quadratically convergent Newton method for
    computing the nearest correlation matrix", SIAM Journal on Matrix Analysis 28 (2006) 360-385.
    """
    if not np.isfinite(matrix).all():
        raise ParameterError("a matrix of correlations must be finite; leave symbols out first")
    given = (matrix + matrix.T) / 2
    at = _point(given, 1.0 - np.diag(given))
    for _ in range(_STEPS):
        if np.linalg.norm(at.gap) <= _CLOSE * np.sqrt(given.shape[0]):
            return _rescaled(at.projected)
        step = _direction(at)
        at = _further(given, at, step)
    raise ParameterError(f"no nearest matrix of correlations was found in {_STEPS} steps")


class _Point(NamedTuple):
    """A matrix with some diagonal added, and what is left of it.

    Parameters
    ----------
    added : to the diagonal.
    values, basis : its eigenvalues and eigenvectors.
    projected : the matrix without its negative eigenvalues.
    gap : of the diagonal of that from 1; the gradient of the height.
    height : what is to be made least.
    """

    added: Float[np.ndarray, " size"]
    values: Float[np.ndarray, " size"]
    basis: Float[np.ndarray, "size size"]
    projected: Float[np.ndarray, "size size"]
    gap: Float[np.ndarray, " size"]
    height: float


def _point(given: Float[np.ndarray, "size size"], added: Float[np.ndarray, " size"]) -> _Point:
    values, basis = np.linalg.eigh(given + np.diag(added))
    kept = np.maximum(values, 0.0)
    projected = (basis * kept) @ basis.T
    height = float(0.5 * (kept @ kept) - added.sum())
    return _Point(added, values, basis, projected, np.diag(projected) - 1.0, height)


def _direction(at: _Point) -> Float[np.ndarray, " size"]:
    """Return Newton's step by conjugate gradients, preconditioned by the Hessian's diagonal."""
    values, basis = at.values, at.basis
    kept, gaps = np.maximum(values, 0.0), values[:, None] - values
    is_same = np.abs(gaps) <= _SAME * np.abs(values).max()
    ratio = (kept[:, None] - kept) / np.where(is_same, 1.0, gaps)
    is_kept = (values > 0.0)[:, None] & (values > 0.0)
    weights = np.where(is_same, is_kept, ratio)
    squares = basis * basis
    diagonal = np.maximum(((squares @ weights) * squares).sum(axis=1), _FEWEST)
    length = float(np.linalg.norm(at.gap))
    least = min(1e-2, length) * length
    step, rest = np.zeros_like(at.gap), -at.gap
    scaled = rest / diagonal
    along, size = scaled, rest @ scaled
    for _ in range(_INNER):
        if np.linalg.norm(rest) <= least:
            break
        inner = basis.T @ (along[:, None] * basis)
        curved = ((basis @ (weights * inner)) * basis).sum(axis=1) + _SAME * along
        share = size / (along @ curved)
        step, rest = step + share * along, rest - share * curved
        scaled = rest / diagonal
        before, size = size, rest @ scaled
        along = scaled + (size / before) * along
    return step


def _further(
    given: Float[np.ndarray, "size size"], at: _Point, step: Float[np.ndarray, " size"]
) -> _Point:
    """Return the point a step on, shortened until the height falls as it should."""
    share, slope = 1.0, float(at.gap @ step)
    rounding = np.finfo(float).eps * max(abs(at.height), 1.0) * at.gap.size
    while True:
        found = _point(given, at.added + share * step)
        if found.height <= at.height + _DESCENT * share * slope + rounding or share < _FEWEST:
            return found
        share /= 2.0


def _rescaled(matrix: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """Return a matrix whose diagonal is 1 but for rounding with one that is 1."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    near = np.asarray(matrix * scale[:, None] * scale)
    near = (near + near.T) / 2
    np.fill_diagonal(near, 1.0)
    return near
