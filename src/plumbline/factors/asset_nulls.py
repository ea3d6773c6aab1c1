"""Rank ICs by chance where assets change places: random ranks, and one permutation for all bars.

A permutation of assets is a shift along a random order of them, so that one Fourier transform gives
all shifts. Shifts are a group, which is what a permutation test needs. Where assets are few beside
the draws, the sums over bars of the products of every two assets are taken instead: those of a
signal give all shifts along all orders.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.fft import irfft, rfft

from plumbline.core.random import random_stream
from plumbline.factors.ranked import Ranked, unit_ranks
from plumbline.kernels.spectral_sums import add_products

UNIT_BITS = 36
"""Sums count units of 2**-36; those of a span stay below 2**53, exact in any order."""

N_NULLS = 2
"""Random ranks, permuted assets."""

_LEAST_ASSETS = 3
_MOST_PRODUCTS = 128  # assets, up to which products of every two cost less than transforms
_CHUNK = 512  # bars, at multiples of it: a stream of random ranks, and transforms rounded together
_SPAN = 4096  # bars, at multiples of it, whose products are taken together
_ROWS = 64  # bars transformed at a time: they fit the cache. The order of sums depends on it


def asset_sums(
    ranked: Ranked, first_bar: int, *, n_draws: int, seed: int
) -> Int[np.ndarray, "nulls signals horizons draws"]:
    """Return sums over bars of the rank ICs of random ranks and of permuted assets, draw by draw.

    Sums of neighbouring bars add up to those of all.

    Parameters
    ----------
    ranked, n_draws, seed, first_bar : see :func:`plumbline.factors.null_suite.null_draws`.

    Returns
    -------
    (2, S, H, D) in units of 2**-36.

    Notes
    -----
    O(S·H·T·A·(1 + D/A)), and S·T·A·log A for transforms, or, with up to 128 assets,
    O(S·H·T·A²·(1 + D/A)) in products of matrices. Bits do not depend on threads. Products do not
    depend either on where bars are cut; of transforms, only cuts at multiples of 512 bars leave
    every bit, others may change the last unit.
    """
    n_signals, n_bars, n_assets = ranked.signals.shape
    shape = (N_NULLS, n_signals, len(ranked.forwards), n_draws)
    if n_assets < _LEAST_ASSETS or not n_bars:
        return np.zeros(shape, np.int64)
    orders = [_order(n_assets, seed, i) for i in range(-(-n_draws // (n_assets - 1)))]
    is_few = n_assets <= _MOST_PRODUCTS
    shifted, size = (_by_products, _SPAN) if is_few else (_by_transforms, _CHUNK)
    total = np.zeros((*shape[:3], len(orders) * (n_assets - 1)), np.int64)
    end_bar = first_bar + n_bars
    for start in range(first_bar // size * size, end_bar, size):
        rows = slice(max(start - first_bar, 0), min(start + size, end_bar) - first_bar)
        some = Ranked(
            ranked.signals[:, rows],
            ranked.forwards[:, rows],
            ranked.ic[:, :, rows],
            ranked.n_pairs[:, :, rows],
        )
        total += shifted(some, orders, first_bar + rows.start)
    return total[..., :n_draws]


class _Order(NamedTuple):
    """A random order of the assets, and the shifts along it."""

    assets: Int[np.ndarray, " assets"]
    shifts: Int[np.ndarray, " shifts"]
    number: int
    seed: int

    def random_ranks(self, first_bar: int, n_bars: int) -> Float[np.ndarray, "bars assets"]:
        """Return random ranks less their mean on bars, in the order of the assets."""
        n_assets = len(self.assets)
        ranks = np.empty((n_bars, n_assets))
        end_bar = first_bar + n_bars
        for start in range(first_bar // _CHUNK * _CHUNK, end_bar, _CHUNK):
            drawn = self._random_order(start // _CHUNK)
            first, end = max(start, first_bar), min(start + _CHUNK, end_bar)
            ranks[first - first_bar : end - first_bar] = drawn[first - start : end - start]
        ranks -= (n_assets - 1) / 2
        return ranks

    def _random_order(self, chunk: int) -> Int[np.ndarray, "bars assets"]:
        """Return a random order of the assets on every bar of a chunk."""
        n_assets = len(self.assets)
        place = np.uint64(2 ** (n_assets - 1).bit_length() - 1)  # low bits hold the asset
        stream = random_stream(self.seed, "random_ranks", (self.number, chunk))
        keys = stream.integers(0, 2**64, (_CHUNK, n_assets), dtype=np.uint64)
        keys &= ~place
        keys |= np.arange(n_assets, dtype=np.uint64)
        keys.sort(axis=1)
        order: Int[np.ndarray, "bars assets"] = (keys & place).astype(np.int64)
        return order


def _order(n_assets: int, seed: int, number: int) -> _Order:
    stream = random_stream(seed, "permuted_assets", number)
    assets, shifts = stream.permutation(n_assets), 1 + stream.permutation(n_assets - 1)
    return _Order(assets, shifts, number, seed)


def _weight(ranked: Ranked) -> Float[np.ndarray, "signals horizons bars"]:
    """Return what gives a bar's sum the variance of a rank correlation; 0 without a rank IC."""
    n_assets = ranked.signals.shape[2]
    per_bar = np.sqrt((n_assets - 1) / np.maximum(ranked.n_pairs - 1, 1))
    return np.where(np.isfinite(ranked.ic), per_bar, 0.0)


