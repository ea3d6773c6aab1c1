"""Recursive regressions against one solution per asset and bar, and what must change no bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.regression.recursive_ls import RecursiveLS

from plumbline.core.errors import ParameterError
from plumbline.kernels.recursive_fit import RecursiveFit, RecursiveOptions, recursive_ols
from tests.oracles import recursive as oracle

KINDS = st.sampled_from(["plain", "constant", "tiny", "huge", "level", "late", "dead factor"])


def made(seed: int, kind: str, n_bars: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Return returns of four assets and two factors, with gaps."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_bars, 2))
    x[:, 1] += 0.9 * x[:, 0]
    y = x @ rng.standard_normal((2, 4)) + 0.5 * rng.standard_normal((n_bars, 4))
    match kind:
        case "constant":
            y[:, 1] = 0.25
        case "tiny":
            y, x = y * 1e-60, x * 1e-40
        case "huge":
            y, x = y * 1e60, x * 1e40
        case "level":
            y = y + 1e4
        case "late":
            y[: n_bars // 2, :2] = np.nan
        case "dead factor":
            x[: n_bars // 2, 1] = 0.0
    empty = rng.random(y.shape) < rng.choice([0.0, 0.05, 0.4])
    y[empty] = rng.choice([np.nan, np.inf, -np.inf], y.shape)[empty]
    x[rng.random(n_bars) < rng.choice([0.0, 0.1]), 0] = np.nan
    y[:, 3] = np.nan if seed % 3 == 0 else y[:, 3]
    return y, x


def drifts(x: np.ndarray, size: float) -> float:
    """Return a drift that means the same whatever the size of the factors."""
    return size / float(np.nanmax(np.abs(x)))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=KINDS,
    drift=st.sampled_from([0.0, 0.05, 1.0, 20.0]),
    forgetting=st.sampled_from([1.0, 0.97, 0.8]),
)
def test_coefficients_are_those_of_one_solution_per_bar(seed, kind, drift, forgetting):
    y, x = made(seed, kind)
    memory, first_bar, alpha_drift = 9 + seed % 12, seed % 401 - 200, 0.1 * (seed % 2)
    options = RecursiveOptions(
        beta_drift=drifts(x, drift),
        alpha_drift=alpha_drift,
        forgetting=forgetting,
        first_bar=first_bar,
    )
    found = recursive_ols(y, x, memory, options=options)
    steps = np.array([alpha_drift, options.beta_drift, options.beta_drift])
    least = math.ceil(0.6 * memory)
    beta, counts, r2 = oracle.recursive(y, x, memory, least, steps, forgetting, first_bar)
    size = np.nanmax(np.abs(np.where(np.isfinite(y), y, np.nan)), axis=0, initial=0.0)
    size[size == 0] = 1.0
    width = np.nanmax(np.abs(x), axis=0)
    assert_array_equal(found.n_obs, counts)
    assert_array_equal(np.isnan(found.alpha), np.isnan(beta[0]))
    assert_allclose(found.alpha / size, beta[0] / size, rtol=0, atol=1e-8)
    for k in range(2):
        share = width[k] / size
        assert_allclose(found.beta[k] * share, beta[k + 1] * share, rtol=1e-8, atol=1e-8)
    assert_array_equal(np.isnan(found.r2), np.isnan(r2))
    assert_allclose(found.r2, r2, rtol=1e-7, atol=1e-4 if kind == "level" else 1e-8)


def test_without_drift_and_forgetting_it_is_recursive_least_squares_of_statsmodels():
    y, x = (np.nan_to_num(v, nan=0.3, posinf=1.0, neginf=-1.0) for v in made(4, "plain", 60))
    found = recursive_ols(y, x, 60, min_obs=1)
    design = np.column_stack([np.ones(60), x])
    for a in range(4):
        if np.ptp(y[:, a]) > 0:
            peer = RecursiveLS(y[:, a], design).fit().recursive_coefficients.filtered
            assert_allclose(found.alpha[5:, a], peer[0, 5:], rtol=1e-5, atol=1e-8)
            assert_allclose(found.beta[:, 5:, a], peer[1:, 5:], rtol=1e-5, atol=1e-8)


def test_a_filter_with_a_wide_prior_gives_the_same_betas():
    """The textbook's covariance form, from a prior so wide that it says nothing."""
    y, x = (np.nan_to_num(v, nan=0.3, posinf=1.0, neginf=-1.0) for v in made(7, "plain", 40))
    found = recursive_ols(y, x, 40, options=RecursiveOptions(beta_drift=0.3, alpha_drift=0.1))
    design = np.column_stack([np.ones(40), x])
    noise = np.diag([0.1, 0.3, 0.3]) ** 2
    for a in range(4):
        state, spread = np.zeros(3), np.eye(3) * 1e7
        for t in range(40):
            spread = spread + noise if t else spread
            gain = spread @ design[t] / (1 + design[t] @ spread @ design[t])
            state = state + gain * (y[t, a] - design[t] @ state)
            spread = spread - np.outer(gain, design[t]) @ spread
        fitted = np.array([found.alpha[-1, a], *found.beta[:, -1, a]])
        assert_allclose(fitted, state, rtol=1e-5, atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1), kind=KINDS, cut=st.integers(0, 60), memory=st.integers(5, 13)
)
def test_a_row_has_the_same_bits_wherever_the_series_begins_and_ends(seed, kind, cut, memory):
    y, x = made(seed, kind, 60)
    drift = drifts(x, 0.2)

    def fit(rows: slice, columns: list[int]) -> RecursiveFit:
        options = RecursiveOptions(beta_drift=drift, forgetting=0.95, first_bar=700 + rows.start)
        return recursive_ols(y[rows][:, columns], x[rows], memory, min_obs=5, options=options)

    whole = fit(slice(0, 60), [0, 1, 2, 3])
    before, after = fit(slice(0, cut), [0, 1, 2, 3]), fit(slice(cut, 60), [2, 0])
    n_warm = 2 * memory - 1
    for name in ("alpha", "beta", "n_obs", "r2"):
        everything = getattr(whole, name)
        assert_array_equal(getattr(before, name), everything[..., :cut, :])
        expected = everything[..., cut:, :][..., n_warm:, :][..., [2, 0]]
        assert_array_equal(getattr(after, name)[..., n_warm:, :], expected)


