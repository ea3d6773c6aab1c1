import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from plumbline.core.errors import ParameterError
from plumbline.factors.forward_returns import forward_returns
from tests.oracles import evaluation as oracle

PRICES = st.one_of(st.floats(0.01, 1e6), st.sampled_from([np.nan, np.inf, 0.0, -1.0]))


@given(close=arrays(np.float64, st.tuples(st.integers(0, 9), st.integers(1, 3)), elements=PRICES))
def test_matches_the_loop(close):
    horizons = (1, 2, 5, 20)
    forwards = forward_returns(close, horizons)
    for h, horizon in enumerate(horizons):
        for t in range(len(close)):
            assert_allclose(forwards[h, t], oracle.forward_return(close, t, horizon), rtol=1e-12)


def test_is_the_return_of_the_bars_after_the_row():
    close = np.array([[10.0], [11.0], [np.nan], [22.0]])
    assert_allclose(forward_returns(close, (1,))[0, :, 0], [0.1, np.nan, np.nan, np.nan])
    assert_allclose(forward_returns(close, (2,))[0, :, 0], [np.nan, 1.0, np.nan, np.nan])
    assert_allclose(forward_returns(close, (3,))[0, :, 0], [1.2, np.nan, np.nan, np.nan])


def test_a_horizon_of_no_bars_is_refused():
    with pytest.raises(ParameterError, match="at least 1"):
        forward_returns(np.ones((3, 1)), (0, 1))
