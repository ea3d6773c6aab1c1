"""Correlations and ranks across assets, bar by bar."""

import numpy as np
from jaxtyping import Float, Float32
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.inputs import as_input
from plumbline.kernels.linear_correlation import fill_correlations
from plumbline.kernels.rank_correlation import correlate, fill_keys, fill_ranks

# Bytes of keys sorted at a time: the second level of a processor's cache holds them. No result
# depends on it.
_KEY_BYTES = 1 << 20


def rank_ic(signals: ArrayLike, forwards: ArrayLike) -> Float[np.ndarray, "signals horizons bars"]:
    """Return the Spearman correlation of every signal with every forward return, bar by bar.

    Over the assets where both are finite, with average ranks on ties; an infinite value counts as
    missing. NaN with fewer than 3 such assets or where a side is constant.

    Cost: O((S+H)·T·A·log A) to rank every panel once plus O(S·H·T·A), exact in integers up to
    200,000 assets, so the result does not depend on the order of the assets. Memory: 1 MiB of
    keys plus the result.

    Parameters
    ----------
    signals : (S, T, A), any unit; known at the close of bar t.
    forwards : (H, T, A) returns after bar t, decimal.

    Returns
    -------
    (S, H, T) rank correlations, -1 to 1.

    Raises
    ------
    ParameterError
        If a panel is not three-dimensional or bars and assets differ; every problem is named.

    References
    ----------
    Spearman (1904), "The proof and measurement of association between two things".
    """
    left, right = _pairs("rank_ic", signals, forwards)
    if not len(left):
        return np.empty((0, len(right), left.shape[1]))
    return _rank_correlations(left, right)


def rank_correlations(panels: ArrayLike) -> Float[np.ndarray, "panels panels bars"]:
    """Return the Spearman correlation of every panel with itself and those after it, bar by bar.

    As :func:`rank_ic`, but each panel is ranked once.

    Parameters
    ----------
    panels : (P, T, A), any unit.

    Returns
    -------
    (P, P, T) rank correlations; NaN below the diagonal.

    Raises
    ------
    ParameterError
        If the panels are not three-dimensional.
    """
    some, _ = _pairs("rank_correlations", panels, panels)
    return _rank_correlations(some[:0], some)


def _rank_correlations(
    left: Float[np.ndarray, "signals bars assets"], right: Float[np.ndarray, "horizons bars assets"]
) -> Float[np.ndarray, "rows horizons bars"]:
    n_signals, n_bars, n_assets = left.shape
    n_panels = n_signals + len(right)
    out = np.full((n_signals or n_panels, len(right), n_bars), np.nan)
    bits = max(n_assets - 1, 1).bit_length()
    rows = max(1, min(n_bars, _KEY_BYTES // max(8 * n_panels * n_assets, 1)))
    keys = np.empty((rows, n_panels, n_assets), np.int64)
    if n_assets == 0:
        return out
    for first in range(0, n_bars, rows):
        some = keys[: min(rows, n_bars - first)]
        fill_keys(left.view(np.int64), first, bits, some, 0)
        fill_keys(right.view(np.int64), first, bits, some, n_signals)
        some.sort(axis=-1)
        correlate(left, right, some, first, bits, out)
    return out


def pearson_ic(
    signals: ArrayLike, forwards: ArrayLike
) -> Float[np.ndarray, "signals horizons bars"]:
    """Return the linear correlation of every signal with every forward return, bar by bar.

    Over the assets where both are finite; an infinite value counts as missing. NaN with fewer than
    3 such assets or where a side is constant. A row is scaled by a power of two, so no scale
    overflows or is lost.

    Cost: O(S·H·T·A), two passes over each pair of rows. Memory: the result.

    Parameters
    ----------
    signals : (S, T, A), any unit; known at the close of bar t.
    forwards : (H, T, A) returns after bar t, decimal.

    Returns
    -------
    (S, H, T) correlations, -1 to 1.

    Raises
    ------
    ParameterError
        If a panel is not three-dimensional or bars and assets differ; every problem is named.

    References
    ----------
    Pearson (1895), "Note on regression and inheritance in the case of two parents".
    """
    left, right = _pairs("pearson_ic", signals, forwards)
    out = np.full((len(left), len(right), left.shape[1]), np.nan)
    fill_correlations(left, right, out)
    return out


def centred_ranks(panels: ArrayLike) -> Float32[np.ndarray, "panels bars assets"]:
    """Return every asset's rank on every bar less the mean rank; ties share their mean rank.

    Cost: O(P·T·A·log A). Memory: 1 MiB of keys plus the result.

    Parameters
    ----------
    panels : (P, T, A), any unit; NaN and infinite values are missing.

    Returns
    -------
    (P, T, A) ranks in single precision, multiples of a half that add up to zero over the assets of
    a bar: exact up to 16 million assets. NaN where a value is missing.

    Raises
    ------
    ParameterError
        If the panels are not three-dimensional.
    """
    values = as_input(panels)
    if values.ndim != 3:
        hint = "; give one panel as panels[None]" if values.ndim == 2 else ""
        raise ParameterError(
            f"centred_ranks: panels have shape {values.shape}, need (panels, bars, assets){hint}"
        )
    n_panels, n_bars, n_assets = values.shape
    out = np.empty(values.shape, np.float32)
    bits = max(n_assets - 1, 1).bit_length()
    rows = max(1, min(n_bars, _KEY_BYTES // max(8 * n_panels * n_assets, 1)))
    keys = np.empty((rows, n_panels, n_assets), np.int64)
    for first in range(0, n_bars if n_assets else 0, rows):
        some = keys[: min(rows, n_bars - first)]
        fill_keys(values.view(np.int64), first, bits, some, 0)
        some.sort(axis=-1)
        fill_ranks(values, some, first, bits, out)
    return out


def _pairs(
    function: str, signals: ArrayLike, forwards: ArrayLike
) -> tuple[Float[np.ndarray, "signals bars assets"], Float[np.ndarray, "horizons bars assets"]]:
    """Return signals and forward returns as the kernels take them."""
    left, right = as_input(signals, "signals"), as_input(forwards, "forwards")
    problems = [
        f"{name} have shape {panel.shape}, need ({axis}, bars, assets)"
        + (f"; give one panel as {name}[None]" if panel.ndim == 2 else "")
        for name, axis, panel in (
            ("signals", "signals", left),
            ("forwards", "horizons", right),
        )
        if panel.ndim != 3
    ]
    if not problems and left.shape[1:] != right.shape[1:]:
        problems.append(
            f"signals have bars and assets {left.shape[1:]}, forwards {right.shape[1:]}; "
            "they need the same"
        )
    if problems:
        raise ParameterError(f"{function}: " + "; ".join(problems))
    return left, right
