"""Signals and forward returns by ranks, as the nulls of an evaluation read them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Ranked(NamedTuple):
    """Signals and forward returns by ranks, and the rank ICs between them.

    Parameters
    ----------
    signals : (S, T, A) ranks less the mean rank of the bar; NaN where there is none.
    forwards : (H, T, A) the same of forward returns.
    ic : (S, H, T) rank ICs; NaN where there is none.
    n_pairs : (S, H, T) assets with both a signal and a forward return.
    """

    signals: Float[np.ndarray, "signals bars assets"]
    forwards: Float[np.ndarray, "horizons bars assets"]
    ic: Float[np.ndarray, "signals horizons bars"]
    n_pairs: Float[np.ndarray, "signals horizons bars"]


def unit_ranks(ranks: Float[np.ndarray, "*panels assets"]) -> Float[np.ndarray, "*panels assets"]:
    """Return ranks with 0 where there is none, divided by the root of their sum of squares."""
    filled: Float[np.ndarray, "*panels assets"] = ranks.astype(np.float64)
    filled[np.isnan(filled)] = 0.0
    size = np.sqrt(np.einsum("...a,...a->...", filled, filled))[..., None]
    np.divide(filled, size, out=filled, where=size > 0)
    return filled
