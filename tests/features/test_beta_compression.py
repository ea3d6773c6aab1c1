import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.beta_compression import BetaCompression
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(2, 15),
    n_bars=st.integers(0, 50),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    data=st.data(),
)
def test_matches_the_loop(seed, window, n_bars, scale, data):
    min_obs = data.draw(st.none() | st.integers(2, window))
    panel = ragged_panel(n_bars, 4, seed=seed)
    beta = 1 + (panel["beta_size"] - 1) * scale
    beta[::7, 1] = np.inf
    panel = panel.with_fields({"beta_size": beta})
    needed = max(math.ceil(0.6 * window), 2) if min_obs is None else min_obs
    found = BetaCompression("size", window, min_obs).compute(panel)
    expected = oracle.beta_compression(beta, window, needed)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * scale)


def test_a_beta_that_comes_nearer_to_one_from_either_side_is_compressed():
    beta = np.full((300, 3), [1.5, 0.5, 1.5])
    beta[299] = 1.1, 0.9, 1.9
    found = BetaCompression().compute(Panel({"beta_market": beta}, axis(300), names(3)))
    assert_allclose(found[298], 0.0, atol=1e-12)
    assert_allclose(found[299, 0], found[299, 1])
    assert_allclose(found[299], 0.4 * np.array([1, 1, -1]) * 251 / 252)


def test_a_missing_beta_has_no_value_and_is_left_out_of_the_mean():
    beta = np.full((60, 1), 1.5)
    beta[40] = np.nan
    found = BetaCompression(window_bars=20).compute(
        Panel({"beta_market": beta}, axis(60), names(1))
    )
    assert np.isnan(found[40])
    assert_allclose(found[41:], 0.0, atol=1e-12)


def test_it_reads_the_beta_of_its_factor():
    assert BetaCompression("size").requires() == {"beta_size"}


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError, match=r"window_bars .*; min_obs .*; factor must be a name"):
        BetaCompression("", 1, 1)
