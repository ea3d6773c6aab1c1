import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.volume_surprise import VolumeSurprise
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    short=st.integers(1, 5),
    extra=st.integers(1, 12),
    n_bars=st.integers(0, 50),
    data=st.data(),
)
def test_matches_the_loop(seed, short, extra, n_bars, data):
    long = short + extra
    min_obs = data.draw(st.none() | st.integers(2, long))
    panel = ragged_panel(n_bars, 4, seed=seed)
    volume = panel["volume"].copy()
    volume[::5, 1] = 0.0
    volume[1::6, 1] = [np.inf, -1.0, np.nan][seed % 3]
    volume[:, 2] = 1e12
    panel = panel.with_fields({"volume": volume})
    needed = max(math.ceil(0.6 * long), 2) if min_obs is None else min_obs
    expected = oracle.volume_surprise(volume, short, long, needed)
    found = VolumeSurprise(short, long, min_obs).compute(panel)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_the_latest_bars_are_none_of_those_they_are_compared_with():
    volume = np.exp(np.random.default_rng(0).standard_normal((40, 1)))
    panel = Panel({"volume": volume}, axis(40), names(1))
    signal = VolumeSurprise(short_bars=2, long_bars=10)
    louder = volume.copy()
    louder[30] *= np.e
    risen = signal.compute(panel.with_fields({"volume": louder}))[30, 0]
    usual = np.log(volume[30 - 11 : 29, 0])
    rise = risen - signal.compute(panel)[30, 0]
    assert_allclose(rise, 0.5 / usual.std(ddof=1), rtol=1e-12)


def test_a_bar_without_trading_has_no_surprise_and_is_passed_over_later():
    volume = np.exp(np.random.default_rng(1).standard_normal((100, 1)))
    volume[80] = 0.0
    found = VolumeSurprise().compute(Panel({"volume": volume}, axis(100), names(1)))
    assert np.isnan(found[80])
    assert np.isfinite(found[[79, *range(81, 100)]]).all()


def test_volume_that_never_changes_has_no_surprise():
    volume = np.full((100, 1), 12_345.0)
    volume[99] = 1e9
    found = VolumeSurprise().compute(Panel({"volume": volume}, axis(100), names(1)))
    assert np.isnan(found).all()


def test_parameters_out_of_range_are_refused_all_at_once():
    with pytest.raises(ParameterError, match=r"need 1 <= short_bars.*; min_obs must"):
        VolumeSurprise(0, 63, 64)
    for parameters in ((21, 21), (1, 10_000_001), (1, 20, 1)):
        with pytest.raises(ParameterError, match="VolumeSurprise"):
            VolumeSurprise(*parameters)
