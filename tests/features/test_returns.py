import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.features.returns import positive_prices, simple_returns
from tests.oracles import signals as oracle

PRICES = st.one_of(
    st.floats(1e-300, 1e300),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 10.0, 1e-320, 1.7e308]),
)


@given(close=arrays(np.float64, st.tuples(st.integers(0, 8), st.integers(1, 3)), elements=PRICES))
def test_simple_returns_match_the_loop_on_any_prices(close):
    returns = simple_returns(close)
    assert not np.isinf(returns).any()
    for t in range(close.shape[0]):
        for a in range(close.shape[1]):
            expected = oracle.simple_return(close[:, a], t) if t else np.nan
            expected = expected if np.isfinite(expected) else np.nan
            assert_allclose(returns[t, a], expected, rtol=1e-12, atol=1e-15)


def test_first_row_is_missing_and_a_gap_takes_two_returns():
    close = np.array([[10.0], [11.0], [np.nan], [12.0], [12.6]])
    assert_allclose(simple_returns(close)[:, 0], [np.nan, 0.1, np.nan, np.nan, 0.05])


def test_prices_are_copied_and_bad_ones_become_nan():
    close = np.array([[1.0, 0.0, -2.0, np.inf, np.nan]])
    assert_array_equal(positive_prices(close), [[1.0, np.nan, np.nan, np.nan, np.nan]])
    assert close[0, 1] == 0.0
