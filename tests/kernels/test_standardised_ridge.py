"""Ridge on standardised factors is scikit-learn's, each series on its own rows of a window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels.standardised_ridge import standardised_ridge
from tests.oracles.ridge import ridge_of_window


def made(seed: int, n_rows: int, n_series: int, k: int, gaps: float):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.01, (n_rows, k)) * 10.0 ** rng.integers(-3, 4, k) + rng.normal(0, 1e-3, k)
    y = x @ rng.normal(size=(k, n_series)) + rng.normal(0, 0.01, (n_rows, n_series))
    y[:, rng.random(n_series) < 0.5] += 1.0
    y[rng.random(y.shape) < gaps] = np.nan
    x[rng.random(n_rows) < gaps / 4] = np.nan
    return y, x


@given(
    seed=st.integers(0, 2**32 - 1),
    n_series=st.integers(1, 5),
    k=st.integers(1, 6),
    gaps=st.sampled_from([0.0, 0.05, 0.4]),
    penalty=st.sampled_from([0.0, 1.0, 50.0]),
)
@settings(max_examples=50, deadline=None)
def test_fits_are_those_of_scikit_learn(seed, n_series, k, gaps, penalty):
    y, x = made(seed, 60, n_series, k, gaps)
    ends = np.array([0, 11, 29, 30, 59])
    fit = standardised_ridge(y, x, ends, 30, min_obs=12, penalty=np.full(k, penalty))
    for e, end in enumerate(ends):
        rows = slice(max(0, end - 29), end + 1)
        for s in range(n_series):
            n = (np.isfinite(y[rows, s]) & np.isfinite(x[rows]).all(axis=1)).sum()
            assert fit.n_obs[e, s] == n
            if n < 12:
                assert np.isnan(fit.beta[e, s]).all()
                assert np.isnan(fit.alpha[e, s])
                continue
            alpha, slopes, r2 = ridge_of_window(y[rows, s], x[rows], penalty)
            moves = np.nanstd(x, axis=0)
            assert_allclose(fit.beta[e, s] * moves, slopes * moves, rtol=1e-8, atol=1e-10)
            assert_allclose(fit.alpha[e, s], alpha, rtol=1e-8, atol=1e-9)
            assert_allclose(fit.r2[e, s], r2, rtol=1e-8, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), gaps=st.sampled_from([0.0, 0.2]))
@settings(max_examples=25, deadline=None)
def test_a_series_has_the_same_bits_beside_any_others_and_on_any_dates(seed, gaps):
    y, x = made(seed, 80, 9, 3, gaps)
    penalty = np.array([0.0, 1.0, 1.0])
    whole = standardised_ridge(y, x, np.arange(80), 25, min_obs=15, penalty=penalty)
    some = standardised_ridge(
        y[20:, [7, 2]], x[20:], np.arange(40, 59), 25, min_obs=15, penalty=penalty
    )
    for name in ("alpha", "beta", "r2", "n_obs"):
        assert_array_equal(getattr(whole, name)[60:79][:, [7, 2]], getattr(some, name), name)


def test_a_factor_that_does_not_move_gets_no_slope_or_no_fit():
    y, x = made(1, 40, 2, 2, 0.0)
    x[:, 1] = 0.1
    ends = np.array([39])
    fit = standardised_ridge(y, x, ends, 40, min_obs=20, penalty=np.array([1.0, 1.0]))
    assert (fit.beta[0, :, 1] == 0).all()
    assert_allclose(fit.beta[0, 0, 0], ridge_of_window(y[:, 0], x, 1.0)[1][0], rtol=1e-9)
    none = standardised_ridge(y, x, ends, 40, min_obs=20, penalty=np.array([1.0, 0.0]))
    assert np.isnan(none.beta).all()
    twice = np.repeat(x[:, :1], 2, axis=1)
    assert np.isnan(
        standardised_ridge(y, twice, ends, 40, min_obs=20, penalty=np.zeros(2)).beta
    ).all()


def test_windows_and_penalties_out_of_range_are_refused():
    y, x = made(1, 40, 2, 2, 0.0)
    with pytest.raises(ParameterError, match="penalties"):
        standardised_ridge(y, x, np.array([39]), 40, min_obs=20, penalty=np.array([1.0, -1.0]))
    with pytest.raises(ParameterError, match="min_obs=41"):
        standardised_ridge(y, x, np.array([39]), 40, min_obs=41, penalty=np.ones(2))
