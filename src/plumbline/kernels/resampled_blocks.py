"""Sums over resamples that are made of blocks of neighbouring bars."""

import numpy as np
from jaxtyping import Float, Int, UInt64

from plumbline.kernels.compilation import compiled

_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


@compiled
def add_blocks(
    sums: Float[np.ndarray, " two_rounds"],
    counts: Float[np.ndarray, " two_rounds"],
    longer: UInt64[np.ndarray, " lengths"],
    draws: UInt64[np.ndarray, "resamples blocks"],
    left: Int[np.ndarray, " resamples"],
    total: Float[np.ndarray, " resamples"],
    n: Float[np.ndarray, " resamples"],
) -> None:
    """Add the next blocks of every resample that is not complete; O(1) a bar, one lookup a block.

    Parameters
    ----------
    sums, counts : (2T + 1,) sums of the first 0, 1, … values of two rounds of a series, and how
        many are there.
    longer : probabilities that a block is longer than 1, 2, … bars, in units of 2**-32, falling.
    draws : (R, B) random bits; the upper half of each says where a block starts, the lower half how
        long it is.
    left : (R,) bars that resamples lack; changed.
    total, n : (R,) sums and counts of resamples; changed.
    """
    n_bars = np.uint64(len(sums) // 2)
    for r in range(len(left)):
        lacking = left[r]
        there, value = n[r], total[r]
        for k in range(draws.shape[1]):
            if lacking == 0:
                break
            start = np.int64(((draws[r, k] >> _HALF) * n_bars) >> _HALF)
            rest = draws[r, k] & _LOW
            length = 1
            while length < lacking and length <= len(longer) and rest < longer[length - 1]:
                length += 1
            value += sums[start + length] - sums[start]
            there += counts[start + length] - counts[start]
            lacking -= length
        left[r], total[r], n[r] = lacking, value, there
