import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.low_volatility import LowVolatility
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(2, 15),
    n_bars=st.integers(0, 50),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
    data=st.data(),
)
def test_matches_the_loop(seed, window, n_bars, scale, data):
    min_obs = data.draw(st.none() | st.integers(2, window))
    panel = ragged_panel(n_bars, 4, seed=seed)
    values = panel["return"] * scale
    values[::7, 1] = np.inf
    values[:, 2] = scale
    signal = LowVolatility(window, min_obs)
    found = signal.compute(panel.with_fields({"return": values}))
    needed = max(math.ceil(0.6 * window), 2) if min_obs is None else min_obs
    expected = oracle.low_deviation(values, window, needed)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-300)


def test_reads_the_window_and_nothing_else():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 1))
    panel = Panel({"return": values}, axis(40), names(1))
    signal = LowVolatility(window_bars=12)
    base = signal.compute(panel)[30, 0]
    for row in range(40):
        changed = values.copy()
        changed[row] += 1.0
        value = signal.compute(panel.with_fields({"return": changed}))[30, 0]
        assert (value != base) == (30 - 12 + 1 <= row <= 30)


def test_calm_assets_rank_above_wild_ones_and_those_that_never_move_have_no_value():
    noise = np.random.default_rng(1).standard_normal((300, 1))
    values = np.hstack([0.01 * noise, 0.02 * noise, 0.0 * noise, 0.0 * noise + 0.1])
    found = LowVolatility().compute(Panel({"return": values}, axis(300), names(4)))
    assert 0 > found[-1, 0] > found[-1, 1]
    assert_allclose(found[-1, 1], 2 * found[-1, 0])
    assert np.isnan(found[:, 2:]).all()


def test_a_shock_leaves_no_trace_once_it_has_left_the_window():
    values = np.random.default_rng(2).standard_normal((60, 2))
    values[:, 1] = values[:, 0]
    values[5, 1] = 1e15
    found = LowVolatility(window_bars=10).compute(Panel({"return": values}, axis(60), names(2)))
    assert_array_equal(found[15:, 0], found[15:, 1])


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError, match=r"window_bars must .*; min_obs must"):
        LowVolatility(1, 1)
    for parameters in ((10_000_001,), (20, 1), (20, 21)):
        with pytest.raises(ParameterError, match=r"must lie in .*LowVolatility"):
            LowVolatility(*parameters)
