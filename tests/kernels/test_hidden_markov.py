import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels.hidden_markov import (
    HiddenMarkov,
    filtered_probabilities,
    fit_hidden_markov,
)
from tests.oracles import hidden_markov as oracle


def switching(n_bars: int, seed: int = 0, scale: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Return returns of two volatilities and the state, which lasts 50 bars on average."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_bars) < 0.02) % 2
    return scale * np.where(state == 1, 3.0, 1.0) * rng.standard_normal(n_bars), state


def made_model(rng: np.random.Generator, n_states: int) -> HiddenMarkov:
    transition = rng.dirichlet(np.ones(n_states), n_states)
    variance = np.sort(0.1 + rng.random(n_states))
    return HiddenMarkov(rng.standard_normal(n_states), variance, transition, 0.0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 7), st.integers(2, 3), st.booleans())
def test_filtered_probabilities_are_the_sums_over_all_paths(seed, n_bars, n_states, gaps):
    rng = np.random.default_rng(seed)
    model = made_model(rng, n_states)
    x = 2 * rng.standard_normal(n_bars)
    if gaps:
        x[rng.random(n_bars) < 0.3] = np.nan
    expected = oracle.filtered(x, model.mean, model.variance, model.transition)
    assert_allclose(filtered_probabilities(x, model), expected, rtol=1e-10, atol=1e-13)


@given(st.integers(0, 2**32 - 1), st.integers(6, 8), st.integers(1, 3))
def test_a_step_of_the_fit_is_that_of_all_paths(seed, n_bars, n_steps):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n_bars) * np.where(np.arange(n_bars) < 4, 1.0, 4.0)
    if seed % 2:
        x[2] = np.nan
    model = oracle.start(x, 2)
    for _ in range(n_steps):
        model = oracle.step(x, *model)
    found = fit_hidden_markov(x, 2, max_iterations=n_steps, tolerance=0.0)
    if found.n_iterations < n_steps or min(model[1]) < 1e-4:
        return  # it stands still, or a state shrinks to one value and is held
    order = np.argsort(model[1])
    assert_allclose(found.variance, np.array(model[1])[order], rtol=1e-7)
    assert_allclose(found.mean, np.array(model[0])[order], rtol=1e-7, atol=1e-9)
    expected = np.array(model[2])[order][:, order]
    assert_allclose(found.transition, expected, rtol=1e-7, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_more_steps_never_make_a_series_less_likely(seed):
    x = np.random.default_rng(seed).standard_t(3, 200)
    steps = (1, 2, 5, 20, 100)
    found = [fit_hidden_markov(x, 3, max_iterations=n, tolerance=0.0) for n in steps]
    assert (np.diff([model.log_likelihood for model in found]) > -1e-8).all()


def test_the_log_likelihood_is_that_of_all_paths():
    x, _ = switching(8)
    two = fit_hidden_markov(x, 2, max_iterations=2, tolerance=0.0)
    before = fit_hidden_markov(x, 2, max_iterations=1, tolerance=0.0)
    expected = oracle.log_likelihood(x, before.mean, before.variance, before.transition)
    assert two.log_likelihood == pytest.approx(expected, rel=1e-10)


def test_filter_and_fit_agree_with_statsmodels():
    regimes = pytest.importorskip("statsmodels.tsa.regime_switching.markov_regression")
    x = 100 * switching(1500, seed=3)[0]
    model = fit_hidden_markov(x, 2, tolerance=1e-12, max_iterations=2000)
    peer = regimes.MarkovRegression(x, k_regimes=2, switching_variance=True)
    moves = model.transition
    ours = peer.smooth(np.array([moves[0, 0], moves[1, 0], *model.mean, *model.variance]))
    found = filtered_probabilities(x, model)
    theirs = np.asarray(ours.filtered_marginal_probabilities)
    assert_allclose(found[300:], theirs[300:], atol=1e-10)  # it starts from the steady state
    best = peer.fit(disp=False)
    assert ours.llf > best.llf - 0.05, "the peak is that of the peer's optimiser"
    assert_allclose(np.sort(best.params[-2:]), model.variance, rtol=0.03)


def test_planted_states_are_found():
    x, state = switching(6000, seed=1)
    model = fit_hidden_markov(x[:4000], 2)
    assert_allclose(np.sqrt(model.variance), [0.01, 0.03], rtol=0.1)
    assert_allclose(np.diag(model.transition), 0.98, atol=0.012)
    told = filtered_probabilities(x[4000:], model).argmax(axis=1)
    assert (told == state[4000:]).mean() > 0.9


def test_a_filtered_probability_never_depends_on_later_bars():
    x, _ = switching(400)
    model = fit_hidden_markov(x, 2)
    whole = filtered_probabilities(x, model)
    for n_bars in (1, 7, 200, 399):
        assert_array_equal(filtered_probabilities(x[:n_bars], model), whole[:n_bars])


@pytest.mark.parametrize("unit", [1e-300, 1e-8, 1e8, 1e150])
def test_the_unit_of_the_series_does_not_matter(unit):
    x, _ = switching(500, scale=1.0)
    model, other = fit_hidden_markov(x, 2), fit_hidden_markov(x * unit, 2)
    assert_allclose(other.transition, model.transition, rtol=1e-6)
    assert_allclose(other.mean / unit, model.mean, rtol=1e-6, atol=1e-9)
    if 1e-100 < unit < 1e100:
        found = filtered_probabilities(x * unit, other)
        assert_allclose(found, filtered_probabilities(x, model), atol=1e-6)


def test_an_outlier_or_an_infinite_value_breaks_nothing():
    x, _ = switching(500)
    x[100], x[200], x[300] = 1e6, np.inf, np.nan
    model = fit_hidden_markov(x, 2)
    assert np.isfinite(model.variance).all()
    found = filtered_probabilities(np.append(x, [1e300, -1e300, np.inf]), model)
    assert_allclose(found.sum(axis=1), 1.0)
    gone = np.where(np.isinf(x), np.nan, x)
    assert_array_equal(fit_hidden_markov(gone, 2).variance, model.variance)


@pytest.mark.parametrize(
    "x", [[], [0.1], [0.1, 0.2, 0.3], [0.5] * 50, [0.0] * 50, [np.nan] * 50, [0.1] * 30]
)
def test_a_series_that_says_nothing_has_no_fit(x):
    model = fit_hidden_markov(np.array(x), 2)
    assert np.isnan(model.mean).all()
    assert np.isnan(filtered_probabilities(np.array(x), model)).all()


def test_what_is_asked_wrongly_is_told_all_at_once():
    with pytest.raises(ParameterError) as caught:
        fit_hidden_markov(np.zeros((3, 2)), True, tolerance=-1.0)
    assert all(word in str(caught.value) for word in ("shape", "n_states=True", "tolerance=-1"))
    for arguments in ({"n_states": 1}, {"n_states": 2, "max_iterations": 0}):
        with pytest.raises(ParameterError, match="at least"):
            fit_hidden_markov(np.zeros(5), **arguments)
