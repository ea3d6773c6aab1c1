"""Blocks of a resample, beside a loop that measures each from its first bar on."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.kernels.resampled_blocks import add_blocks, sure_lengths

UNITS = 2**32


def falling(chances):
    return np.array(sorted((int(c * UNITS) for c in chances), reverse=True), dtype=np.uint64)


def length_of(longer, rest):
    length = 1
    for chance in longer.tolist():
        if rest < chance:
            length += 1
    return length


@given(chances=st.lists(st.floats(0, 1, exclude_max=True), max_size=12), seed=st.integers(0, 999))
def test_no_block_is_shorter_than_what_is_sure_and_some_are_as_short(chances, seed):
    longer = falling(chances)
    surely = sure_lengths(longer)
    assert surely.shape == (4096,)
    for part in np.random.default_rng(seed).integers(0, 4096, 20).tolist():
        first, last = part << 20, ((part + 1) << 20) - 1
        assert surely[part] == length_of(longer, last) <= length_of(longer, first)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(1, 12),
    chances=st.lists(st.floats(0, 1, exclude_max=True), max_size=12),
)
def test_blocks_add_up_to_resamples_as_long_as_the_series(seed, n_bars, chances):
    rng = np.random.default_rng(seed)
    series = rng.standard_normal(n_bars)
    is_there = rng.random(n_bars) < 0.7
    columns = np.stack([np.where(is_there, series, 0.0), is_there.astype(float)], axis=1)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(np.tile(columns, (2, 1)), axis=0)])
    longer = falling(chances)
    draws = rng.integers(0, 2**64, (5, n_bars + 2), dtype=np.uint64)
    left, added = np.full(5, n_bars), np.zeros((5, 2))
    add_blocks(sums, longer, sure_lengths(longer), draws, left, added)
    assert_array_equal(left, 0)
    for r in range(5):
        picked = []
        for bits in draws[r].tolist():
            start = ((bits >> 32) * n_bars) >> 32
            length = min(length_of(longer, bits & (UNITS - 1)), n_bars - len(picked))
            picked += [(start + k) % n_bars for k in range(length)]
        assert len(picked) == n_bars
        assert_allclose(added[r], columns[picked].sum(axis=0), atol=1e-12)
