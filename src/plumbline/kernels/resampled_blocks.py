"""Sums over resamples that are made of blocks of neighbouring bars."""

import numpy as np
from jaxtyping import Float, Int, UInt64

from plumbline.kernels.compilation import compiled

_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)


@compiled
def add_blocks(
    sums: Float[np.ndarray, "2 two_rounds"],
    longer: UInt64[np.ndarray, " lengths"],
    draws: UInt64[np.ndarray, "resamples blocks"],
    left: Int[np.ndarray, " resamples"],
    added: Float[np.ndarray, "2 resamples"],
) -> None:
    """Add the next blocks of every resample that is not complete; O(1) a bar, one lookup a block.

    Parameters
    ----------
    sums : (2, 2T + 1) sums of the first 0, 1, … values of two rounds of a series, and how many of
        them are there.
    longer : probabilities that a block is longer than 1, 2, … bars, in units of 2**-32, falling.
    draws : (R, B) random bits; the upper half of each says where a block starts, the lower half how
        long it is.
    left : (R,) bars that resamples lack; changed.
    added : (2, R) sums and counts of resamples; changed.
    """
    n_bars = np.uint64(sums.shape[1] // 2)
    for r in range(len(left)):
        lacking = left[r]
        value, there = added[0, r], added[1, r]
        for k in range(draws.shape[1]):
            if lacking == 0:
                break
            start = np.int64(((draws[r, k] >> _HALF) * n_bars) >> _HALF)
            rest = draws[r, k] & _LOW
            length = 1
            while length < lacking and length <= len(longer) and rest < longer[length - 1]:
                length += 1
            value += sums[0, start + length] - sums[0, start]
            there += sums[1, start + length] - sums[1, start]
            lacking -= length
        left[r], added[0, r], added[1, r] = lacking, value, there
