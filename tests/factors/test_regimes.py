import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.regime import equal_weight_return, state_labels, state_table
from plumbline.factors.regimes.gaussian_hmm import GaussianHMM
from plumbline.factors.regimes.threshold import Threshold
from plumbline.kernels.hidden_markov import filtered_probabilities, fit_hidden_markov
from tests.contracts.made_panels import axis, names
from tests.oracles import regimes as oracle


def planted(n_bars: int, seed: int = 0, ratio: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Return returns of two volatilities and the state, which lasts 100 bars on average."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random(n_bars) < 0.01) % 2
    return 0.01 * np.where(state == 1, ratio, 1.0) * rng.standard_normal(n_bars), state


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(0, 40),
    measure=st.sampled_from(["volatility", "trend"]),
    window=st.integers(2, 6),
    lookback=st.integers(2, 15),
)
def test_thresholds_match_the_loop(seed, n_bars, measure, window, lookback):
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal(n_bars)
    returns[rng.random(n_bars) < 0.2] = np.nan
    regime = Threshold(measure, window, lookback, 0.4, 0.8)
    found = regime.probabilities(returns, first_bar=1234)
    for t in range(n_bars):
        state = oracle.threshold_state(returns, t, measure, window, lookback, (0.4, 0.8))
        expected = np.full(3, np.nan) if np.isnan(state) else np.eye(3)[int(state)]
        assert_array_equal(found[t], expected)


def test_a_turbulent_market_is_turbulent_and_a_rising_one_rises():
    returns, state = planted(4000, ratio=6.0)
    volatility = Threshold(window_bars=10, lookback_bars=1000, lower=0.3, upper=0.5)
    told = volatility.probabilities(returns)[1500:]
    settled = np.convolve(np.abs(np.diff(state, prepend=state[0])), np.ones(10))[: len(state)] == 0
    loud = told[:, 2] == 1
    assert loud[(state == 1)[1500:] & settled[1500:]].mean() > 0.8
    trend = Threshold("trend", window_bars=20, lookback_bars=200, lower=0.2, upper=0.8)
    drift = np.concatenate([returns[:1000] * 0.1, np.full(50, 0.05), np.full(50, -0.05)])
    labels = [trend.labels[s] for s in np.nan_to_num(trend.probabilities(drift)).argmax(axis=1)]
    assert (labels[1025], labels[1095]) == ("rising", "falling")


def test_planted_states_are_filtered_from_the_past_alone():
    returns, state = planted(5000)
    regime = GaussianHMM(fit_bars=1500, refit_bars=250)
    found = regime.probabilities(returns)
    told = found[1500:].argmax(axis=1)
    assert np.isfinite(found[1500:]).all()
    assert (told == state[1500:]).mean() > 0.9


def test_each_bar_takes_the_fit_that_ended_before_its_anchor():
    returns, _ = planted(900)
    regime = GaussianHMM(fit_bars=300, refit_bars=100)
    first_bar = 1040  # fits on bars 1100, 1200, …: rows 60, 160, …
    found = regime.probabilities(returns, first_bar=first_bar)
    for row in (360, 400, 459, 460, 899):
        anchor = (first_bar + row) // 100 * 100 - first_bar
        model = fit_hidden_markov(returns[anchor - 300 : anchor], 2)
        expected = filtered_probabilities(returns[anchor - 300 : row + 1], model)[-1]
        assert_array_equal(found[row], expected)


def test_a_shock_is_not_in_the_parameters_that_judge_it():
    returns, _ = planted(700)
    regime = GaussianHMM(fit_bars=300, refit_bars=100)
    before = regime.probabilities(returns)
    returns[650] = 0.5
    after = regime.probabilities(returns)
    assert_array_equal(after[:650], before[:650])
    assert after[650, 1] > 0.99


def test_states_keep_their_order_whatever_the_fit():
    returns, _ = planted(3000, seed=4)
    found = GaussianHMM(n_states=3, fit_bars=600, refit_bars=200).probabilities(returns)
    there = np.isfinite(found).all(axis=1)
    spread = [returns[there][found[there].argmax(axis=1) == s].std() for s in range(3)]
    assert spread == sorted(spread)


def test_smoothed_states_are_refused_with_the_reason():
    with pytest.raises(ParameterError, match="smoothed state reads the bars after its own"):
        GaussianHMM(smoothed=True)
    assert not hasattr(GaussianHMM(), "smooth")


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError) as caught:
        GaussianHMM(n_states=1, fit_bars=3, refit_bars=0, max_iterations=0)
    for name in ("n_states", "fit_bars", "refit_bars", "max_iterations"):
        assert name in str(caught.value)
    with pytest.raises(ParameterError) as caught:
        Threshold(window_bars=1, lookback_bars=1, lower=0.9, upper=0.5)
    for name in ("window_bars", "lookback_bars", "lower < upper"):
        assert name in str(caught.value)


def test_the_market_is_the_mean_of_its_members():
    values = np.array([[0.1, 0.3, np.nan], [np.nan, np.nan, np.nan], [0.2, np.inf, 0.4]])
    returns = Panel({"return": values}, axis(3), names(3), first_bar=7)
    market = equal_weight_return(returns)
    assert_allclose(market["return"][:, 0], [0.2, np.nan, 0.3])
    assert (market.assets, market.first_bar) == (("equal_weight",), 7)
    members = returns.with_fields({"member": np.array([[0.0, 1, 1], [1, 1, 1], [1, 1, 0]])})
    assert_allclose(equal_weight_return(returns, members)["return"][:, 0], [0.3, np.nan, 0.2])


def test_the_table_of_states_has_the_bars_that_have_one():
    fields = {
        "vol": [[0.0], [np.nan], [1.0]],
        "vol:calm": [[0.8], [np.nan], [0.3]],
        "vol:turbulent": [[0.2], [np.nan], [0.7]],
    }
    panel = Panel(fields, axis(3), ["market"])
    labels = ("calm", "turbulent")
    assert state_labels(panel["vol"][:, 0], labels) == ["calm", None, "turbulent"]
    table = state_table("vol", panel, labels)
    assert table.columns == ["bar_close", "regime", "state", "probability"]
    assert table.select("regime", "state", "probability").rows() == [
        ("vol", "calm", 0.8),
        ("vol", "turbulent", 0.7),
    ]
