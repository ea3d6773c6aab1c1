import numpy as np
import pytest
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.inference.fixed_b import fixed_b_critical_value, fixed_b_p_value
from tests.oracles import fixed_b as oracle


def test_b_of_zero_is_the_normal_law():
    t = np.array([0.0, 1.0, 1.959963984540054, 8.0])
    expected = [1.0, 0.3173105078629141, 0.05, 1.2441921148543578e-15]
    assert_allclose(fixed_b_p_value(t, np.zeros(4)), expected, rtol=1e-9)
    assert_allclose(fixed_b_critical_value(np.array(0.0)), 1.959963984540054, rtol=1e-12)


def test_critical_value_at_b_of_one_is_the_published_one():
    # Kiefer, Vogelsang and Bunzel: 4.771 at 97.5 % for a t with no truncation
    assert_allclose(fixed_b_critical_value(np.array(1.0)), 4.771, atol=0.003)


def test_critical_values_lie_by_the_published_polynomial():
    # Kiefer and Vogelsang (2005), Bartlett, 97.5 %, fitted to simulated quantiles
    b = np.array([0.02, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0])
    published = 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3
    assert_allclose(fixed_b_critical_value(b), published, rtol=0.015)


@pytest.mark.parametrize(("bandwidth", "n_obs"), [(12, 600), (60, 600), (180, 600), (600, 600)])
def test_probabilities_agree_with_the_exact_integral(bandwidth, n_obs):
    lambdas = oracle.eigenvalues(bandwidth, n_obs)
    b = np.array(bandwidth / n_obs)
    assert_allclose(fixed_b_critical_value(b), oracle.critical_value(lambdas), rtol=1e-3)
    for t in (0.5, 1.0, 2.0, 3.0, 5.0, 8.0):
        log_p = oracle.log_p_value(t, lambdas)
        assert_allclose(np.log(fixed_b_p_value(np.array(t), b)), log_p, rtol=0.01, atol=0.005)


def test_exact_integral_agrees_with_simulated_sums_of_chi_squares():
    rng = np.random.default_rng(7)
    lambdas = oracle.eigenvalues(30, 300)
    q = rng.chisquare(1, (20_000, 300)) @ lambdas
    t = np.abs(rng.standard_normal(20_000)) / np.sqrt(q)
    for c in (1.5, 2.3, 3.5):
        expected = np.exp(oracle.log_p_value(c, lambdas))
        assert abs((t > c).mean() - expected) < 4 * np.sqrt(expected / 20_000)


def test_p_value_falls_with_t_and_rises_with_b_far_into_the_tail():
    t = np.concatenate([np.linspace(0, 30, 301), [50.0, 100.0, 1e3, 1e6]])
    b = np.linspace(0, 1, 41)
    p = fixed_b_p_value(t[:, None], b[None, :])
    assert p[0].min() == 1.0
    assert np.all(np.diff(p, axis=0) <= 0)
    assert np.all(np.diff(p, axis=1) >= -2e-4)
    assert np.all((p >= 0) & (p <= 1))


def test_critical_value_is_where_the_p_value_is_the_level():
    b = np.linspace(0, 1, 11)
    for level in (0.01, 0.05, 0.10):
        assert_allclose(fixed_b_p_value(fixed_b_critical_value(b, level), b), level, rtol=1e-9)


def test_nan_stays_nan():
    assert np.isnan(fixed_b_p_value(np.array(np.nan), np.array(0.1)))
    assert np.isnan(fixed_b_critical_value(np.array(np.nan)))


def test_shares_outside_zero_to_one_are_refused():
    with pytest.raises(ParameterError, match=r"0 … 1"):
        fixed_b_p_value(np.array(2.0), np.array(1.5))
    with pytest.raises(ParameterError, match="level"):
        fixed_b_critical_value(np.array(0.1), 0.9)
