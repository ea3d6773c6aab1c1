"""Regressions across assets, bar by bar."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.cross_residuals import DEFICIENT, TOO_FEW, TOO_LARGE, leave_residuals
from plumbline.kernels.inputs import as_input


def neutralise(
    signal: ArrayLike, exposures: ArrayLike, weights: ArrayLike | None = None
) -> Float[np.ndarray, "bars assets"]:
    """Return what of a signal its exposures do not explain, bar by bar across assets.

    The residuals of a weighted least-squares regression on the exposures and an intercept. They
    are unique even where the exposures are not independent, such as a full set of sector dummies
    or a constant column. An asset whose signal, exposure or weight is not finite, or whose weight
    is 0, is left out of its bar and gets NaN; so does a bar with fewer usable assets than
    exposures + 2 or with values beyond 1e290, which cannot be added up (``unfitted_assets``
    counts all three).

    Cost: O(T·A·P²), one pass; scratch for one bar. The order of the assets changes the last
    digits; other bars, memory layout and missing assets change nothing.

    Parameters
    ----------
    signal : (T, A), any unit.
    exposures : (T, A, P), any unit; numeric ones and dummies alike.
    weights : (T, A) at least 0, such as market values, or None for equal weights.

    Returns
    -------
    (T, A) residuals, in units of the signal, with a (weighted) mean of 0 in every bar.

    Raises
    ------
    ParameterError
        If shapes do not fit together or a weight is negative; every problem is named.

    References
    ----------
    Grinold and Kahn (2000), "Active Portfolio Management", chapter 14.
    """
    return _neutralised(signal, exposures, weights)[0]


def unfitted_assets(
    signal: ArrayLike, exposures: ArrayLike, weights: ArrayLike | None = None
) -> Mapping[str, int]:
    """Count by reason what ``neutralise`` leaves without residual or without full rank.

    Parameters
    ----------
    signal, exposures, weights : as for ``neutralise``.

    Returns
    -------
    ``missing``: cells without a usable value, in bars that are fitted; ``too_few_assets`` and
    ``too_large``: bars that are not fitted; ``rank_deficient``: bars that are, on dependent
    exposures.

    Raises
    ------
    ParameterError
        As ``neutralise``. Cost: that of ``neutralise``.
    """
    residuals, states = _neutralised(signal, exposures, weights)
    fitted = (states != TOO_FEW) & (states != TOO_LARGE)
    missing = np.isnan(residuals[fitted]).sum()
    return MappingProxyType(
        {
            "missing": int(missing),
            "too_few_assets": int((states == TOO_FEW).sum()),
            "too_large": int((states == TOO_LARGE).sum()),
            "rank_deficient": int((states == DEFICIENT).sum()),
        }
    )


def _neutralised(
    signal: ArrayLike, exposures: ArrayLike, weights: ArrayLike | None
) -> tuple[Float[np.ndarray, "bars assets"], Int[np.ndarray, " bars"]]:
    """Return residuals and what was done with each bar."""
    panel, loadings = as_input(signal), as_input(exposures)
    given = as_input(np.empty((0, 0)) if weights is None else weights)
    problems = []
    if panel.ndim != 2:
        problems.append(f"signal has shape {panel.shape}, needs (bars, assets)")
    if loadings.ndim != 3 or loadings.shape[:2] != panel.shape:
        problems.append(
            f"exposures have shape {loadings.shape}, need {(*panel.shape, 'exposures')}"
        )
    if weights is not None and given.shape != panel.shape:
        problems.append(f"weights have shape {given.shape}, need {panel.shape}")
    if np.any(given < 0):
        problems.append(f"the smallest weight is {np.nanmin(given)}, needs at least 0")
    if problems:
        raise ParameterError("neutralise: " + "; ".join(problems))
    residuals = np.empty(panel.shape)
    states = np.empty(len(panel), np.int64)
    leave_residuals(panel, loadings, given, residuals, states)
    return residuals, states
