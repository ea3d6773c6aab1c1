"""Statistics of every asset over trailing windows.

All share these rules. Row t uses the bars t-W+1 … t that exist. A value that is not finite is
missing and left out. A window with fewer than ``min_obs`` values gives NaN; the default is 60 % of
the window, rounded up. ``first_bar`` is the absolute number of row 0: give a chunk the number its
first row has in the whole series, and its full windows get the bits they have there. Nothing
outside a window affects its result, and an asset's bits do not depend on the other assets.
"""

import math
from numbers import Real
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.kernels.inputs import as_input
from plumbline.kernels.result_memory import empty_arrays
from plumbline.kernels.window_arguments import LONGEST, checked
from plumbline.kernels.window_decay import fill_decayed_means
from plumbline.kernels.window_extremes import fill_extremes
from plumbline.kernels.window_moments import fill_moments

_HALVES = 54  # half-lives after which a weight is below the rounding of a sum


@final
class RollingMoments(NamedTuple):
    """Moments of trailing windows; NaN where a window has too few values.

    Parameters
    ----------
    mean : (T, A), in units of x.
    std : (T, A) standard deviation with n - 1, in units of x; NaN of one value.
    skew : (T, A) bias-corrected skewness, dimensionless; NaN of fewer than 3 values or of equal
        ones; None if not asked for.
    n_obs : (T, A) number of values of each window; None if not asked for.
    """

    mean: Float[np.ndarray, "*shape"]
    std: Float[np.ndarray, "*shape"]
    skew: Float[np.ndarray, "*shape"] | None
    n_obs: Float[np.ndarray, "*shape"] | None


@final
class RollingExtremes(NamedTuple):
    """Smallest and largest value of trailing windows, (T, A) in units of x."""

    min: Float[np.ndarray, "*shape"]
    max: Float[np.ndarray, "*shape"]


def rolling_moments(
    x: ArrayLike,
    window: int,
    *,
    min_obs: int | None = None,
    first_bar: int = 0,
    skew: bool = False,
    counts: bool = False,
) -> RollingMoments:
    """Return mean, standard deviation and what else is asked for of trailing windows in one pass.

    Cost: O(T·A), whatever the window. Deviations are taken from a value of the window, so a level
    of 1e6 beside a deviation of 1 costs no digits. Deviations beyond 1e150 (for ``skew`` 1e100)
    overflow and give NaN; below 1e-150 they count as none (``skew``: 1e-100, NaN).

    Parameters
    ----------
    x : (T, A) or (T,) values, any unit.
    window : W, bars.
    min_obs, first_bar : see :mod:`plumbline.kernels.rolling`.
    skew : whether to compute skewness.
    counts : whether to count the values of each window.

    Returns
    -------
    RollingMoments

    Raises
    ------
    ParameterError
        If the shape or a parameter is none of these; every problem is named.

    References
    ----------
    van Herk (1992), "A fast algorithm for local minimum and maximum filters on rectangular and
    octagonal kernels" (the blocks). Joanes and Gill (1998), "Comparing measures of sample skewness
    and kurtosis" (G1).
    """
    panel, places = checked("rolling_moments", x, window, min_obs, first_bar)
    figures, n_obs = empty_arrays(
        ((3 if skew else 2, *panel.shape), float), (panel.shape if counts else (0, 0), float)
    )
    fill_moments(panel, *places, figures, n_obs)
    shape = np.shape(x)
    found = [figure.reshape(shape) for figure in figures]
    number = n_obs.reshape(shape) if counts else None
    return RollingMoments(found[0], found[1], found[2] if skew else None, number)


def rolling_mean(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the mean of trailing windows; see :func:`rolling_moments`. O(T·A)."""
    return _figures("rolling_mean", x, window, min_obs, first_bar, 1)[0]


def rolling_std(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the standard deviation (n - 1) of trailing windows; see :func:`rolling_moments`."""
    return _figures("rolling_std", x, window, min_obs, first_bar, 2)[1]


def rolling_skew(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the bias-corrected skewness of trailing windows; see :func:`rolling_moments`."""
    return _figures("rolling_skew", x, window, min_obs, first_bar, 3)[2]


def rolling_extremes(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> RollingExtremes:
    """Return smallest and largest value of trailing windows in one pass.

    Cost: O(T·A), whatever the window.

    Parameters
    ----------
    x : (T, A) or (T,) values, any unit.
    window : W, bars.
    min_obs, first_bar : see :mod:`plumbline.kernels.rolling`; results are exact for any
        ``first_bar``.

    Raises
    ------
    ParameterError
        If the shape or a parameter is none of these; every problem is named.

    References
    ----------
    van Herk (1992), see :func:`rolling_moments`.
    """
    panel, places = checked("rolling_extremes", x, window, min_obs, first_bar)
    lows, highs = empty_arrays((panel.shape, float), (panel.shape, float))
    fill_extremes(panel, *places, lows, highs)
    return RollingExtremes(lows.reshape(np.shape(x)), highs.reshape(np.shape(x)))


def rolling_min(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the smallest value of trailing windows; see :func:`rolling_extremes`."""
    return rolling_extremes(x, window, min_obs=min_obs, first_bar=first_bar).min


def rolling_max(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the largest value of trailing windows; see :func:`rolling_extremes`."""
    return rolling_extremes(x, window, min_obs=min_obs, first_bar=first_bar).max


def ewma(
    x: ArrayLike,
    half_life: float,
    *,
    window: int | None = None,
    min_obs: int | None = None,
    first_bar: int = 0,
) -> Float[np.ndarray, "*shape"]:
    """Return the exponentially weighted moving average.

    Σ 2^(-age / half_life)·x / Σ 2^(-age / half_life) over the values that are there, age in bars.
    A window ends the sums: at its default a weight that is left out is below the rounding of the
    sum, so that the result is that of all bars and yet the same however the series is cut.

    Cost: O(T·A), whatever the window.

    Parameters
    ----------
    x : (T, A) or (T,) values, any unit.
    half_life : bars in which a weight halves, above 0.
    window : bars of the sums; default: 54 half-lives.
    min_obs : values that a window needs; default: one half-life, rounded up.
    first_bar : see :mod:`plumbline.kernels.rolling`.

    Raises
    ------
    ParameterError
        If the shape or a parameter is none of these; every problem is named.

    References
    ----------
    Roberts (1959), "Control chart tests based on geometric moving averages".
    """
    problems = []
    if not (isinstance(half_life, Real) and 0 < half_life < math.inf):
        problems.append(f"half_life={half_life!r} must be a number above 0")
        half_life = 1.0
    bars = min(math.ceil(_HALVES * half_life), LONGEST) if window is None else window
    least = min(math.ceil(half_life), bars) if min_obs is None else min_obs
    panel, places = checked("ewma", x, bars, least, first_bar, problems)
    ages = np.arange(min(bars, len(panel)) + 1)
    (out,) = empty_arrays((panel.shape, float))
    fill_decayed_means(panel, as_input(0.5 ** (ages / half_life)), places, out)
    return out.reshape(np.shape(x))


def _figures(
    name: str, x: ArrayLike, window: int, min_obs: int | None, first_bar: int, count: int
) -> list[Float[np.ndarray, "*shape"]]:
    panel, places = checked(name, x, window, min_obs, first_bar)
    (figures,) = empty_arrays(((count, *panel.shape), float))
    fill_moments(panel, *places, figures, np.empty((0, 0)))
    return [figure.reshape(np.shape(x)) for figure in figures]
