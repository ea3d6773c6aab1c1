import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.amihud import Amihud
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(1, 12),
    n_bars=st.integers(0, 50),
    scale=st.sampled_from([1e-9, 1.0, 1e9]),
    data=st.data(),
)
def test_matches_the_loop(seed, window, n_bars, scale, data):
    min_obs = data.draw(st.none() | st.integers(1, window))
    panel = ragged_panel(n_bars, 4, seed=seed)
    close, returns, volume = (panel[k].copy() for k in ("close", "return", "volume"))
    close[::9, 0], volume[::7, 1], returns[::11, 2] = 0.0, np.inf, np.inf
    close *= scale
    panel = panel.with_fields({"close": close, "return": returns, "volume": volume})
    needed = math.ceil(0.6 * window) if min_obs is None else min_obs
    expected = oracle.amihud(close, returns, volume, window, needed)
    assert_allclose(Amihud(window, min_obs).compute(panel), expected, rtol=1e-9, atol=1e-300)


def made(n_bars, **fields):
    wide = {name: np.full((n_bars, 1), value) for name, value in fields.items()}
    return Panel(wide, axis(n_bars), names(1))


def test_a_percent_for_each_two_millions_traded_is_half_a_percent_a_million():
    panel = made(30, **{"close": 20.0, "volume": 100_000.0, "return": -0.01})
    found = Amihud(21).compute(panel)
    assert_allclose(found[12:], 0.005, rtol=1e-12)
    assert np.isnan(found[:12]).all()


def test_bars_without_trading_do_not_count():
    panel = made(30, **{"close": 20.0, "volume": 100_000.0, "return": 0.01})
    volume = panel["volume"].copy()
    volume[10:18] = 0.0
    found = Amihud(20).compute(panel.with_fields({"volume": volume}))
    assert_allclose(found[20:], 0.005, rtol=1e-12)
    volume[10:] = 0.0
    assert np.isnan(Amihud(20).compute(panel.with_fields({"volume": volume}))[25:]).all()


def test_a_price_that_does_not_move_tells_nothing():
    panel = made(30, **{"close": 20.0, "volume": 100.0, "return": 0.0})
    assert np.isnan(Amihud(21).compute(panel)).all()


def test_a_traded_value_too_small_to_divide_by_is_left_out():
    panel = made(3, **{"close": 1e-300, "volume": 1e-300, "return": 0.01})
    assert np.isnan(Amihud(1).compute(panel)).all()


def test_parameters_out_of_range_are_refused():
    for parameters in ((0,), (20, 0), (20, 21)):
        with pytest.raises(ParameterError, match=r"must lie in .*Amihud"):
            Amihud(*parameters)
