"""Sums over resamples that are made of blocks of neighbouring bars."""

import numpy as np
from jaxtyping import Float, Int, UInt64

from plumbline.kernels.compilation import compiled

_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)
_N_PARTS = 4096
_PART = np.uint64(20)  # 2**32 / 4096 = 2**20


@compiled
def add_blocks(
    sums: Float[np.ndarray, "two_rounds 2"],
    longer: UInt64[np.ndarray, " lengths"],
    surely: Int[np.ndarray, " parts"],
    draws: UInt64[np.ndarray, "resamples blocks"],
    left: Int[np.ndarray, " resamples"],
    added: Float[np.ndarray, "resamples 2"],
) -> None:
    """Add the next blocks of every resample that is not complete; O(1) a block.

    Parameters
    ----------
    sums : (2T + 1, 2) sums of the first 0, 1, … values of two rounds of a series, and how many of
        them are there.
    longer : probabilities that a block is longer than 1, 2, … bars, in units of 2**-32, falling.
    surely : of :func:`sure_lengths`.
    draws : (R, B) random bits; the upper half of each says where a block starts, the lower half how
        long it is.
    left : (R,) bars that resamples lack; changed.
    added : (R, 2) sums and counts of resamples; changed.
    """
    n_bars = np.uint64(sums.shape[0] // 2)
    for r in range(len(left)):
        lacking = left[r]
        value, there = added[r, 0], added[r, 1]
        for k in range(draws.shape[1]):
            if lacking == 0:
                break
            start = np.int64(((draws[r, k] >> _HALF) * n_bars) >> _HALF)
            rest = draws[r, k] & _LOW
            length = surely[np.int64(rest >> _PART)]
            while length <= len(longer) and rest < longer[length - 1]:
                length += 1
            length = min(length, lacking)
            value += sums[start + length, 0] - sums[start, 0]
            there += sums[start + length, 1] - sums[start, 1]
            lacking -= length
        left[r], added[r, 0], added[r, 1] = lacking, value, there


def sure_lengths(longer: UInt64[np.ndarray, " lengths"]) -> Int[np.ndarray, " parts"]:
    """Return the least length of blocks in each of 4,096 equal parts of the random numbers.

    Parameters
    ----------
    longer : see :func:`add_blocks`.
    """
    highest = (np.arange(1, _N_PARTS + 1, dtype=np.uint64) << _PART) - np.uint64(1)
    n_longer = len(longer) - np.searchsorted(longer[::-1], highest, side="right")
    return 1 + n_longer.astype(np.int64)
