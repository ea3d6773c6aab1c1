import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.value_against_beta import ValueAgainstBeta
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    skip=st.integers(0, 5),
    extra=st.integers(1, 10),
    n_bars=st.integers(0, 40),
    n_assets=st.integers(1, 9),
)
def test_matches_the_loop(seed, skip, extra, n_bars, n_assets):
    panel = ragged_panel(n_bars, n_assets, seed=seed)
    close = panel["close"].copy()
    close[3:6, 0] = [0.0, -3.0, np.inf][: len(close[3:6])]
    beta = panel["beta_size"].copy()
    beta[::5] = 1.0  # the same for all
    beta[1::6, 0] = np.inf
    panel = panel.with_fields({"close": close, "beta_size": beta})
    found = ValueAgainstBeta(skip + extra, skip, "size").compute(panel)
    expected = oracle.value_against_beta(close, beta, skip + extra, skip)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_what_lost_more_than_its_beta_explains_ranks_first():
    beta = np.tile(np.linspace(0.5, 1.5, 11), (20, 1))
    close = np.ones((20, 11))
    close[10:] = np.exp(-0.3 * beta[10:])
    close[10:, 4] *= 0.8
    panel = Panel({"close": close, "beta_market": beta}, axis(20), names(11))
    found = ValueAgainstBeta(12, 2).compute(panel)
    assert np.argmax(found[-1]) == 4
    assert_allclose(found[12:].sum(axis=1), 0.0, atol=1e-12)
    assert_allclose((found * beta)[12:].sum(axis=1), 0.0, atol=1e-12)


def test_what_the_betas_explain_alone_leaves_nothing():
    beta = np.tile(np.linspace(0.5, 1.5, 11), (20, 1))
    close = np.ones((20, 11))
    close[10:] = np.exp(-0.3 * beta[10:])
    panel = Panel({"close": close, "beta_market": beta}, axis(20), names(11))
    assert_allclose(ValueAgainstBeta(12, 2).compute(panel)[12:], 0.0, atol=1e-12)


def test_prices_that_stand_still_leave_exactly_nothing():
    panel = ragged_panel(30).with_fields({"close": np.full((30, 6), 7.0)})
    found = ValueAgainstBeta(5, 1).compute(panel)
    assert_array_equal(found[np.isfinite(found)], 0.0)


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError, match=r"need 0 <= skip_bars.*; factor must be a name"):
        ValueAgainstBeta(252, 252, "")
