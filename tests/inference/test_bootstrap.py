import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from arch.bootstrap import optimal_block_length as arch_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from plumbline.core.errors import ParameterError
from plumbline.core.random import random_stream
from plumbline.inference import bootstrap_mean, optimal_block_length


def autoregression(rng, n_bars, phi):
    x = rng.standard_normal(n_bars)
    for t in range(1, n_bars):
        x[t] += phi * x[t - 1]
    return x


def slow_means(x, n_resamples, seed, block_bars):
    """Return resampled means, one bar at a time, from the same random numbers."""
    rows = np.flatnonzero(np.isfinite(x))
    x = x[rows[0] : rows[-1] + 1]
    means = []
    chunks = []
    for r in range(n_resamples):
        bars, block = [], 0
        while len(bars) < len(x):
            if block // 64 == len(chunks):
                stream = random_stream(seed, "stationary_bootstrap", len(chunks))
                shape = (n_resamples, 64)
                chunks.append(stream.integers(0, 2**64, shape, dtype=np.uint64))
            start, tail = (
                x / 2**32 for x in divmod(int(chunks[block // 64][r, block % 64]), 2**32)
            )
            length = 1
            while length < len(x) and block_bars > 1 and tail <= (1 - 1 / block_bars) ** length:
                length += 1
            bars += [(int(start * len(x)) + i) % len(x) for i in range(min(length, len(x)))]
            block += 1
        values = x[bars[: len(x)]]
        there = values[np.isfinite(values)]
        means.append(there.mean() if len(there) else np.nan)
    return np.array(means)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(3, 90),
    block_bars=st.sampled_from([1.0, 1.7, 6.0, 500.0, 1e12]),
    scale=st.sampled_from([1e-200, 1.0, 1e200]),
)
@settings(max_examples=25)
def test_intervals_match_a_bootstrap_one_bar_at_a_time(seed, n_bars, block_bars, scale):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n_bars) * scale
    x[rng.random(n_bars) < 0.2] = np.nan
    x[:1], x[-1:] = np.nan, np.inf
    found = bootstrap_mean(x, n_resamples=20, seed=seed, level=0.8, block_bars=block_bars)
    if np.isfinite(x).sum() < 3:
        assert np.isnan([found.lower, found.upper, found.block_bars]).all()
        return
    means = slow_means(x, 20, seed, block_bars)
    expected = np.nanquantile(means, [0.1, 0.9])
    assert_allclose([found.lower, found.upper], expected, rtol=1e-9, atol=1e-12 * scale)
    assert_allclose(found.mean, x[np.isfinite(x)].mean(), rtol=1e-12)


def test_block_lengths_agree_with_arch():
    rng = np.random.default_rng(0)
    agree = 0
    for _ in range(200):
        x = autoregression(rng, int(rng.integers(30, 900)), rng.uniform(-0.3, 0.9))
        theirs = max(float(arch_block_length(x)["stationary"].iloc[0]), 1.0)
        agree += abs(optimal_block_length(x) - theirs) < 1e-9 * theirs
    assert agree >= 190  # arch divides autocovariances by other sums of squares: another first lag


def test_intervals_agree_with_arch():
    x = autoregression(np.random.default_rng(5), 600, 0.5)
    mine = bootstrap_mean(x, n_resamples=20_000, seed=1, block_bars=12)
    peer = StationaryBootstrap(12, x, seed=2).conf_int(np.mean, 20_000, method="percentile")
    assert_allclose([mine.lower, mine.upper], peer.ravel(), atol=0.03 * (mine.upper - mine.lower))


def test_intervals_cover_the_mean_of_a_dependent_series():
    rng = np.random.default_rng(3)
    x = np.stack([autoregression(rng, 500, 0.5) for _ in range(300)], axis=1)
    found = bootstrap_mean(x, n_resamples=300, seed=1)
    missed = ((found.lower > 0) | (found.upper < 0)).sum()
    naive = (np.abs(x.mean(axis=0)) > 1.96 * x.std(axis=0) / np.sqrt(500)).sum()
    assert binom.ppf(0.001, 300, 0.05) <= missed <= binom.ppf(0.9999, 300, 0.08)
    assert naive > 2 * missed


def test_a_column_does_not_depend_on_the_others_and_seeds_matter():
    x = np.random.default_rng(1).standard_normal((70, 3))
    both = bootstrap_mean(x, n_resamples=30, seed=4)
    for i in range(3):
        alone = bootstrap_mean(x[:, i], n_resamples=30, seed=4)
        assert_array_equal([alone.lower, alone.upper], [both.lower[i], both.upper[i]])
    assert (bootstrap_mean(x, n_resamples=30, seed=5).lower != both.lower).all()


def test_a_constant_series_has_a_point_for_an_interval_and_nothing_has_none():
    found = bootstrap_mean(np.full((9, 1), 0.1), n_resamples=10)
    assert_allclose([found.lower[0], found.upper[0]], 0.1)
    assert found.block_bars[0] == 1
    for x in (np.zeros((0, 2)), np.full((9, 2), np.nan), np.ones((2, 2))):
        empty = bootstrap_mean(x, n_resamples=10)
        assert np.isnan(empty.lower).all()
        assert empty.lower.shape == (2,)


def test_wrong_parameters_are_refused_together():
    with pytest.raises(ParameterError, match=r"n_resamples=0 .*level=1 .*block_bars=0.5"):
        bootstrap_mean(np.ones(5), n_resamples=0, level=1, block_bars=0.5)
    with pytest.raises(ParameterError, match="must be"):
        bootstrap_mean(np.ones((2, 2, 2)))
