import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.momentum import Momentum
from tests.contracts.made_panels import axis, names, ragged_panel
from tests.oracles import signals as oracle


@given(
    seed=st.integers(0, 2**32 - 1),
    skip=st.integers(0, 5),
    extra=st.integers(1, 10),
    n_bars=st.integers(0, 40),
)
def test_matches_the_loop(seed, skip, extra, n_bars):
    panel = ragged_panel(n_bars, 4, seed=seed)
    close = panel["close"].copy()
    close[3:6, 1] = [0.0, -3.0, np.inf][: len(close[3:6])]
    panel = panel.with_fields({"close": close})
    values = Momentum(lookback_bars=skip + extra, skip_bars=skip).compute(panel)
    assert_allclose(values, oracle.momentum(close, skip + extra, skip), rtol=1e-13, atol=1e-15)


def test_default_is_the_year_without_its_last_month():
    close = np.ones((300, 1))
    close[299 - 252], close[299 - 21] = 2.0, 3.0
    values = Momentum().compute(Panel({"close": close}, axis(300), names(1)))
    assert_allclose(values[299, 0], 0.5)
    assert np.isnan(values[:252]).all()
    assert np.isfinite(values[252:]).all()


def test_parameters_out_of_range_are_refused():
    for lookback, skip in ((21, 21), (5, 6), (5, -1)):
        with pytest.raises(ParameterError, match="skip_bars"):
            Momentum(lookback, skip)


def test_a_panel_without_close_is_refused():
    with pytest.raises(MissingDataError, match="close"):
        Momentum().compute(ragged_panel(5).only(["volume"]))
