"""Sums over resamples that are made of blocks of neighbouring bars."""

import numpy as np
from jaxtyping import Float, Int, UInt32

from plumbline.kernels.compilation import compiled


@compiled
def add_blocks(
    sums: Float[np.ndarray, " two_rounds"],
    counts: Float[np.ndarray, " two_rounds"],
    bars_a_unit: float,
    starts: UInt32[np.ndarray, "resamples blocks"],
    lengths: Float[np.ndarray, "resamples blocks"],
    left: Int[np.ndarray, " resamples"],
    total: Float[np.ndarray, " resamples"],
    n: Float[np.ndarray, " resamples"],
) -> None:
    """Add the next blocks of every resample that is not complete; O(R·B), one lookup a block.

    Parameters
    ----------
    sums, counts : (2T + 1,) sums of the first 0, 1, … values of two rounds of a series, and how
        many are there.
    bars_a_unit : what a unit of ``lengths`` is in bars; 0 makes every block one bar.
    starts : (R, B) where blocks start, as shares of the series in units of 2**-32.
    lengths : (R, B) exponential numbers of mean 1; whole bars of them come on top of one.
    left : (R,) bars that resamples lack; changed.
    total, n : (R,) sums and counts of resamples; changed.
    """
    n_bars = np.uint64(len(sums) // 2)
    for r in range(len(left)):
        lacking = left[r]
        there, value = n[r], total[r]
        for k in range(starts.shape[1]):
            if lacking == 0:
                break
            start = np.int64((np.uint64(starts[r, k]) * n_bars) >> np.uint64(32))
            length = np.int64(min(1.0 + np.floor(lengths[r, k] * bars_a_unit), np.float64(lacking)))
            value += sums[start + length] - sums[start]
            there += counts[start + length] - counts[start]
            lacking -= length
        left[r], total[r], n[r] = lacking, value, there
