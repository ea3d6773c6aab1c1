import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.factors.forward_returns import forward_returns
from plumbline.factors.quantiles import group_returns, quantile_buckets, quantile_returns
from tests.oracles import evaluation as oracle


def ragged(seed, n_bars, n_assets):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_bars, n_assets))
    signal[:, ::3] = np.round(signal[:, ::3], 0)
    signal[rng.random(signal.shape) < 0.2] = np.nan
    signal[rng.random(signal.shape) < 0.05] = np.inf
    close = np.exp(np.cumsum(0.02 * rng.standard_normal((n_bars, n_assets)), axis=0))
    close[rng.random(close.shape) < 0.1] = np.nan
    return signal, close


@given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.integers(0, 14),
    n_bars=st.integers(0, 6),
    n_quantiles=st.integers(2, 6),
)
def test_buckets_match_counting(seed, n_assets, n_bars, n_quantiles):
    signal, _ = ragged(seed, n_bars, n_assets)
    buckets = quantile_buckets(signal, n_quantiles)
    assert_array_equal(buckets, oracle.buckets(signal, n_quantiles))


@given(seed=st.integers(0, 2**32 - 1), n_assets=st.integers(10, 60), n_quantiles=st.integers(2, 10))
def test_buckets_match_pandas_when_values_differ(seed, n_assets, n_quantiles):
    signal = np.random.default_rng(seed).standard_normal((4, n_assets))
    expected = oracle.qcut_buckets(signal, n_quantiles)
    # where a cut falls on a value, the edge that pandas interpolates may round to either side
    exact = (n_assets - 1) * np.arange(1, n_quantiles) % n_quantiles == 0
    if not exact.any():
        assert_array_equal(quantile_buckets(signal, n_quantiles), expected)


def test_groups_are_equal_within_one_when_values_differ():
    signal = np.random.default_rng(0).standard_normal((50, 37))
    buckets = quantile_buckets(signal, 5)
    counts = np.stack([(buckets == q).sum(axis=1) for q in range(1, 6)])
    assert counts.max() - counts.min() <= 1


def test_ties_share_the_lower_group():
    assert_array_equal(quantile_buckets(np.array([[1.0, 1.0, 1.0, 2.0]]), 2), [[1, 1, 1, 2]])
    assert_array_equal(quantile_buckets(np.full((1, 6), 3.0), 3), [[1] * 6])


def test_a_bar_with_fewer_values_than_groups_has_none():
    assert_array_equal(quantile_buckets(np.array([[1.0, np.nan, 2.0]]), 3), [[0, 0, 0]])


def test_order_of_assets_does_not_matter():
    signal, _ = ragged(3, 20, 15)
    order = np.random.default_rng(0).permutation(15)
    assert_array_equal(quantile_buckets(signal[:, order], 5), quantile_buckets(signal, 5)[:, order])


def test_number_of_groups_out_of_range_is_refused():
    for n_quantiles in (1, 101):
        with pytest.raises(ParameterError, match="n_quantiles"):
            quantile_buckets(np.zeros((1, 5)), n_quantiles)


@given(seed=st.integers(0, 2**32 - 1), n_assets=st.integers(1, 12), n_bars=st.integers(1, 12))
def test_returns_of_groups_match_the_loop(seed, n_assets, n_bars):
    signal, close = ragged(seed, n_bars, n_assets)
    buckets = quantile_buckets(signal, 3)
    result = quantile_returns(group_returns(buckets, forward_returns(close, (1, 4)), 3))
    for h, horizon in enumerate((1, 4)):
        mean, demeaned, n = oracle.quantile_table(buckets, close, horizon, 3)
        assert_allclose(result.mean[h], mean, rtol=1e-10, atol=1e-15)
        assert_allclose(result.mean_demeaned[h], demeaned, rtol=1e-9, atol=1e-15)
        assert_array_equal(result.n[h], n)
