"""The nearest matrix of correlations."""

from typing import Final

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError

_STEPS: Final = 1000  # of alternating projections; a few dozen are usual
_CLOSE: Final = 1e-10  # change of a step, relative to the matrix, at which they end


def nearest_correlation(
    matrix: Float[np.ndarray, "size size"],
) -> Float[np.ndarray, "size size"]:
    """Return the positive semi-definite matrix with a unit diagonal that is nearest.

    Nearness is that of all entries, squared. Projections on matrices without negative eigenvalues
    and on those with a unit diagonal alternate, the first with Dykstra's correction.

    Parameters
    ----------
    matrix : symmetric, without NaN.

    Raises
    ------
    ParameterError
        If it has an entry that is not finite, or the projections do not settle.

    Notes
    -----
    Cost: O(size³) a step, linear convergence.

    References
    ----------
    Higham, "Computing the nearest correlation matrix: a problem from finance", IMA Journal of
    Numerical Analysis 22 (2002) 329-343, algorithm 3.3.
    """
    if not np.isfinite(matrix).all():
        raise ParameterError("a matrix of correlations must be finite; leave symbols out first")
    near = (matrix + matrix.T) / 2
    correction = np.zeros_like(near)
    for _ in range(_STEPS):
        before = near
        shifted = near - correction
        values, basis = np.linalg.eigh(shifted)
        projected = (basis * np.maximum(values, 0.0)) @ basis.T
        correction = projected - shifted
        near = projected.copy()
        np.fill_diagonal(near, 1.0)
        if np.linalg.norm(near - before) <= _CLOSE * np.linalg.norm(near):
            return np.asarray(near)
    raise ParameterError(f"no nearest matrix of correlations was found in {_STEPS} steps")
