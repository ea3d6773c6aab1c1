"""Regressions across assets, bar by bar."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.cross_residuals import DEFICIENT, TOO_FEW, TOO_LARGE, leave_residuals
from plumbline.kernels.inputs import as_input, as_mask


def neutralise(
    signal: ArrayLike,
    exposures: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Float[np.ndarray, "bars assets"]:
    """Return what of a signal its exposures do not explain, bar by bar across assets.

    The residuals of a weighted least-squares regression on the exposures and an intercept, or one
    intercept for each of ``groups``: dummies such as sectors whose effects add up to zero, and any
    other coding of them, leave the same. They are unique even where the exposures are not
    independent, such as a full set of sector dummies or a constant column. An asset whose signal,
    exposure or weight is not finite, whose weight is 0, that has no group or is masked is left out
    of its bar and gets NaN; so does one alone in its group, of which nothing but rounding is left,
    and a bar with fewer usable assets than exposures + 2 (exposures + groups + 1, those alone not
    counted) or with values beyond 1e290, which cannot be added up (``unfitted_assets`` counts
    them).

    Cost: O(T·A·P²), one pass; scratch for one bar. Groups cost O(T·A·P) more, whatever their
    number. The order of the assets changes the last digits; other bars, memory layout and missing
    assets change nothing.

    Parameters
    ----------
    signal : (T, A), any unit.
    exposures : (T, A, P), any unit; numeric ones and dummies alike; P may be 0. None takes out the
        intercept, or those of the groups, alone.
    weights : (T, A) at least 0, such as market values, or None for equal weights.
    groups : (A,) or (T, A) whole numbers; negative or NaN for none.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    (T, A) residuals, in units of the signal, with a (weighted) mean of 0 in every bar and group.

    Raises
    ------
    ParameterError
        If shapes do not fit together, a weight is negative or a group no whole number; every
        problem is named.

    References
    ----------
    Grinold and Kahn (2000), "Active Portfolio Management", chapter 14. Frisch and Waugh (1933),
    "Partial time regressions as compared with individual trends" (groups by their means). Heston
    and Rouwenhorst (1994), "Does industrial structure explain the benefits of international
    diversification?" (effects that add up to zero).
    """
    return _neutralised(signal, exposures, weights, groups, mask)[0]


def unfitted_assets(
    signal: ArrayLike,
    exposures: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Mapping[str, int]:
    """Count by reason what ``neutralise`` leaves without residual or without full rank.

    Parameters
    ----------
    signal, exposures, weights, groups, mask : as for ``neutralise``.

    Returns
    -------
    ``missing``: cells without a usable value and ``alone_in_group``: usable cells of a group with
    no other, both in bars that are fitted; ``too_few_assets`` and ``too_large``: bars that are not
    fitted; ``rank_deficient``: bars that are, on dependent exposures.

    Raises
    ------
    ParameterError
        As ``neutralise``. Cost: that of ``neutralise``.
    """
    residuals, (states, alone) = _neutralised(signal, exposures, weights, groups, mask)
    fitted = (states != TOO_FEW) & (states != TOO_LARGE)
    n_alone = int(alone[fitted].sum())
    return MappingProxyType(
        {
            "missing": int(np.isnan(residuals[fitted]).sum()) - n_alone,
            "alone_in_group": n_alone,
            "too_few_assets": int((states == TOO_FEW).sum()),
            "too_large": int((states == TOO_LARGE).sum()),
            "rank_deficient": int((states == DEFICIENT).sum()),
        }
    )


def _neutralised(
    signal: ArrayLike,
    exposures: ArrayLike | None,
    weights: ArrayLike | None,
    groups: ArrayLike | None,
    mask: ArrayLike | None,
) -> tuple[Float[np.ndarray, "bars assets"], Int[np.ndarray, "two bars"]]:
    """Return residuals, and for each bar what was done with it and how many assets are alone."""
    panel = as_input(signal, "signal")
    none = np.empty((*panel.shape[:2], 0))
    loadings = as_input(none if exposures is None else exposures, "exposures")
    given = as_input(np.empty((0, 0)) if weights is None else weights)
    problems = []
    if panel.ndim != 2:
        problems.append(f"signal has shape {panel.shape}, needs (bars, assets)")
    if exposures is not None and (loadings.ndim != 3 or loadings.shape[:2] != panel.shape):
        problems.append(_exposures_problem(loadings.shape, panel.shape))
    if weights is not None and given.shape != panel.shape:
        problems.append(f"weights have shape {given.shape}, need {panel.shape}")
    if np.any(given < 0):
        problems.append(f"the smallest weight is {np.nanmin(given)}, needs at least 0")
    kinds = _group_numbers(groups, panel.shape, problems)
    inside = as_mask(mask, panel.shape, problems)
    if problems:
        raise ParameterError("neutralise: " + "; ".join(problems))
    if mask is not None:
        panel = as_input(np.where(inside, panel, np.nan))
    residuals = np.empty(panel.shape)
    states = np.empty((2, len(panel)), np.int64)
    leave_residuals(panel, loadings, given, kinds, residuals, states)
    return residuals, states


def _exposures_problem(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return what is wrong with the shape of the exposures, and what gives the right one."""
    axes = f"{shape[0]}, {shape[1]}" if len(shape) == 2 else "bars, assets"
    needed = f"exposures have shape {found}, need ({axes}, exposures)"
    return f"{needed}; give one exposure as exposures[:, :, None]" if len(found) == 2 else needed


def _group_numbers(
    groups: ArrayLike | None, shape: tuple[int, ...], problems: list[str]
) -> Int[np.ndarray, "grouped_bars grouped_assets"]:
    """Return groups numbered from 0, -1 for none, one row if all bars share them; add problems."""
    if groups is None:
        return np.empty((0, 0), np.int64)
    labels = as_input(groups, "groups")
    if labels.shape not in (shape, shape[1:]):
        problems.append(f"groups have shape {labels.shape}, need {shape[1:]} or {shape}")
        return np.empty((0, 0), np.int64)
    labels = np.where(labels >= 0, labels, -1.0)
    if np.any(labels != np.floor(labels)) or np.any(np.isinf(labels)):
        problems.append("groups must be whole numbers, negative or NaN for none")
    rows = labels if labels.ndim == 2 else labels[None]
    if rows.max(initial=0.0) < max(shape[1], 1):
        return rows.astype(np.int64)
    kinds, numbers = np.unique(rows, return_inverse=True)
    return numbers.reshape(rows.shape) - int(kinds[0] < 0)
