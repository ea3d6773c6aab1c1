"""Values of every bar made comparable across assets: clipped, standardised, ranked.

All share these rules. Each bar is a cross-section of its own. A value that is not finite, or whose
``mask`` is False, is not in it: it affects no other and gets NaN. Other bars, memory layout and
missing assets change no bit of a result.
"""

from collections.abc import Iterator, Sequence
from numbers import Real

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.bar_scaling import clip, fill_usable, replace_by_ranks, standardise
from plumbline.kernels.inputs import as_input, as_mask, whole_number_problems
from plumbline.kernels.rank_correlation import fill_keys
from plumbline.kernels.result_memory import empty_arrays

# Bytes that are sorted at a time: the second level of a processor's cache holds them. No result
# depends on it.
_PIECE_BYTES = 1 << 19


def winsorise(
    x: ArrayLike, limits: tuple[float, float] = (0.01, 0.99), *, mask: ArrayLike | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return the values of each bar, those beyond two of its quantiles set to the quantile.

    With n values a quantile lies at place q·(n - 1) among them in order, interpolated linearly
    between its neighbours (the default of numpy and pandas). ``scipy.stats.mstats.winsorize``
    replaces a whole number of values by their neighbour instead, which for few assets is none.

    Cost: O(T·A·log A).

    Parameters
    ----------
    x : (T, A) values, any unit.
    limits : lower and upper quantile, 0 to 1, the lower one below.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    (T, A) in units of x; NaN outside the cross-section.

    Raises
    ------
    ParameterError
        If a shape or a parameter is none of these; every problem is named.

    References
    ----------
    Dixon (1960), "Simplified estimation from censored normal samples", who names it after Winsor.
    """
    problems = []
    if not _is_pair(limits):
        problems.append(f"limits={limits!r} must be a lower and a higher quantile in 0 … 1")
    out = _usable("winsorise", x, mask, problems)
    low, high = (float(limit) for limit in limits)
    for part in _pieces(out):
        ordered = np.sort(part, axis=-1)
        clip(part, ordered, low, high)
    return out


def zscore(
    x: ArrayLike, *, ddof: int = 1, mask: ArrayLike | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return the values of each bar less their mean, over their standard deviation.

    NaN for a bar with fewer than 2 values or than ``ddof`` + 1, and for one whose values differ by
    no more than rounding: (4·eps·n) of the largest.

    Cost: O(T·A). Values and deviations of any size keep their digits.

    Parameters
    ----------
    x : (T, A) values, any unit.
    ddof : the deviation divides by n - ddof; 1 for a sample, 0 for a whole population.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    (T, A) dimensionless, with mean 0 and standard deviation 1 in every bar.

    Raises
    ------
    ParameterError
        If a shape or a parameter is none of these; every problem is named.

    References
    ----------
    Grinold and Kahn (2000), "Active Portfolio Management", chapter 11.
    """
    problems = whole_number_problems(ddof=ddof)
    if not problems and ddof < 0:
        problems.append(f"ddof={ddof} must be at least 0")
    out = _usable("zscore", x, mask, problems)
    standardise(out, int(ddof))
    return out


def rank(x: ArrayLike, *, mask: ArrayLike | None = None) -> Float[np.ndarray, "bars assets"]:
    """Return the rank of every value in its bar, as (rank - 0.5) / n.

    The lowest of n values gets 0.5 / n, the highest 1 - 0.5 / n, equal ones the average of their
    ranks: strictly within 0 and 1, with mean 0.5 whatever n, so that bars of different size
    compare. ``pandas`` ``rank(pct=True)`` is 0.5 / n more.

    Cost: O(T·A·log A). Exact: it does not depend on the order of the assets.

    Parameters
    ----------
    x : (T, A) values, any unit.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    (T, A) ranks, dimensionless; NaN outside the cross-section.

    Raises
    ------
    ParameterError
        If a shape is none of these; every problem is named.

    References
    ----------
    Hazen (1914), "Storage to be provided in impounding reservoirs" (the plotting position).
    """
    return _ranked("rank", x, mask)


def gaussian_rank(
    x: ArrayLike, *, mask: ArrayLike | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return the standard normal quantile of every value's rank in its bar.

    Φ⁻¹((rank - 0.5) / n), equal values at their average rank: a normal cross-section of the same
    order, which no outlier moves. The median is 0, and the bar is symmetric about it but for ties.

    Cost: O(T·A·log A). Exact ranks, quantiles to 1e-15.

    Parameters
    ----------
    x : (T, A) values, any unit.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    (T, A) scores, dimensionless; NaN outside the cross-section.

    Raises
    ------
    ParameterError
        If a shape is none of these; every problem is named.

    References
    ----------
    van der Waerden (1952), "Order tests for the two-sample problem" (normal scores).
    """
    return _ranked("gaussian_rank", x, mask)


def _ranked(name: str, x: ArrayLike, mask: ArrayLike | None) -> Float[np.ndarray, "bars assets"]:
    out = _usable(name, x, mask)
    bits = max(out.shape[1] - 1, 1).bit_length()
    for part in _pieces(out):
        keys = np.empty((len(part), 1, out.shape[1]), np.int64)
        fill_keys(as_input(part[None]).view(np.int64), 0, bits, keys, 0)
        keys.sort(axis=-1)
        replace_by_ranks(part, keys, bits, name == "gaussian_rank")
    return out


def _usable(
    name: str, x: ArrayLike, mask: ArrayLike | None, problems: list[str] | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return a copy of x with NaN outside the cross-sections."""
    panel = as_input(x)
    found = list(problems or ())
    if panel.ndim != 2 or np.ndim(x) == 0:
        found.append(f"x has shape {np.shape(x)}, needs (bars, assets)")
    inside = as_mask(mask, np.shape(x), found)
    if found:
        raise ParameterError(f"{name}: " + "; ".join(found))
    (values,) = empty_arrays((panel.shape, float))
    fill_usable(panel, inside, values)
    return values


def _is_pair(limits: object) -> bool:
    """Return whether limits are two quantiles, the lower one first."""
    if not isinstance(limits, (Sequence, np.ndarray)) or len(limits) != 2:
        return False
    low, high = limits
    are_numbers = isinstance(low, Real) and isinstance(high, Real)
    return are_numbers and bool(0.0 <= low < high <= 1.0)


def _pieces(
    values: Float[np.ndarray, "bars assets"],
) -> Iterator[Float[np.ndarray, "some_bars assets"]]:
    """Yield bars one after the other, as many at a time as fit a cache."""
    n_bars, n_assets = values.shape
    if n_assets:
        step = max(1, _PIECE_BYTES // (8 * n_assets))
        for first in range(0, n_bars, step):
            yield values[first : first + step]
