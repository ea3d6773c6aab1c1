import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.inference.fixed_b import fixed_b_critical_value, fixed_b_p_value
from plumbline.inference.hac import hac_mean
from tests.oracles import hac as oracle


def autoregression(rng, n_bars, rho, n_series=1):
    x = rng.standard_normal((n_bars + 200, n_series))
    for t in range(1, len(x)):
        x[t] += rho * x[t - 1]
    return x[200:]


def statsmodels_stderr(x, lag):
    settings = {"maxlags": lag, "use_correction": False}
    fit = sm.OLS(x, np.ones(len(x))).fit(cov_type="HAC", cov_kwds=settings)
    return fit.bse[0], fit.tvalues[0]


@pytest.mark.parametrize("lag", [0, 1, 7, 63, 499])
def test_stderr_and_t_agree_with_statsmodels(lag):
    x = 0.1 + autoregression(np.random.default_rng(1), 500, 0.4, 3)
    result = hac_mean(x, lag=lag)
    for i in range(3):
        stderr, t = statsmodels_stderr(x[:, i], lag)
        assert_allclose([result.stderr[i], result.t[i]], [stderr, t], rtol=1e-10)


def test_agrees_with_statsmodels_on_real_returns(shared_data):
    path = shared_data / "factors" / "ff5_mom_daily_1963-2026.parquet"
    x = pd.read_parquet(path).select_dtypes("number").to_numpy(np.float64)
    result = hac_mean(x)
    assert_array_equal(result.n_obs, len(x))
    for i in range(x.shape[1]):
        stderr, t = statsmodels_stderr(x[:, i], int(result.lag[i]))
        assert_allclose([result.stderr[i], result.t[i]], [stderr, t], rtol=1e-9)
        assert result.lag[i] == max(oracle.automatic_lag(x[:, i]), 3)


@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 0.7), lag=st.integers(0, 20))
def test_missing_values_keep_their_place_in_time(seed, share, lag):
    rng = np.random.default_rng(seed)
    x = autoregression(rng, 60, 0.5)[:, 0]
    x[rng.random(60) < share] = np.nan
    x[:3] = np.nan
    result = hac_mean(x, lag=lag)
    there = np.isfinite(x)
    if there.sum() >= 3:
        assert result.reason == ("",)
        assert_allclose(result.stderr, oracle.stderr(x, int(result.lag)), rtol=1e-9)
        assert_allclose(result.mean, x[there].mean(), rtol=1e-12)
        assert result.n_obs == there.sum()
        span = np.flatnonzero(there)[-1] - np.flatnonzero(there)[0] + 1
        assert result.lag == min(lag, span - 1)
        b = np.array((result.lag + 1) / span)
        assert_allclose(result.critical_5pct, fixed_b_critical_value(b))
        assert_allclose(result.p_value, fixed_b_p_value(result.t, b))


def test_a_missing_value_is_not_the_same_as_a_shorter_series():
    x = autoregression(np.random.default_rng(3), 400, 0.8)[:, 0]
    gappy = x.copy()
    gappy[1::2] = np.nan
    assert hac_mean(gappy, lag=1).stderr < 0.8 * hac_mean(gappy[::2], lag=1).stderr


def test_each_column_is_as_if_alone():
    rng = np.random.default_rng(4)
    x = autoregression(rng, 300, 0.3, 4)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[:, 2] = 1.0
    together = hac_mean(x, horizon=5)
    for i in range(4):
        alone = hac_mean(x[:, i], horizon=5)
        for field in ("mean", "stderr", "t", "lag", "p_value", "n_obs", "lower", "upper"):
            value = getattr(alone, field)
            assert value.shape == ()
            assert_allclose(getattr(together, field)[i], value, rtol=1e-12)


def test_automatic_lag_is_the_published_rule_and_at_least_three_horizons():
    rng = np.random.default_rng(5)
    for rho in (0.0, 0.3, 0.6, 0.9):
        x = autoregression(rng, 1500, rho)[:, 0]
        assert hac_mean(x, horizon=1).lag == max(oracle.automatic_lag(x), 3)
        assert hac_mean(x, horizon=21).lag == max(oracle.automatic_lag(x), 63)


def test_lag_never_exceeds_the_span():
    x = np.random.default_rng(6).standard_normal(30)
    assert hac_mean(x, horizon=63).lag == 29
    assert hac_mean(x, lag=500).lag == 29
    assert 0 < hac_mean(x, lag=500).p_value <= 1


def test_interval_is_the_mean_and_critical_values_of_stderr():
    x = 0.3 + autoregression(np.random.default_rng(8), 300, 0.4)[:, 0]
    r = hac_mean(x)
    assert_allclose([r.lower, r.upper], r.mean + r.critical_5pct * r.stderr * np.array([-1, 1]))
    assert (r.p_value < 0.05) == (abs(r.t) > r.critical_5pct)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-300, 1e300, -7.3])
def test_a_constant_series_has_no_t_and_says_so(value):
    r = hac_mean(np.full(100, value))
    assert_allclose(r.mean, value, rtol=1e-14)
    assert np.isnan([r.t, r.stderr, r.p_value, r.critical_5pct, r.lower, r.upper]).all()
    assert r.reason == ("the series is constant",)


def test_a_series_constant_but_for_rounding_has_no_t():
    x = 0.01 + 1e-16 * np.random.default_rng(0).standard_normal(100)
    assert hac_mean(x).reason == ("the series is constant",)
    assert hac_mean(0.01 + 1e6 * (x - 0.01)).reason == ("",)


