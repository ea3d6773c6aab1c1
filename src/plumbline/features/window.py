"""Sums and moments over trailing windows that nothing outside the window can affect.

Bars are cut into blocks of one window's length, anchored at bar number 0 of the calendar. A window
is then the suffix of one block joined to the prefix of the next, and both are accumulated inside
the block alone, in an order that depends on bar numbers only. No value is ever subtracted again,
so an outlier leaves no trace once it has left the window, and a result has the same bits wherever
the panel begins or ends.

References
----------
van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal
kernels", Pattern Recognition Letters 13 (1992) 517-521 (the blocks). Welford, "Note on a method for
calculating corrected sums of squares and products", Technometrics 4 (1962) 419-420, and Chan, Golub
and LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983)
242-247 (adding a value to moments; joining two sets of moments).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from plumbline.core.errors import ParameterError


class Moments(NamedTuple):
    """Number, mean and sum of squared deviations of the values in each window.

    Parameters
    ----------
    n_obs : (T, A) number of finite values in the window.
    mean : (T, A) their mean; 0 where there are none.
    squares : (T, A) sum of their squared deviations from the mean.
    """

    n_obs: Float[np.ndarray, "bars assets"]
    mean: Float[np.ndarray, "bars assets"]
    squares: Float[np.ndarray, "bars assets"]


def window_sum(
    x: Float[np.ndarray, "bars assets"], window: int, *, first_bar: int = 0
) -> Float[np.ndarray, "bars assets"]:
    """Return the sum of the finite values of each trailing window.

    Parameters
    ----------
    x : (T, A) values; NaN and infinite ones count as absent.
    window : W, bars; row t covers t-W+1 … t, or what there is of it at the start.
    first_bar : calendar number of row 0, which anchors the blocks.

    Returns
    -------
    (T, A) sums, 0 over nothing. O(T·A).

    Raises
    ------
    ParameterError
        If the window is shorter than one bar.
    """
    blocks, offset = _blocks(np.where(np.isfinite(x), x, 0.0), window, first_bar, empty=0.0)
    prefix = np.cumsum(blocks, axis=1)
    suffix = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1]
    before, here = _halves(suffix, prefix, fill=0.0)
    return _rows(before + here, offset, x.shape)


def window_moments(
    x: Float[np.ndarray, "bars assets"], window: int, *, first_bar: int = 0
) -> Moments:
    """Return number, mean and sum of squared deviations of each trailing window.

    Parameters
    ----------
    x : (T, A) values; NaN and infinite ones count as absent.
    window : W, bars; row t covers t-W+1 … t, or what there is of it at the start.
    first_bar : calendar number of row 0, which anchors the blocks.

    Returns
    -------
    Moments of shape (T, A). O(T·A), in W steps over all blocks at once.

    Raises
    ------
    ParameterError
        If the window is shorter than one bar.
    """
    blocks, offset = _blocks(x, window, first_bar, empty=np.nan)
    forward = _running_moments(blocks)
    backward = _running_moments(blocks[:, ::-1])
    pairs = [
        _halves(suffix[:, ::-1], prefix, fill=0.0)
        for suffix, prefix in zip(backward, forward, strict=True)
    ]
    before, here = Moments(*(p[0] for p in pairs)), Moments(*(p[1] for p in pairs))
    with np.errstate(over="ignore", invalid="ignore"):  # of values that have no squares
        joined = _joined(before, here)
    return Moments(*(_rows(part, offset, x.shape) for part in joined))


def _blocks(
    x: Float[np.ndarray, "bars assets"], window: int, first_bar: int, *, empty: float
) -> tuple[Float[np.ndarray, "blocks window assets"], int]:
    """Return the bars in blocks of one window, padded at both ends, and the first bar's place.

    Blocks longer than the panel are cut to its length; where one ends and the next begins stays.
    """
    if window < 1:
        raise ParameterError(f"window={window} must be at least one bar")
    offset = first_bar % window
    if window > len(x) > 0:
        n_after = max(offset + len(x) - window, 0)  # bars in the second block
        window, offset = len(x), n_after
    n_blocks = -(-(offset + len(x)) // window)
    padded = np.full((n_blocks * window, x.shape[1]), empty)
    padded[offset : offset + len(x)] = x
    return padded.reshape(n_blocks, window, x.shape[1]), offset


def _halves(
    suffix: Float[np.ndarray, "blocks window assets"],
    prefix: Float[np.ndarray, "blocks window assets"],
    *,
    fill: float,
) -> tuple[Float[np.ndarray, "blocks window assets"], Float[np.ndarray, "blocks window assets"]]:
    """Return, for the window that ends at each bar, its part in the block before and in this one.

    A window that ends with the last bar of a block lies in that block alone.
    """
    before = np.full_like(suffix, fill)
    before[1:, :-1] = suffix[:-1, 1:]
    return before, prefix


def _rows(
    blocks: Float[np.ndarray, "blocks window assets"], offset: int, shape: tuple[int, ...]
) -> Float[np.ndarray, "bars assets"]:
    rows = blocks.reshape(-1, blocks.shape[2])[offset : offset + shape[0]]
    return np.ascontiguousarray(rows)


def _running_moments(blocks: Float[np.ndarray, "blocks window assets"]) -> Moments:
    """Return the moments of each block's first 1, 2, … values."""
    n_obs, mean, squares = (np.zeros_like(blocks) for _ in range(3))
    n, m, s = (np.zeros((blocks.shape[0], blocks.shape[2])) for _ in range(3))
    for i in range(blocks.shape[1]):
        value = blocks[:, i]
        is_there = np.isfinite(value)
        n = n + is_there
        step = np.where(is_there, value - m, 0.0)
        m = m + step / np.maximum(n, 1.0)
        with np.errstate(over="ignore"):
            s = s + step * np.where(is_there, value - m, 0.0)
        n_obs[:, i], mean[:, i], squares[:, i] = n, m, s
    return Moments(n_obs, mean, squares)


def _joined(a: Moments, b: Moments) -> Moments:
    n_obs = a.n_obs + b.n_obs
    share = b.n_obs / np.maximum(n_obs, 1.0)
    gap = np.where((a.n_obs > 0) & (b.n_obs > 0), b.mean - a.mean, 0.0)
    mean = np.where(a.n_obs > 0, a.mean + gap * share, b.mean)
    return Moments(n_obs, mean, a.squares + b.squares + gap * gap * a.n_obs * share)
