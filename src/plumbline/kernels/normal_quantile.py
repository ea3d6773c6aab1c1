"""Quantiles of the standard normal distribution, to the last digits of a float64."""

import numpy as np

from plumbline.kernels.compilation import compiled

# Numerator and denominator of rational approximations, the highest power first (Wichura 1988,
# PPND16): about the median, in the tails, far out in them.
_COEFFICIENTS = np.array(
    [
        [2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987],
        [13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665],
        [5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597],
        [5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0],
        [0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684],
        [3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835],
        [1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008],
        [0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0],
        [
            2.0103343992922881e-07,
            2.7115555687434876e-05,
            0.0012426609473880784,
            0.026532189526576124,
        ],
        [0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103],
        [
            2.0442631033899397e-15,
            1.421511758316446e-07,
            1.8463183175100548e-05,
            0.0007868691311456133,
        ],
        [0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1.0],
    ]
).reshape(3, 2, 8)


@compiled
def normal_quantile(away: float) -> float:
    """Return the value that a standard normal variable is below with probability 0.5 + away.

    Exactly antisymmetric; infinite at -0.5 and 0.5. Relative error about 1e-16.

    References
    ----------
    Wichura (1988), "Algorithm AS 241: the percentage points of the normal distribution".
    """
    side = abs(away)
    if side <= 0.425:
        return away * _ratio(0, 0.180625 - away * away)
    if side >= 0.5:
        return float(np.copysign(np.inf, away))
    depth = np.sqrt(-np.log(0.5 - side))
    value = _ratio(1, depth - 1.6) if depth <= 5.0 else _ratio(2, depth - 5.0)
    return float(np.copysign(value, away))


@compiled
def _ratio(region: int, x: float) -> float:
    """Return a rational function by Horner's rule."""
    above, below = 0.0, 0.0
    for k in range(8):
        above = above * x + _COEFFICIENTS[region, 0, k]
        below = below * x + _COEFFICIENTS[region, 1, k]
    return float(above / below)
