"""Values of each bar brought to one scale across assets."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

Scaling = Literal["zscore", "rank", "gaussian_rank"]


def zscore(x: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return each value less its bar's mean, over its bar's standard deviation (n - 1).

    Parameters
    ----------
    x : (T, A) values, any unit; what is not finite is left out.

    Returns
    -------
    (T, A) scores, dimensionless. NaN for what was left out, and on a bar whose values are all
    alike: it tells no assets apart. The order of the assets changes the last digits. O(T·A).
    """
    values = _told(x)
    n_obs = np.isfinite(values).sum(axis=1, keepdims=True)
    filled = np.where(np.isfinite(values), values, 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gap = values - filled.sum(axis=1, keepdims=True) / n_obs
        squares = np.where(np.isfinite(values), gap * gap, 0.0).sum(axis=1, keepdims=True)
        scores = gap / np.sqrt(squares / (n_obs - 1))
    return np.where(np.isfinite(scores), scores, np.nan)


def rank(x: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return each value's place among those of its bar, from -0.5 to 0.5.

    (rank - 0.5) / n - 0.5, ranks from 1 for the lowest of n; equal values share their mean rank.

    Parameters
    ----------
    x : (T, A) values, any unit; what is not finite is left out.

    Returns
    -------
    (T, A) places, dimensionless, with a mean of 0 on each bar. NaN as :func:`zscore`, which
    gives none either. The order of the assets changes nothing. O(T·A·log A).
    """
    values = _told(x)
    n_obs = np.isfinite(values).sum(axis=1, keepdims=True)
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    places = np.arange(values.shape[1])
    differs = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(values), 1), dtype=bool)
    begins, ends = np.hstack([edge, differs]), np.hstack([differs, edge])
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, len(places))[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    with np.errstate(divide="ignore"):
        return np.where(np.isfinite(values), (ranks - 0.5) / n_obs - 0.5, np.nan)


def gaussian_rank(x: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return the standard normal quantile at each value's place among those of its bar.

    Φ⁻¹((rank - 0.5) / n): what :func:`rank` gives, with the ends drawn out.

    Parameters
    ----------
    x : (T, A) values, any unit; what is not finite is left out.

    Returns
    -------
    (T, A) quantiles, dimensionless. NaN as :func:`rank`. O(T·A·log A).
    """
    from scipy.special import ndtri

    quantiles: Float[np.ndarray, "bars assets"] = ndtri(rank(x) + 0.5)
    return quantiles


SCALINGS: Final[Mapping[Scaling, Callable[[np.ndarray], np.ndarray]]] = {
    "zscore": zscore,
    "rank": rank,
    "gaussian_rank": gaussian_rank,
}
"""Scaling -> function."""


def _told(x: Float[np.ndarray, "bars assets"]) -> Float[np.ndarray, "bars assets"]:
    """Return finite values in rows of memory; NaN on bars whose values are all alike."""
    values = np.ascontiguousarray(np.where(np.isfinite(x), x, np.nan))
    there = np.isfinite(values)
    low = np.where(there, values, np.inf).min(axis=1, initial=np.inf)
    high = np.where(there, values, -np.inf).max(axis=1, initial=-np.inf)
    values[low >= high] = np.nan
    return values
