"""The law of a Newey-West t when the bandwidth is a fixed share b of the sample.

With b held fixed the t of a mean tends to W(1)/√Q instead of a normal, where Q is a quadratic form
in the Brownian bridge that depends on b. Its tail is wider, which is what makes a test with many
lags keep its size. The tail probability is P(|t| > c) = (2/π) ∫ Π (1 + c²λᵢ/sin²θ)^(-1/2) dθ over
0 … π/2, λᵢ the eigenvalues of the demeaned Bartlett kernel. This module holds a Chebyshev fit of
z/c, where z is the normal score with the same two-sided probability, in b and in
c√b/(2 + c√b); the exact integral and the fit are in ``tests/oracles/fixed_b.py``.

References
----------
Kiefer and Vogelsang, "A new asymptotic theory for heteroskedasticity-autocorrelation robust
tests", Econometric Theory 21 (2005) 1130-1164 (the law; their Table 1 has its quantiles).
Craig, "A new, simple and exact result for calculating the probability of error", MILCOM 1991
(the integral of the normal tail).
"""

import numpy as np
from jaxtyping import Float
from numpy.polynomial.chebyshev import chebval
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from plumbline.core.errors import ParameterError

# rows: degree in 2b - 1; columns: degree in the mapped c. Largest error of z/c: 0.003 (b < 0.01 or
# b > 0.9 far in the tail), 0.001 elsewhere.
_COEFFICIENTS = np.array(
    [
        (0.5942624, -0.2015898, -0.0544282, 0.0007258, 0.0003793, -0.0009733, -0.0001668, 1.3e-6),
        (-0.1368940, 0.1180338, 0.0133499, -0.0109586, -0.0006511, 0.0010536, -9.04e-5, -8.55e-5),
        (0.0128399, -0.0143720, 0.0005188, 0.0016464, -0.0005178, -0.0001759, 1.163e-4, -3.8e-6),
        (-0.0004205, 0.0001381, 0.0001924, 0.0001974, 0.0000497, -0.0000251, 3.0e-6, 1.29e-5),
        (-0.0002281, -0.0000704, -0.0001061, -3.0e-7, 0.0000161, -2.49e-5, -2.02e-5, -2.9e-6),
        (0.0000910, -0.0000244, 0.0000358, 6.63e-5, 0.0000537, 0.0000252, 4.8e-6, 1.9e-6),
    ]
)
_LAST = 10.0  # c√b where the fit ends
_BISECTIONS = 60


def fixed_b_p_value(t: ArrayLike, b: ArrayLike) -> Float[np.ndarray, "..."]:
    """Return the two-sided probability of a t at least this large under a zero mean.

    Parameters
    ----------
    t : statistics, any shape; NaN gives NaN.
    b : bandwidth over span, (lag + 1)/T, in 0 … 1; broadcasts with ``t``. 0 is the normal law.

    Returns
    -------
    Probabilities. Beyond c√b = 10 the tail is continued as an exponential in c, the shape that the
    law tends to.

    Raises
    ------
    ParameterError
        If a ``b`` lies outside 0 … 1.
    """
    size, share = np.broadcast_arrays(np.abs(np.asarray(t, dtype=np.float64)), _checked(b))
    score = _normal_score(size, share, _at(share))
    p_value: Float[np.ndarray, "..."] = np.asarray(2 * ndtr(-score))
    return p_value


def fixed_b_critical_value(b: ArrayLike, level: float = 0.05) -> Float[np.ndarray, "..."]:
    """Return the |t| that a two-sided test of this level rejects above.

    Parameters
    ----------
    b : bandwidth over span, (lag + 1)/T, in 0 … 1; NaN gives NaN.
    level : size of the test, in 0.001 … 0.5.

    Raises
    ------
    ParameterError
        If a ``b`` lies outside 0 … 1 or the level outside its range.
    """
    if not 0.001 <= level <= 0.5:
        raise ParameterError(f"level={level} is outside 0.001 … 0.5")
    share = _checked(b)
    score = -ndtri(level / 2)
    low, high = np.zeros_like(share), np.full_like(share, 64.0)
    at_share = _at(share)
    for _ in range(_BISECTIONS):
        middle = np.asarray((low + high) / 2)
        is_below = _normal_score(middle, share, at_share) < score
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(np.where(np.isnan(share), np.nan, (low + high) / 2))


def _at(b: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "terms *shape"]:
    """Return the fit's polynomials in the statistic at each ``b``."""
    terms: Float[np.ndarray, "terms *shape"] = chebval(2 * b - 1, _COEFFICIENTS)
    return terms


def _normal_score(
    c: Float[np.ndarray, "*shape"],
    b: Float[np.ndarray, "*shape"],
    at_b: Float[np.ndarray, "terms *shape"],
) -> Float[np.ndarray, "*shape"]:
    """Return the z whose normal tail equals the fixed-b tail of ``c`` >= 0."""
    reach = c * np.sqrt(b)
    inside = np.minimum(reach, _LAST)
    mapped = inside / (2 + inside)
    ratio = chebval(2 * mapped * (2 + _LAST) / _LAST - 1, at_b, tensor=False)
    # b = 0 is the normal law, which the fit meets to a thousandth only
    score = c * np.where(b == 0, 1.0, np.minimum(ratio, 1.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        tail = score * np.sqrt(inside / reach)
    return np.asarray(np.where(reach > _LAST, tail, score))


def _checked(b: ArrayLike) -> Float[np.ndarray, "..."]:
    share = np.asarray(b, dtype=np.float64)
    if np.any((share < 0) | (share > 1)):
        raise ParameterError(f"b must lie in 0 … 1, got {np.nanmin(share)} … {np.nanmax(share)}")
    return share
