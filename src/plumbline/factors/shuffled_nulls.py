"""Rank ICs by chance where time changes places: blocks of bars of a signal are moved."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.core.random import random_stream
from plumbline.factors.ranked import Ranked, unit_ranks

_LEAST_BLOCKS = 8
_MOST_BLOCKS = 100
_HORIZONS_A_BLOCK = 3
_EXACT_BITS = 52  # sums of integers below 2**53 are exact in any order
_MOST_FLOAT32 = 2**24  # counts up to here are exact in float32


def shuffled_draws(
    ranked: Ranked, horizons: Sequence[int], *, n_draws: int, seed: int
) -> Float[np.ndarray, "signals horizons draws"]:
    """Return mean rank ICs of signals whose blocks are moved; all bars are read at once.

    Parameters
    ----------
    ranked, horizons, n_draws, seed : see :func:`plumbline.factors.null_suite.null_draws`.

    Returns
    -------
    NaN with fewer than 8 blocks. O(S·H·A·T·N) for N blocks, at most 100; products are rounded to
    integers whose sums are exact, so that bits do not depend on threads.
    """
    draws = np.empty((len(ranked.signals), len(horizons), n_draws))
    has_ic = np.isfinite(ranked.ic)
    n_bars, n_assets = ranked.signals.shape[1:]
    longest = _block_bars(n_bars, max(horizons))
    bits = (_EXACT_BITS - int(np.ceil(np.log2(longest * max(n_assets, 1))))) // 2
    forwards = [_filled(ranks, bits) for ranks in ranked.forwards]
    for s, ranks in enumerate(ranked.signals):
        signal = _filled(ranks, bits)
        for h, bars in enumerate(horizons):
            rows = np.flatnonzero(has_ic[s, h])
            means = _block_means(signal, forwards[h], rows, _block_bars(len(rows), bars))
            draws[s, h] = _block_shuffled(means * 0.25**bits, n_draws, seed)
    return draws


class _Filled(NamedTuple):
    """Ranks of mean square 1 on every bar in small whole units, 0 where there is none.

    ``is_there`` says where there is one; its products, counted in float32 or float64, are exact.
    """

    ranks: Float[np.ndarray, "bars assets"]
    is_there: Bool[np.ndarray, "bars assets"]


def _filled(ranks: Float[np.ndarray, "bars assets"], bits: int) -> _Filled:
    is_there = ~np.isnan(ranks)
    filled = unit_ranks(ranks)
    filled *= np.sqrt(is_there.sum(axis=1, keepdims=True)) * 2.0**bits
    return _Filled(np.rint(filled, out=filled), is_there)


def _block_bars(n_bars: int, horizon: int) -> int:
    """Return the bars of a block: three horizons, √T, and so many that there are at most 100."""
    shortest = max(math.isqrt(max(n_bars - 1, 0)) + 1, -(-n_bars // _MOST_BLOCKS))
    return max(_HORIZONS_A_BLOCK * horizon, shortest)


def _block_means(
    signal: _Filled, forward: _Filled, rows: Int[np.ndarray, " bars"], length: int
) -> Float[np.ndarray, "blocks blocks"]:
    """Return the mean rank IC of every block of a signal with every block of forward returns.

    Over the rows given, in the square of the units of the ranks; two blocks have one mean whatever
    the draw.
    """
    n_assets = signal.ranks.shape[1]
    n_blocks = len(rows) // length
    if n_blocks < _LEAST_BLOCKS:
        return np.zeros((0, 0))
    kept = rows[len(rows) - n_blocks * length :]
    is_run = kept[-1] - kept[0] == len(kept) - 1
    place = slice(int(kept[0]), int(kept[-1]) + 1) if is_run else kept  # a slice makes no copy
    left, right = (x.ranks[place].reshape(n_blocks, -1) for x in (signal, forward))
    total = left @ right.T
    count = np.dtype(np.float32 if length * n_assets <= _MOST_FLOAT32 else np.float64)
    there = [x.is_there[place].reshape(n_blocks, -1).astype(count) for x in (signal, forward)]
    n_joint: Float[np.ndarray, "blocks blocks"] = np.matmul(there[0], there[1].T)
    means: Float[np.ndarray, "blocks blocks"] = np.full_like(total, np.nan)
    np.divide(total, n_joint, out=means, where=n_joint > 0)
    return means


def _block_shuffled(
    means: Float[np.ndarray, "blocks blocks"], n_draws: int, seed: int
) -> Float[np.ndarray, " draws"]:
    """Return draws of the mean over blocks of returns, each with another block of the signal."""
    n_blocks = len(means)
    if not n_blocks:
        return np.full(n_draws, np.nan)
    stream = random_stream(seed, "block_shuffled", n_blocks)
    order = stream.permuted(np.tile(np.arange(n_blocks), (n_draws, 1)), axis=1)
    drawn = means[order, np.arange(n_blocks)]
    is_there = np.isfinite(drawn)
    n_there = is_there.sum(axis=1)
    sums = np.where(is_there, drawn, 0.0).sum(axis=1)
    draws: Float[np.ndarray, " draws"] = np.full(n_draws, np.nan)
    np.divide(sums, n_there, out=draws, where=n_there > 0)
    return draws
