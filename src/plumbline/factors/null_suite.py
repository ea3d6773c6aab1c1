"""What the mean rank IC would be by chance: three ways to take the signal's knowledge away.

Ranks less their mean stand for signal and forward returns, with zero where a value is missing. A
permutation that treats all assets alike gives a bar's sum of products the mean 0 and a known
variance; the sum is divided by what makes the variance 1/(n - 1), that of a rank correlation over
the bar's n pairs. Gaps thus change neither the spread of a draw nor how its bars hang together, and
without gaps a draw is the rank IC of the permuted signal itself.

A permutation of assets is a shift along a random order of them, so that one Fourier transform gives
all shifts. Shifts are a group, which is what a permutation test needs. Where assets are few beside
the draws, the sums over bars of the products of every two assets are taken instead: those of a
signal give all shifts along all orders.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Complex, Float, Float32, Int
from scipy.fft import irfft, rfft

from plumbline.core.random import random_stream
from plumbline.factors.tables import Axes, empty_table, table

NULLS: Final = ("random_ranks", "permuted_assets", "block_shuffled")
"""Random ranks on every bar; one permutation of assets for all bars; blocks of bars moved."""

_LEAST_BLOCKS = 8
_LEAST_ASSETS = 3
_HORIZONS_A_BLOCK = 3
_MOST_PRODUCTS = 128  # assets, up to which products of every two cost less than transforms
_ROWS = 64  # bars transformed at a time: they fit the cache. The order of sums depends on it
_EXACT_BITS = 52  # sums of integers below 2**53 are exact in any order
_MOST_FLOAT32 = 2**24  # counts up to here are exact in float32
_COLUMNS = ("signal", "horizon_bars", "null", "mean", "sd", "p_value", "n_draws", "seed")


class Ranked(NamedTuple):
    """Signals and forward returns by ranks, and the rank ICs between them.

    Parameters
    ----------
    signals : (S, T, A) ranks less the mean rank of the bar; NaN where there is none.
    forwards : (H, T, A) the same of forward returns.
    ic : (S, H, T) rank ICs; NaN where there is none.
    n_pairs : (S, H, T) assets with both a signal and a forward return.
    """

    signals: Float32[np.ndarray, "signals bars assets"]
    forwards: Float32[np.ndarray, "horizons bars assets"]
    ic: Float[np.ndarray, "signals horizons bars"]
    n_pairs: Float[np.ndarray, "signals horizons bars"]


def null_draws(
    ranked: Ranked, horizons: Sequence[int], *, n_draws: int, seed: int
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    """Return mean rank ICs of signals that know nothing, in the order of ``NULLS``.

    A draw is a mean over the bars that have a rank IC. ``random_ranks`` replaces the signal by
    random ranks on every bar. ``permuted_assets`` hands every asset the signal of another one, the
    same on all bars, so that the signal keeps its autocorrelation. ``block_shuffled`` cuts those
    bars into blocks of max(3 horizons, √T) and hands a block of forward returns the signal of
    another block; the last blocks are whole, a rest at the start stays out.

    Parameters
    ----------
    ranked : what is tested.
    horizons : bars.
    n_draws : D, at least 1.
    seed : of the random streams; every signal meets the same ones, and none depends on the others.

    Returns
    -------
    NaN without a rank IC, and for ``block_shuffled`` with fewer than 8 blocks.

    Notes
    -----
    The first two take O(S·H·T·A·(1 + D/A)), and S·T·A·log A for transforms, or, with up to 128
    assets, O(S·H·T·A²·(1 + D/A)) in products of matrices; the blocks at most O(S·H·A·T^1.5). Bits
    do not depend on threads: sums of transforms are taken in the order of bars, products of assets
    and of blocks are rounded to integers whose sums are exact.

    References
    ----------
    Hemerik and Goeman, "Exact testing with random permutations", TEST 27 (2018) 811-825 (groups,
    and why the result itself counts as a draw). Künsch (1989), Annals of Statistics 17, 1217-1241
    (blocks).
    """
    n_signals, n_bars, n_assets = ranked.signals.shape
    shape = (len(NULLS), n_signals, len(horizons), n_draws)
    if n_assets < _LEAST_ASSETS or not n_bars:
        return np.full(shape, np.nan)
    has_ic = np.isfinite(ranked.ic)
    n_ic = np.maximum(has_ic.sum(axis=2, keepdims=True), 1)
    per_bar = np.sqrt((n_assets - 1) / np.maximum(ranked.n_pairs - 1, 1)) / n_ic
    weight = np.where(has_ic, per_bar, 0.0)

    draws = np.empty(shape)
    n_orders = -(-n_draws // (n_assets - 1))
    shifted = _by_products if n_assets <= _MOST_PRODUCTS else _by_transforms
    draws[:2] = shifted(ranked, weight, n_orders, seed)[..., :n_draws]
    forwards = [_filled(ranks) for ranks in ranked.forwards]
    for s in range(n_signals):
        signal = _filled(ranked.signals[s])
        for h, bars in enumerate(horizons):
            rows = np.flatnonzero(has_ic[s, h])
            means = _block_means(signal, forwards[h], rows, bars)
            draws[2, s, h] = _block_shuffled(means, n_draws, seed)
    draws[:, ~has_ic.any(axis=2)] = np.nan
    return draws


def null_table(
    axes: Axes,
    mean_ic: Float[np.ndarray, "signals horizons"],
    draws: Float[np.ndarray, "nulls signals horizons draws"],
    seed: int,
) -> pl.DataFrame:
    """Return mean and deviation of the draws, and how rare the mean rank IC is among them.

    The p-value counts draws at least as far as the result from the mean of draws and result
    together, the result itself as one of them.

    Returns
    -------
    signal, horizon_bars, null, mean, sd, p_value, n_draws, seed.
    """
    n_draws = draws.shape[3]
    if not n_draws:
        return empty_table(_COLUMNS)
    with np.errstate(invalid="ignore"):
        centre = (draws.sum(axis=3) + mean_ic) / (n_draws + 1)
        distance = np.abs(mean_ic - centre) * (1 - 1e-12)  # the same to rounding is as far
        n_far = (np.abs(draws - centre[..., None]) >= distance[..., None]).sum(axis=3)
        p_value = np.where(np.isnan(centre), np.nan, (1 + n_far) / (1 + n_draws))
        sd = draws.std(axis=3, ddof=1) if n_draws > 1 else np.full(p_value.shape, np.nan)
    figures = {"mean": draws.mean(axis=3), "sd": sd, "p_value": p_value}
    n_series = mean_ic.size
    return table(
        {
            **axes.repeat(len(NULLS)),
            "null": np.tile(np.array(NULLS, dtype=object), n_series),
            **{name: np.moveaxis(value, 0, -1).ravel() for name, value in figures.items()},
            "n_draws": np.full(n_series * len(NULLS), n_draws),
            "seed": np.full(n_series * len(NULLS), seed),
        }
    ).select(_COLUMNS)


class _Order(NamedTuple):
    """A random order of the assets, the shifts along it, and the stream of its random ranks."""

    assets: Int[np.ndarray, " assets"]
    shifts: Int[np.ndarray, " shifts"]
    ranks: np.random.Generator

    def random_ranks(self, n_bars: int) -> Float[np.ndarray, "bars assets"]:
        """Return random ranks less their mean on the next bars, in the order of the assets."""
        n_assets = len(self.assets)
        ranks = self.ranks.random((n_bars, n_assets)).argsort(axis=1)
        return np.subtract(ranks, (n_assets - 1) / 2)


def _order(n_assets: int, seed: int, number: int) -> _Order:
    stream = random_stream(seed, "permuted_assets", number)
    assets, shifts = stream.permutation(n_assets), 1 + stream.permutation(n_assets - 1)
    return _Order(assets, shifts, random_stream(seed, "random_ranks", number))


def _by_products(
    ranked: Ranked, weight: Float[np.ndarray, "signals horizons bars"], n_orders: int, seed: int
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    """Return draws of random ranks and of permuted assets from sums over bars of products."""
    n_bars, n_assets = ranked.signals.shape[1:]
    orders = [_order(n_assets, seed, i) for i in range(n_orders)]
    forwards = [_scaled(ranks) for ranks in ranked.forwards]
    room = np.empty((n_bars, n_assets))
    shape = (len(NULLS) - 1, *weight.shape[:2], n_orders, n_assets - 1)
    draws = np.empty(shape)
    for i, order in enumerate(orders):
        chance = _scaled(order.random_ranks(n_bars))
        for s, h in np.ndindex(weight.shape[:2]):
            products = _products(weight[s, h], chance, forwards[h], room)
            draws[0, s, h, i] = _along(np.arange(n_assets), order, products)
    for s, ranks in enumerate(ranked.signals):
        signal = _scaled(ranks)
        for h, forward in enumerate(forwards):
            products = _products(weight[s, h], signal, forward, room)
            for i, order in enumerate(orders):
                draws[1, s, h, i] = _along(order.assets, order, products)
    return draws.reshape(*shape[:3], -1)


class _Scaled(NamedTuple):
    """Whole ranks of each bar and what divides them: twice the root of their sum of squares."""

    ranks: Float[np.ndarray, "bars assets"]
    size: Float[np.ndarray, " bars"]


def _scaled(ranks: Float[np.ndarray, "bars assets"]) -> _Scaled:
    """Return twice the ranks less their mean, whole numbers, with 0 where there is none."""
    whole = np.multiply(ranks, 2.0, dtype=np.float64)
    whole[np.isnan(whole)] = 0.0
    return _Scaled(whole, np.sqrt(np.einsum("ta,ta->t", whole, whole)))


def _products(
    weight: Float[np.ndarray, " bars"],
    signal: _Scaled,
    forward: _Scaled,
    room: Float[np.ndarray, "bars assets"],
) -> Float[np.ndarray, "assets assets"]:
    """Return weighted sums over bars of a signal's unit ranks times those of forward returns.

    What is summed is rounded to integers below 2**53, whatever is added to what. ``room`` is
    written over.
    """
    size = signal.size * forward.size
    per_bar = np.divide(weight, size, out=np.zeros(len(size)), where=size > 0)
    left = np.multiply(per_bar[:, None], signal.ranks, out=room)
    n_bars, n_assets = left.shape
    largest = max(left.max(initial=0.0), -left.min(initial=0.0))
    if largest == 0.0:
        return np.zeros((n_assets, n_assets))
    bits = _EXACT_BITS - int(np.ceil(np.log2(largest) + np.log2(n_bars) + np.log2(n_assets)))
    left *= 2.0**bits
    products: Float[np.ndarray, "assets assets"] = np.rint(left, out=left).T @ forward.ranks
    products *= 0.5**bits
    return products


def _along(
    places: Int[np.ndarray, " assets"],
    order: _Order,
    products: Float[np.ndarray, "assets assets"],
) -> Float[np.ndarray, " shifts"]:
    """Return the sums of products in which each asset of an order meets the place a shift ahead."""
    twice = np.concatenate([places, places])
    n_assets = len(places)
    ahead = order.shifts[:, None] + np.arange(n_assets)
    sums: Float[np.ndarray, " shifts"] = products[twice[ahead], order.assets].sum(axis=1)
    return sums


def _by_transforms(
    ranked: Ranked, weight: Float[np.ndarray, "signals horizons bars"], n_orders: int, seed: int
) -> Float[np.ndarray, "nulls signals horizons draws"]:
    """Return draws of random ranks and of permuted assets from transforms over the assets."""
    n_signals, n_bars, n_assets = ranked.signals.shape
    found = []
    for i in range(n_orders):
        order = _order(n_assets, seed, i)
        assets = order.assets
        total = np.zeros((2, n_signals, weight.shape[1], n_assets // 2 + 1), complex)
        for first in range(0, n_bars, _ROWS):
            rows = slice(first, first + _ROWS)
            forwards = np.conj(_spectra(ranked.forwards[:, rows][:, :, assets]))
            chance = _spectra(order.random_ranks(forwards.shape[1])[None])[0]
            some = weight[:, :, rows]
            for s in range(n_signals):
                total[0, s] += _sums(some[s], chance, forwards)
                signal = _spectra(ranked.signals[s : s + 1, rows][:, :, assets])[0]
                total[1, s] += _sums(some[s], signal, forwards)
        found.append(irfft(total, n_assets, axis=3)[..., order.shifts])
    return np.concatenate(found, axis=3)


def _sums(
    weight: Float[np.ndarray, "horizons bars"],
    signal: Complex[np.ndarray, "bars frequencies"],
    forwards: Complex[np.ndarray, "horizons bars frequencies"],
) -> Complex[np.ndarray, "horizons frequencies"]:
    """Return weighted sums over bars of products of spectra."""
    total: Complex[np.ndarray, "horizons frequencies"] = np.einsum(
        "ht,tf,htf->hf", weight, signal, forwards
    )
    return total


def _spectra(
    ranks: Float[np.ndarray, "panels bars assets"],
) -> Complex[np.ndarray, "panels bars frequencies"]:
    """Return transforms over the assets of ranks, scaled so that squares of a bar add up to 1."""
    spectra: Complex[np.ndarray, "panels bars frequencies"] = rfft(_unit(ranks), axis=2)
    return spectra


def _unit(ranks: Float[np.ndarray, "*panels assets"]) -> Float[np.ndarray, "*panels assets"]:
    """Return ranks with 0 where there is none, divided by the root of their sum of squares."""
    filled: Float[np.ndarray, "*panels assets"] = ranks.astype(np.float64)
    filled[np.isnan(filled)] = 0.0
    size = np.sqrt(np.einsum("...a,...a->...", filled, filled))[..., None]
    np.divide(filled, size, out=filled, where=size > 0)
    return filled


class _Filled(NamedTuple):
    """Ranks of mean square 1 on every bar, 0 where there is none; and whether there is one."""

    ranks: Float[np.ndarray, "bars assets"]
    is_there: Bool[np.ndarray, "bars assets"]


def _filled(ranks: Float32[np.ndarray, "bars assets"]) -> _Filled:
    is_there = ~np.isnan(ranks)
    return _Filled(_unit(ranks) * np.sqrt(is_there.sum(axis=1, keepdims=True)), is_there)


def _block_means(
    signal: _Filled, forward: _Filled, rows: Int[np.ndarray, " bars"], horizon: int
) -> Float[np.ndarray, "blocks blocks"]:
    """Return the mean rank IC of every block of a signal with every block of forward returns.

    Over the rows given; two blocks have one mean whatever the draw.
    """
    n_assets = signal.ranks.shape[1]
    length = max(_HORIZONS_A_BLOCK * horizon, int(np.ceil(np.sqrt(len(rows)))), 1)
    n_blocks = len(rows) // length
    if n_blocks < _LEAST_BLOCKS:
        return np.zeros((0, 0))
    kept = rows[len(rows) - n_blocks * length :]
    is_run = kept[-1] - kept[0] == len(kept) - 1
    place = slice(int(kept[0]), int(kept[-1]) + 1) if is_run else kept  # a slice makes no copy
    bits = (_EXACT_BITS - int(np.ceil(np.log2(length * n_assets)))) // 2
    left, right = (
        np.rint(x.ranks[place] * 2.0**bits).reshape(n_blocks, -1) for x in (signal, forward)
    )
    total = left @ right.T * 0.25**bits
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