def test_too_few_values_have_no_t_and_say_so():
    for x in (np.zeros(0), np.array([1.0]), np.array([1.0, 2.0]), np.full(9, np.nan)):
        r = hac_mean(x)
        assert np.isnan(r.t)
        assert r.reason == ("fewer than 3 observations",)
    assert np.isnan(hac_mean(np.full(9, np.nan)).mean)


def test_a_series_that_cancels_itself_has_no_t_and_says_so():
    x = np.tile([1.0, -1.0], 5)
    zero = hac_mean(np.concatenate([x, [np.nan] * 3]), lag=9)
    assert zero.reason[0] in ("", "the long-run variance is zero to rounding")
    assert (zero.reason[0] == "") == bool(zero.stderr > 0)


@given(seed=st.integers(0, 2**32 - 1), exponent=st.integers(-1000, 1000))
def test_scale_changes_nothing_but_the_unit(seed, exponent):
    x = 0.2 + np.random.default_rng(seed).standard_normal(50)
    plain, scaled = hac_mean(x), hac_mean(np.ldexp(x, exponent))
    assert scaled.t == plain.t
    assert scaled.lag == plain.lag
    assert scaled.stderr == np.ldexp(plain.stderr, exponent)


def test_a_large_mean_does_not_drown_the_deviations():
    x = np.random.default_rng(9).standard_normal(1000)
    assert_allclose(hac_mean(1e6 + x, lag=5).stderr, hac_mean(x, lag=5).stderr, rtol=1e-9)


def test_infinite_values_are_missing():
    x = np.random.default_rng(10).standard_normal(50)
    gappy, infinite = x.copy(), x.copy()
    gappy[[4, 20]], infinite[[4, 20]] = np.nan, [np.inf, -np.inf]
    assert hac_mean(infinite).t == hac_mean(gappy).t


def test_wrong_arguments_are_refused():
    with pytest.raises(ParameterError, match="shape"):
        hac_mean(np.zeros((2, 2, 2)))
    with pytest.raises(ParameterError, match="horizon=0"):
        hac_mean(np.zeros(5), horizon=0)
    with pytest.raises(ParameterError, match="lag=-1"):
        hac_mean(np.zeros(5), lag=-1)


N_WORLDS, N_BARS = 2000, 2000
WORLDS = [("ar", 0.0), ("ar", 0.25), ("ar", 0.5), ("sum", 5), ("sum", 21)]


def world(kind, parameter):
    """Return (T, worlds) values with mean zero, their horizon, and the true stderr of the mean."""
    rng = np.random.default_rng(2024)
    if kind == "ar":
        x = autoregression(rng, N_BARS, parameter, N_WORLDS)
        return x, 1, 1 / (1 - parameter) / np.sqrt(N_BARS)
    total = np.cumsum(rng.standard_normal((N_BARS + parameter, N_WORLDS)), axis=0)
    return total[parameter:] - total[:-parameter], parameter, parameter / np.sqrt(N_BARS)


@pytest.mark.parametrize(("kind", "parameter"), WORLDS)
def test_a_true_null_is_rejected_in_4_to_7_percent_of_worlds(kind, parameter):
    x, horizon, _ = world(kind, parameter)
    result = hac_mean(x, horizon=horizon)
    assert 0.04 <= (result.p_value < 0.05).mean() <= 0.07
    assert_array_equal(result.p_value < 0.05, np.abs(result.t) > result.critical_5pct)


@pytest.mark.parametrize(("kind", "parameter"), WORLDS)
def test_a_true_t_of_8_is_reported_within_5_percent(kind, parameter):
    x, horizon, stderr = world(kind, parameter)
    t = hac_mean(x + 8 * stderr, horizon=horizon).t
    assert abs(np.median(t) / 8 - 1) < 0.05


@pytest.mark.parametrize("step", [5, 7, 21])
def test_values_too_far_apart_to_overlap_are_not_taken_to(step):
    rng = np.random.default_rng(11)
    x = np.full((60 * step, 3), np.nan)
    x[::step] = rng.standard_normal((60, 3))
    horizon = min(step, 5)
    assert_allclose(hac_mean(x, lag=40, horizon=horizon).stderr, hac_mean(x, lag=40).stderr)


def test_with_gaps_the_share_is_that_of_the_pairs_that_are_there():
    rng = np.random.default_rng(12)
    x = rng.standard_normal(400)
    x[rng.random(400) < 0.4] = np.nan
    place = np.flatnonzero(np.isfinite(x))
    age = np.abs(place[:, None] - place[None, :])
    overlap = np.maximum(0, 5 - age) * (place[-1] - place[0] + 1) / (place[-1] - place[0] + 1 - age)
    kept = (overlap * np.maximum(0, 1 - age / 16)).sum() / overlap.sum()
    ratio = hac_mean(x, lag=15, horizon=5).stderr / hac_mean(x, lag=15).stderr
    assert_allclose(ratio, 1 / np.sqrt(kept), rtol=1e-12)


@pytest.mark.parametrize(("lag", "horizon"), [(0, 5), (4, 5), (15, 5), (63, 21), (20, 1)])
def test_overlap_divides_the_variance_by_the_share_that_the_weights_keep(lag, horizon):
    x = autoregression(np.random.default_rng(11), 300, 0.4)[:, 0]
    ratio = hac_mean(x, lag=lag, horizon=horizon).stderr / hac_mean(x, lag=lag).stderr
    assert_allclose(ratio, 1 / np.sqrt(oracle.kept_of_overlap(lag, horizon)), rtol=1e-12)
