import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.features.window import window_moments, window_sum


def ragged(seed, n_bars, n_assets=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_bars, n_assets)) * 10.0 ** rng.integers(-3, 4, n_assets)
    x[rng.random(x.shape) < 0.15] = np.nan
    x[rng.random(x.shape) < 0.03] = np.inf
    if n_assets > 2:
        x[:, 2] = np.round(x[:, 2])
    return x


def slow(x, window, t, a):
    values = x[max(t - window + 1, 0) : t + 1, a]
    return values[np.isfinite(values)]


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(1, 20),
    n_bars=st.integers(0, 50),
    first_bar=st.integers(-100, 100),
)
def test_sums_and_moments_match_the_loop(seed, window, n_bars, first_bar):
    x = ragged(seed, n_bars)
    total = window_sum(x, window, first_bar=first_bar)
    n_obs, mean, squares = window_moments(x, window, first_bar=first_bar)
    for t in range(n_bars):
        for a in range(3):
            values = slow(x, window, t, a)
            size = np.abs(values).sum() + 1e-30
            assert n_obs[t, a] == len(values)
            assert_allclose(total[t, a], values.sum(), atol=1e-14 * size)
            if len(values):
                assert_allclose(mean[t, a], values.mean(), atol=1e-14 * size)
                assert_allclose(
                    squares[t, a], len(values) * values.var(), rtol=1e-11, atol=1e-26 * size**2
                )
            else:
                assert mean[t, a] == squares[t, a] == 0.0


@given(
    seed=st.integers(0, 2**32 - 1),
    window=st.integers(1, 12),
    start=st.integers(0, 30),
    first_bar=st.integers(-50, 50),
)
def test_bits_of_full_windows_do_not_depend_on_where_the_data_begin_or_end(
    seed, window, start, first_bar
):
    x = ragged(seed, 60)
    whole = [
        *window_moments(x, window, first_bar=first_bar),
        window_sum(x, window, first_bar=first_bar),
    ]
    cut = x[start : start + 25]
    first = first_bar + start
    part = [*window_moments(cut, window, first_bar=first), window_sum(cut, window, first_bar=first)]
    for a, b in zip(whole, part, strict=True):
        assert_array_equal(b[window - 1 :], a[start + window - 1 : start + 25])


def test_an_outlier_leaves_no_trace_once_out_of_the_window():
    x = np.random.default_rng(0).standard_normal((400, 2))
    shocked = x.copy()
    shocked[100] = 1e15
    for function in (window_moments, window_sum):
        clean, after = function(x, 20), function(shocked, 20)
        assert_array_equal(np.stack([*after])[..., 120:, :], np.stack([*clean])[..., 120:, :])


def test_deviations_survive_a_large_mean():
    x = np.random.default_rng(1).standard_normal((300, 1))
    squares = window_moments(1e8 + x, 50).squares
    assert_allclose(squares[49:], window_moments(x, 50).squares[49:], rtol=1e-6)


def test_a_window_of_no_bars_is_refused():
    with pytest.raises(ParameterError, match="window=0"):
        window_sum(np.zeros((3, 1)), 0)
    with pytest.raises(ParameterError, match="window=-2"):
        window_moments(np.zeros((3, 1)), -2)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.integers(1, 20),
    longer=st.sampled_from([0, 1, 7, 60]),
    first_bar=st.integers(-100, 100),
)
def test_a_window_longer_than_the_panel_has_the_bits_it_has_among_more_bars(
    seed, n_bars, longer, first_bar
):
    x = ragged(seed, n_bars)
    window = n_bars + longer
    before, after = np.full((window, 3), np.nan), np.full((window, 3), np.nan)
    wide = np.concatenate([before, x, after])
    rows = slice(window, window + n_bars)
    assert_array_equal(
        window_sum(x, window, first_bar=first_bar),
        window_sum(wide, window, first_bar=first_bar - window)[rows],
    )
    narrow = window_moments(x, window, first_bar=first_bar)
    for part, whole in zip(
        narrow, window_moments(wide, window, first_bar=first_bar - window), strict=True
    ):
        assert_array_equal(part, whole[rows])


def test_a_window_of_a_billion_bars_takes_the_memory_of_the_panel():
    x = ragged(0, 30)
    assert_array_equal(window_sum(x, 10**9), np.cumsum(np.where(np.isfinite(x), x, 0.0), axis=0))
    assert window_moments(x, 10**9).n_obs[-1, 0] == np.isfinite(x[:, 0]).sum()