def _by_products(
    ranked: Ranked, orders: Sequence[_Order], first_bar: int
) -> Int[np.ndarray, "nulls signals horizons draws"]:
    """Return sums of random ranks and of permuted assets from sums over bars of products."""
    n_bars, n_assets = ranked.signals.shape[1:]
    weight = _weight(ranked)
    forwards = [_scaled(ranks) for ranks in ranked.forwards]
    room = np.empty((n_bars, n_assets))
    shape = (N_NULLS, *weight.shape[:2], len(orders), n_assets - 1)
    sums = np.empty(shape, np.int64)
    for i, order in enumerate(orders):
        chance = _scaled(order.random_ranks(first_bar, n_bars))
        for s, h in np.ndindex(weight.shape[:2]):
            products = _products(weight[s, h], chance, forwards[h], room)
            sums[0, s, h, i] = _along(np.arange(n_assets), order, products)
    for s, ranks in enumerate(ranked.signals):
        signal = _scaled(ranks)
        for h, forward in enumerate(forwards):
            products = _products(weight[s, h], signal, forward, room)
            for i, order in enumerate(orders):
                sums[1, s, h, i] = _along(order.assets, order, products)
    return sums.reshape(*shape[:3], -1)


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
) -> Int[np.ndarray, "assets assets"]:
    """Return weighted sums over bars of a signal's unit ranks times those of forward returns.

    What is summed is rounded to whole units, whatever is added to what: no bar adds more than its
    weight. ``room`` is written over.
    """
    size = signal.size * forward.size
    per_bar = np.divide(weight * 2.0**UNIT_BITS, size, out=np.zeros(len(size)), where=size > 0)
    left = np.multiply(per_bar[:, None], signal.ranks, out=room)
    products: Float[np.ndarray, "assets assets"] = np.rint(left, out=left).T @ forward.ranks
    return products.astype(np.int64)


def _along(
    places: Int[np.ndarray, " assets"],
    order: _Order,
    products: Int[np.ndarray, "assets assets"],
) -> Int[np.ndarray, " shifts"]:
    """Return the sums of products in which each asset of an order meets the place a shift ahead."""
    twice = np.concatenate([places, places])
    n_assets = len(places)
    ahead = order.shifts[:, None] + np.arange(n_assets)
    sums: Int[np.ndarray, " shifts"] = products[twice[ahead], order.assets].sum(axis=1)
    return sums


def _by_transforms(
    ranked: Ranked, orders: Sequence[_Order], first_bar: int
) -> Int[np.ndarray, "nulls signals horizons draws"]:
    """Return the same sums from transforms over the assets."""
    n_signals, n_bars, n_assets = ranked.signals.shape
    weight = _weight(ranked)
    found = []
    for order in orders:
        assets = order.assets
        total = np.zeros((2, *weight.shape[:2], n_assets // 2 + 1), complex)
        random_ranks = order.random_ranks(first_bar, n_bars)
        for first in range(0, n_bars, _ROWS):
            rows = slice(first, first + _ROWS)
            forwards = np.conj(_spectra(ranked.forwards[:, rows][:, :, assets]))
            chance = _spectra(random_ranks[None, rows])[0]
            some = np.ascontiguousarray(weight[:, :, rows])
            for s in range(n_signals):
                add_products(some[s], chance, forwards, total[0, s])
                signal = _spectra(ranked.signals[s : s + 1, rows][:, :, assets])[0]
                add_products(some[s], signal, forwards, total[1, s])
        found.append(irfft(total * 2.0**UNIT_BITS, n_assets, axis=3)[..., order.shifts])
    sums: Int[np.ndarray, "nulls signals horizons draws"] = np.rint(
        np.concatenate(found, axis=3)
    ).astype(np.int64)
    return sums


def _spectra(
    ranks: Float[np.ndarray, "panels bars assets"],
) -> Complex[np.ndarray, "panels bars frequencies"]:
    """Return transforms over the assets of ranks, scaled so that squares of a bar add up to 1."""
    spectra: Complex[np.ndarray, "panels bars frequencies"] = rfft(unit_ranks(ranks), axis=2)
    return spectra
