import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr, rankdata

from plumbline.core.errors import ParameterError
from plumbline.kernels import centred_ranks, pearson_ic


def slow(signals, forwards):
    out = np.full((len(signals), len(forwards), signals.shape[1]), np.nan)
    for s, h, t in np.ndindex(out.shape):
        x, y = signals[s, t], forwards[h, t]
        both = np.isfinite(x) & np.isfinite(y)
        x, y = x[both], y[both]
        if len(x) >= 3 and (x != x[0]).any() and (y != y[0]).any():
            out[s, h, t] = pearsonr(x / np.abs(x).max(), y / np.abs(y).max())[0]
    return out


def ragged(seed, n_panels, n_bars, n_assets):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_panels, n_bars, n_assets)) + 10.0 * rng.integers(0, 2)
    x[..., ::3] = np.round(x[..., ::3])
    x[rng.random(x.shape) < 0.15] = np.nan
    x[rng.random(x.shape) < 0.03] = np.inf
    x[rng.random(x.shape[:2]) < 0.1] = 0.1  # constant rows
    return x


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(0, 5),
    n_assets=st.integers(0, 12),
    scale=st.sampled_from([1e-300, 1e-8, 1.0, 1e8, 1e300]),
)
@settings(max_examples=60)
def test_linear_correlations_match_scipy_over_ragged_data(seed, n_bars, n_assets, scale):
    signals = ragged(seed, 2, n_bars, n_assets) * scale
    forwards = ragged(seed + 1, 3, n_bars, n_assets) / scale
    assert_allclose(pearson_ic(signals, forwards), slow(signals, forwards), rtol=0, atol=1e-12)


def test_linear_correlations_match_corrwith():
    x, y = ragged(1, 1, 30, 40)[0], ragged(2, 1, 30, 40)[0]
    x, y = (pd.DataFrame(np.where(np.isfinite(v), v, np.nan)) for v in (x, y))
    varies = (x.nunique(axis=1) > 1) & (y.nunique(axis=1) > 1)
    found = pearson_ic(x.to_numpy()[None], y.to_numpy()[None])[0, 0]
    expected = x[varies].corrwith(y[varies], axis=1)
    assert_allclose(found[varies], expected, atol=1e-12)
    assert np.isnan(found[~varies]).all()


def test_a_small_deviation_beside_a_large_level_keeps_its_digits():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 1, 1, 50))
    level = 2.0**30
    assert_allclose(pearson_ic(x, y + level), pearson_ic(x, y), atol=1e-5)
    assert_allclose(pearson_ic(np.round(x, 2) * 1024 + level, y), pearson_ic(np.round(x, 2), y))


def test_a_multiple_correlates_by_exactly_one_or_minus_one_at_most():
    x = np.random.default_rng(4).standard_normal((1, 20, 9))
    found = pearson_ic(x, np.concatenate([3 * x, -2 * x]))
    assert_allclose(found[0], [[1.0] * 20, [-1.0] * 20])
    assert (np.abs(found) <= 1).all()


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 4), n_assets=st.integers(0, 12))
@settings(max_examples=40)
def test_centred_ranks_match_scipy_over_ragged_data(seed, n_bars, n_assets):
    x = ragged(seed, 2, n_bars, n_assets)
    found = centred_ranks(x)
    assert found.dtype == np.float32
    for p, t in np.ndindex(x.shape[:2]):
        there = np.isfinite(x[p, t])
        assert_array_equal(np.isfinite(found[p, t]), there)
        n = there.sum()
        if n:
            assert_array_equal(found[p, t][there], rankdata(x[p, t][there]) - (n + 1) / 2)


def test_wrong_shapes_are_refused():
    with pytest.raises(ParameterError, match=r"pearson_ic: signals have shape \(2, 3\)"):
        pearson_ic(np.zeros((2, 3)), np.zeros((1, 2, 3)))
    with pytest.raises(ParameterError, match=r"pearson_ic: signals have bars and assets \(2, 3\)"):
        pearson_ic(np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))
    with pytest.raises(ParameterError, match=r"centred_ranks: panels have shape \(2, 3\)"):
        centred_ranks(np.zeros((2, 3)))
