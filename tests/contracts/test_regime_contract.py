"""What every regime of the room promises; an added file is tested without an edit here."""

import dataclasses
import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.regime import Regime, regimes
from tests.contracts.made_panels import axis, ragged_panel

CAUSAL = "a regime filters: no probability depends on a later bar"
FIRST_BAR = 1000


@pytest.fixture(params=list(regimes))
def regime(request) -> Regime:
    return regimes[request.param]()


def market_returns(n_bars: int, seed: int = 0) -> np.ndarray:
    """Return returns of two volatilities, each of some hundred bars, with gaps."""
    rng = np.random.default_rng(seed)
    loud = np.cumsum(rng.random(n_bars) < 0.01) % 2
    returns = 0.01 * (1 + 2 * loud) * rng.standard_normal(n_bars)
    returns[rng.random(n_bars) < 0.01] = np.nan
    return returns


@pytest.fixture
def returns(regime) -> np.ndarray:
    return market_returns(regime.warm_up + 200)


def test_the_room_is_not_empty():
    assert {"threshold", "gaussian_hmm"} <= set(regimes), "the room finds what is shipped"


def test_has_probabilities_of_labelled_states_once_warm(regime, returns):
    found = regime.probabilities(returns, first_bar=FIRST_BAR)
    labels = regime.labels
    assert len(set(labels)) == len(labels) >= 2, "a regime has two states or more, named apart"
    assert found.shape == (len(returns), len(labels)), "a probability for each bar and state"
    warm = found[regime.warm_up :]
    assert np.isfinite(warm).mean() > 0.9, "after its warm-up a regime has a state on most bars"
    has_state = np.isfinite(found).all(axis=1)
    assert_array_equal(has_state, np.isfinite(found).any(axis=1), err_msg="all states or none")
    assert_allclose(found[has_state].sum(axis=1), 1.0, rtol=1e-12, err_msg="they sum to 1")
    assert (found[has_state] >= 0).all(), "no probability is negative"
    assert len(np.unique(found[has_state].argmax(axis=1))) > 1, "a regime tells states apart"


def test_has_no_state_before_the_fewest_bars_it_needs(regime, returns):
    assert 1 <= regime.least_bars <= regime.warm_up + 1, "least_bars lies in 1 … warm_up + 1"
    early = regime.probabilities(returns, first_bar=FIRST_BAR)[: regime.least_bars - 1]
    assert not np.isfinite(early).any(), f"no state may exist before {regime.least_bars} bars"


def test_a_longer_series_never_changes_earlier_rows(regime, returns):
    whole = regime.probabilities(returns, first_bar=FIRST_BAR)
    for n_bars in (0, 1, 2, regime.least_bars, regime.warm_up, regime.warm_up + 57):
        part = regime.probabilities(returns[:n_bars], first_bar=FIRST_BAR)
        assert_array_equal(part, whole[:n_bars], err_msg=CAUSAL)


def test_other_returns_after_a_bar_change_nothing_at_or_before_it(regime, returns):
    whole = regime.probabilities(returns, first_bar=FIRST_BAR)
    other = market_returns(len(returns), seed=9)
    for cut in (regime.least_bars, regime.warm_up + 3, regime.warm_up + 120):
        mixed = np.concatenate([returns[: cut + 1], other[cut + 1 :]])
        found = regime.probabilities(mixed, first_bar=FIRST_BAR)
        assert_array_equal(found[: cut + 1], whole[: cut + 1], err_msg=CAUSAL)
    is_same = np.array_equal(found, whole, equal_nan=True)
    assert not is_same, "a regime depends on its returns: others give other states"


def test_rows_after_the_warm_up_have_the_bits_of_the_whole_series(regime, returns):
    whole = regime.probabilities(returns, first_bar=FIRST_BAR)
    for start, stop in ((1, None), (7, None), (53, -20), (130, None)):
        part = regime.probabilities(returns[start:stop], first_bar=FIRST_BAR + start)
        message = "a row depends on no bar further back than warm_up, to the last bit"
        expected = whole[start:stop][regime.warm_up :]
        assert_array_equal(part[regime.warm_up :], expected, err_msg=message)


def test_the_same_returns_give_the_same_bits(regime, returns):
    before = returns.copy()
    first = regime.probabilities(returns, first_bar=FIRST_BAR)
    assert_array_equal(regime.probabilities(returns, first_bar=FIRST_BAR), first)
    assert_array_equal(returns, before, err_msg="a regime never writes into its returns")


def test_infinite_constant_and_missing_returns_break_nothing(regime, returns):
    values = returns.copy()
    values[5::97] = np.inf
    values[11::101] = -np.inf
    for made in (values, np.zeros(len(values)), np.full(len(values), np.nan)):
        found = regime.probabilities(made, first_bar=FIRST_BAR)
        assert not np.isinf(found).any()
    assert np.isnan(found).all(), "a market without returns has no state"


def test_states_are_the_most_probable_of_a_panel(regime, returns):
    market = Panel({"return": returns[:, None]}, axis(len(returns)), ["M"], first_bar=FIRST_BAR)
    panel = regime.states(market)
    found = regime.probabilities(returns, first_bar=FIRST_BAR)
    names = {"state", *(f"probability_{label}" for label in regime.labels)}
    assert set(panel) == names
    assert (panel.assets, panel.first_bar) == (market.assets, FIRST_BAR)
    for s, label in enumerate(regime.labels):
        assert_array_equal(panel[f"probability_{label}"][:, 0], found[:, s])
    has_state = np.isfinite(found).all(axis=1)
    state = panel["state"][:, 0]
    assert_array_equal(np.isfinite(state), has_state)
    assert_array_equal(state[has_state], found[has_state].argmax(axis=1))


def test_a_panel_that_is_no_series_is_refused(regime):
    with pytest.raises(ParameterError, match="one series"):
        regime.states(ragged_panel(5).only(["return"]))
    with pytest.raises(MissingDataError, match="return"):
        regime.states(ragged_panel(5, 1).only(["close"]))


def test_is_a_final_frozen_dataclass_with_a_page_and_its_source(regime):
    cls = type(regime)
    assert getattr(cls, "__final__", False), "a regime's class is @final"
    assert cls.__dataclass_params__.frozen, "a regime's dataclass is frozen"
    assert regime.fingerprint == cls().fingerprint, "equal regimes have one fingerprint"
    page = inspect.getdoc(cls)
    assert page is not None, "a regime's docstring is its page"
    assert "References\n----------" in page, "a regime's page names its source"
    for field in dataclasses.fields(cls):
        is_told = f"{field.name} : " in page or f"{field.name}, " in page
        assert is_told, f"a regime's page explains each parameter; {field.name} is missing"
