"""Statistics of ranks across assets, bar by bar."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from plumbline.core.errors import ParameterError
from plumbline.kernels.inputs import as_input
from plumbline.kernels.rank_correlation import correlate, fill_keys

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
    left, right = as_input(signals), as_input(forwards)
    problems = [
        f"{name} have shape {panel.shape}, need ({axis}, bars, assets)"
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
        raise ParameterError("rank_ic: " + "; ".join(problems))
    n_signals, n_bars, n_assets = left.shape
    n_panels = n_signals + len(right)
    out = np.full((n_signals, len(right), n_bars), np.nan)
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
