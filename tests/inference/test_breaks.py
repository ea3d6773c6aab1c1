import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binom, kstwobign
from statsmodels.stats.diagnostic import breaks_cusumolsresid

from plumbline.core.errors import ParameterError
from plumbline.inference import hac_mean, mean_break
from tests.oracles import evaluation as oracle


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 60), horizon=st.integers(1, 4))
@settings(max_examples=40)
def test_statistic_and_place_match_the_loop_over_ragged_data(seed, n_bars, horizon):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_bars, 2)) * 10.0 ** rng.integers(-8, 8)
    x[rng.random(x.shape) < 0.2] = np.nan
    found, test = mean_break(x, horizon=horizon), hac_mean(x, horizon=horizon)
    for i in range(2):
        there = np.flatnonzero(np.isfinite(x[:, i]))
        if np.isnan(test.t[i]):
            assert np.isnan(found.statistic[i])
            assert found.row[i] == -1
            continue
        series = x[there, i]
        size, k = oracle.cusum(series, test.stderr[i] * np.sqrt(len(series)))
        assert_allclose(found.statistic[i], size, rtol=1e-8)
        assert_allclose(found.p_value[i], kstwobign.sf(size), rtol=1e-6)
        assert found.row[i] == there[k]
        assert_allclose(found.mean_before[i], series[: k + 1].mean(), rtol=1e-9, atol=1e-20)
        assert_allclose(found.mean_after[i], series[k + 1 :].mean(), rtol=1e-9, atol=1e-20)


def test_without_dependence_it_is_the_test_of_statsmodels():
    x = np.random.default_rng(0).standard_normal(200)
    centred = x - x.mean()
    size, p_value, _ = breaks_cusumolsresid(centred)
    mine = mean_break(x)
    ratio = centred.std() / (hac_mean(x).stderr * np.sqrt(200))
    assert_allclose(mine.statistic, size * ratio, rtol=1e-9)
    assert_allclose(kstwobign.sf(size), p_value, rtol=1e-6)


def test_a_planted_break_is_found_where_it_is():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(800)
    x[:500] += 1.0
    found = mean_break(x)
    assert abs(int(found.row) - 499) <= 12
    assert found.p_value < 0.001
    assert found.mean_before - found.mean_after > 0.8


def test_a_constant_mean_is_rejected_no_more_often_than_stated():
    rng = np.random.default_rng(2)
    n_worlds = 400
    for horizon in (1, 5):
        noise = rng.standard_normal((1_000 + horizon, n_worlds))
        sums = np.cumsum(noise, axis=0)
        x = sums[horizon:] - sums[:-horizon]
        rejected = (mean_break(x, horizon=horizon).p_value < 0.05).sum()
        assert 1 <= rejected <= binom.ppf(0.999, n_worlds, 0.05)


def test_wrong_shapes_are_refused():
    with pytest.raises(ParameterError, match="must be"):
        mean_break(np.ones((2, 2, 2)))
