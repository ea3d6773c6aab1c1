"""Correlation and slope of pairs of series over trailing windows; rules as in ``rolling``."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.kernels.inputs import as_input
from plumbline.kernels.result_memory import empty_arrays
from plumbline.kernels.window_arguments import as_columns, checked
from plumbline.kernels.window_products import fill_products


def rolling_corr(
    x: ArrayLike, y: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return Pearson's correlation of x with y over trailing windows.

    Over the bars where both are finite; NaN where a side is constant.

    Cost: O(T·A), whatever the window.

    Parameters
    ----------
    x : (T, A) or (T,) values, any unit.
    y : values of the same shape, or (T,) for all assets.
    window : W, bars.
    min_obs, first_bar : see :mod:`plumbline.kernels.rolling`; pairs count.

    Raises
    ------
    ParameterError
        If shapes or a parameter are none of these; every problem is named.

    References
    ----------
    Pearson (1895), "Note on regression and inheritance in the case of two parents".
    """
    return _pairs("rolling_corr", x, y, window, min_obs, first_bar)


def rolling_beta(
    y: ArrayLike, x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the slope of y on x, with an intercept, over trailing windows.

    Over the bars where both are finite; NaN where x is constant. For several factors, standard
    errors or residuals see :func:`plumbline.kernels.regression.rolling_ols`.

    Cost: O(T·A), whatever the window.

    Parameters
    ----------
    y : (T, A) or (T,) values, any unit.
    x : values of the same shape, or (T,) for all assets.
    window : W, bars.
    min_obs, first_bar : see :mod:`plumbline.kernels.rolling`; pairs count.

    Returns
    -------
    The shape of y, in units of y per unit of x.

    Raises
    ------
    ParameterError
        If shapes or a parameter are none of these; every problem is named.

    References
    ----------
    Galton (1886), "Regression towards mediocrity in hereditary stature".
    """
    return _pairs("rolling_beta", y, x, window, min_obs, first_bar)


def _pairs(
    name: str, x: ArrayLike, y: ArrayLike, window: int, min_obs: int | None, first_bar: int
) -> Float[np.ndarray, "*shape"]:
    """Return what the name asks for: correlation, or the slope of x on y."""
    problems = []
    shapes = np.shape(x), np.shape(y)
    if shapes[1] != shapes[0] and shapes[1] != shapes[0][:1]:
        problems.append(f"the series have shapes {shapes[0]} and {shapes[1]}; they need the same")
    panel, places = checked(name, x, window, min_obs, first_bar, problems)
    other = as_columns(as_input(y))
    (out,) = empty_arrays((panel.shape, float))
    none = np.empty((0, 0))
    rules = (places[0], places[1], places[2])
    if name == "rolling_corr":
        fill_products(panel, other, rules, out, none)
    else:
        fill_products(panel, other, rules, none, out)
    return out.reshape(shapes[0])
