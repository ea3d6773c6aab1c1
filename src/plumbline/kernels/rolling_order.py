"""Quantiles and ranks of every asset over trailing windows; rules as in ``rolling``."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.kernels.inputs import as_input
from plumbline.kernels.result_memory import empty_arrays
from plumbline.kernels.window_arguments import checked
from plumbline.kernels.window_quantiles import Rules, fill_block_keys, fill_quantiles
from plumbline.kernels.window_ranks import fill_ranks


def rolling_quantile(
    x: ArrayLike,
    q: float | ArrayLike,
    window: int,
    *,
    min_obs: int | None = None,
    first_bar: int = 0,
) -> Float[np.ndarray, "*quantiles_shape"]:
    """Return quantiles of trailing windows, several at once.

    With n values a quantile lies at place q·(n - 1) among them in order, interpolated linearly
    between its neighbours (the default of numpy and pandas).

    Cost: O(T·A·log W) to sort every block once plus O(T·A·Q), whatever the window.

    Parameters
    ----------
    x : (T, A) or (T,) values, any unit.
    q : one quantile, 0 to 1, or (Q,) of them in any order.
    window : W, bars.
    min_obs, first_bar : see :mod:`plumbline.kernels.rolling`; results are exact for any
        ``first_bar``.

    Returns
    -------
    The shape of x for one quantile; (Q, T, A) or (Q, T) for several.

    Raises
    ------
    ParameterError
        If a shape or a parameter is none of these; every problem is named.

    References
    ----------
    Suomela (2014), "Median filtering is equivalent to sorting".
    """
    wanted = np.asarray(q, dtype=np.float64)
    problems = []
    if wanted.ndim > 1 or wanted.size == 0:
        problems.append(f"q has shape {wanted.shape}, needs one number or (quantiles,)")
    elif not ((wanted >= 0) & (wanted <= 1)).all():
        problems.append(f"q={wanted.tolist()} must lie in 0 … 1")
    panel, places = checked("rolling_quantile", x, window, min_obs, first_bar, problems)
    n_bars, n_assets = panel.shape
    quantiles = np.atleast_1d(wanted)
    (out,) = empty_arrays(((len(quantiles), n_bars, n_assets), float))
    rules = Rules(*places, max(min(window, n_bars) - 1, 1).bit_length())
    n_blocks = -(-(rules.offset + n_bars) // window)
    keys = np.empty((n_blocks, min(window, n_bars)), np.int64)
    column = np.empty((len(quantiles), n_bars))
    for a in range(n_assets if n_bars else 0):
        values = as_input(panel[:, a])
        fill_block_keys(values.view(np.int64), rules, keys)
        keys.sort(axis=-1)
        fill_quantiles(values, keys, rules, quantiles, column)
        out[:, :, a] = column
    return out.reshape((*wanted.shape, *np.shape(x)))


def rolling_median(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the median of trailing windows; see :func:`rolling_quantile`."""
    return rolling_quantile(x, 0.5, window, min_obs=min_obs, first_bar=first_bar)


def rolling_rank(
    x: ArrayLike, window: int, *, min_obs: int | None = None, first_bar: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Return the rank of the latest value in its trailing window, as a share of the values there.

    (number of lower values + (number of equal ones + 1) / 2) / n: above 0, and 1 for a value above
    all others; NaN where the latest value is missing.

    Cost: O(T·A·W) comparisons, a vector of them at a time.

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
    pandas, ``rolling(...).rank(pct=True)``, gives the same.
    """
    panel, places = checked("rolling_rank", x, window, min_obs, first_bar)
    (out,) = empty_arrays((panel.shape, float))
    column = np.empty(len(panel))
    for a in range(panel.shape[1]):
        fill_ranks(as_input(panel[:, a]), window, places[2], column)
        out[:, a] = column
    return out.reshape(np.shape(x))
