"""Signals made uncorrelated with each other, one after the other."""

from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.bar_correlation import mean_correlations
from plumbline.kernels.cross_section import neutralise
from plumbline.kernels.inputs import as_input, as_mask

_ROUNDING = 1e-12  # a residual this small beside its signal's deviation is rounding


@final
class Orthogonalised(NamedTuple):
    """Signals that are uncorrelated across assets on every bar, and what they were.

    Parameters
    ----------
    signals : (S, T, A) residuals, in units of each signal.
    correlation_before, correlation_after : (S, S) means over bars of the correlations across the
        assets that have both signals; NaN for a pair without a bar.
    """

    signals: Float[np.ndarray, "signals bars assets"]
    correlation_before: Float[np.ndarray, "signals signals"]
    correlation_after: Float[np.ndarray, "signals signals"]


def orthogonalise(signals: ArrayLike, *, mask: ArrayLike | None = None) -> Orthogonalised:
    """Return what each signal says beyond the ones before it, bar by bar across assets.

    Signal s becomes its residual from a regression on signals 0 … s-1 and an intercept, over the
    assets that have all of these: the first only loses its mean. The order is a choice of yours;
    put first what is to stay as it is. A bar with fewer such assets than s + 2 gets NaN, and so
    does one on which nothing but rounding is left (1e-12 of the signal's deviation).

    Cost: O(T·A·S³), S passes.

    Parameters
    ----------
    signals : (S, T, A), any unit.
    mask : (T, A) booleans, True for an asset in the cross-section of a bar; None for all.

    Returns
    -------
    Orthogonalised

    Raises
    ------
    ParameterError
        If a shape is none of these; every problem is named.

    References
    ----------
    Klein and Chow (2013), "Orthogonalized factors and systematic risk decomposition", on what the
    order of a sequential orthogonalisation decides.
    """
    panels = as_input(signals)
    problems = []
    if panels.ndim != 3:
        problems.append(f"signals have shape {panels.shape}, need (signals, bars, assets)")
    inside = as_mask(mask, panels.shape[1:], problems)
    if problems:
        raise ParameterError("orthogonalise: " + "; ".join(problems))
    if mask is not None:
        panels = as_input(np.where(inside, panels, np.nan))
    left = np.empty(panels.shape)
    for s, panel in enumerate(panels):
        left[s] = neutralise(panel, np.moveaxis(panels[:s], 0, -1))
        left[s, _is_rounding(left[s], panel)] = np.nan
    n_signals = len(panels)
    before, after = np.empty((2, n_signals, n_signals))
    mean_correlations(panels, before)
    mean_correlations(as_input(left), after)
    return Orthogonalised(left, before, after)


def _is_rounding(
    residual: Float[np.ndarray, "bars assets"], signal: Float[np.ndarray, "bars assets"]
) -> Bool[np.ndarray, " bars"]:
    """Return the bars on which a residual is none beside the deviations of its signal."""
    there = np.where(np.isfinite(residual), signal, np.nan)
    highest = np.fmax.reduce(there, axis=1, initial=-np.inf)
    lowest = np.fmin.reduce(there, axis=1, initial=np.inf)
    largest = np.fmax.reduce(np.abs(residual), axis=1, initial=-np.inf)
    return np.asarray(largest <= _ROUNDING * (highest - lowest))