def test_betas_that_move_are_followed():
    rng = np.random.default_rng(1)
    x = 0.01 * rng.standard_normal((3000, 1))
    beta = 1 + np.cumsum(0.01 * rng.standard_normal(3000))
    y = (x[:, 0] * beta + 0.01 * rng.standard_normal(3000))[:, None]
    moving = recursive_ols(y, x, 500, options=RecursiveOptions(beta_drift=1.0))
    fixed = recursive_ols(y, x, 500)
    error = [np.sqrt(np.nanmean((f.beta[0, 600:, 0] - beta[600:]) ** 2)) for f in (moving, fixed)]
    assert error[0] < 0.8 * error[1]


def test_dependent_factors_have_no_fit():
    y, x = made(2, "plain")
    for options in (RecursiveOptions(beta_drift=0.5), RecursiveOptions(forgetting=0.9)):
        found = recursive_ols(y, np.column_stack([x[:, 1], x[:, 1]]), 10, options=options)
        assert np.isnan(found.alpha).all()


def test_no_rows_and_no_assets_give_a_result_of_their_shape():
    assert recursive_ols(np.empty((0, 3)), np.empty((0, 1)), 10).beta.shape == (1, 0, 3)
    assert recursive_ols(np.empty((5, 0)), np.ones((5, 1)), 10).alpha.shape == (5, 0)


def test_every_bad_argument_is_named_at_once():
    options = RecursiveOptions(alpha_drift=-1, beta_drift=math.nan, forgetting=0.0)
    with pytest.raises(ParameterError) as caught:
        recursive_ols(np.ones(4), np.ones((5, 0)), 1, min_obs=9, options=options)
    for word in (
        "y has",
        "no factor",
        "min_obs",
        "alpha_drift",
        "beta_drift",
        "forgetting",
        "memory",
    ):
        assert word in str(caught.value)
    with pytest.raises(ParameterError, match="whole number"):
        recursive_ols(np.ones((5, 1)), np.ones((5, 1)), True)
