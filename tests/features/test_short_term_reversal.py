import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.features.signals.short_term_reversal import ShortTermReversal
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
    values = ShortTermReversal(skip + extra, skip).compute(panel.with_fields({"close": close}))
    expected = oracle.short_term_reversal(close, skip + extra, skip)
    assert_allclose(values, expected, rtol=1e-13, atol=1e-15)


def test_what_fell_over_the_month_ranks_above_what_rose():
    close = np.ones((30, 2))
    close[29] = 0.9, 1.1
    values = ShortTermReversal().compute(Panel({"close": close}, axis(30), names(2)))
    assert_allclose(values[29], [0.1, -0.1])
    assert np.isnan(values[:21]).all()


def test_the_latest_bars_can_be_left_out():
    close = np.ones((30, 1))
    panel = Panel({"close": close}, axis(30), names(1))
    close[29] = 2.0
    assert_array_equal(ShortTermReversal(5, 1).compute(panel)[29], 0.0)


def test_parameters_out_of_range_are_refused():
    for lookback, skip in ((21, 21), (5, 6), (5, -1)):
        with pytest.raises(ParameterError, match="skip_bars"):
            ShortTermReversal(lookback, skip)
