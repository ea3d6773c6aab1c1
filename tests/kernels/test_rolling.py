"""Rolling statistics against windows one by one, and what must change no bit of them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline import kernels
from plumbline.core.errors import ParameterError
from tests.oracles import rolling as oracle

VALUES = ("distinct", "ties", "close", "constant", "tiny", "huge", "level", "outlier", "walk")
WINDOWS = (1, 2, 3, 7, 20, 64, 200)


def made(seed: int, kind: str, n_bars: int = 70, n_assets: int = 3) -> np.ndarray:
    """Return values of a kind, with gaps, infinities, a late start and an empty asset."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_bars, n_assets))
    match kind:
        case "ties":
            values = np.round(values * 1.5)
        case "close":  # a few units in the last place apart, some equal
            values = np.nextafter(1.0, 2.0) + rng.integers(-40, 40, values.shape) * 2.0**-52
        case "constant":
            values[10:] = 0.1
        case "tiny":
            values *= 1e-90
        case "huge":
            values *= 1e90
        case "level":
            values += 1e6
        case "outlier":
            values[rng.integers(n_bars)] = 1e6
        case "walk":
            values = np.cumsum(values, axis=0)
    empty = rng.random(values.shape) < rng.choice([0.0, 0.05, 0.5])
    values[empty] = rng.choice([np.nan, np.inf, -np.inf], values.shape)[empty]
    values[: rng.integers(n_bars), 0] = np.nan
    if seed % 5 == 0:
        values[:, 1] = np.nan
    return values


def least(window: int, seed: int) -> int:
    return int(np.random.default_rng(seed).integers(1, window + 1))


def scale_of(x: np.ndarray, window: int) -> np.ndarray:
    """Return the largest value of each window, which rounding is measured against."""
    return oracle.rolling(lambda v: float(np.abs(v).max()), window, 1, x)


ragged = given(
    seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(VALUES), window=st.sampled_from(WINDOWS)
)


@ragged
def test_moments_are_those_of_every_window(seed, kind, window):
    x, min_obs = made(seed, kind), least(window, seed)
    found = kernels.rolling_moments(
        x, window, min_obs=min_obs, first_bar=seed % 97, skew=True, counts=True
    )
    mean, std, skew = (
        oracle.rolling(f, window, min_obs, x) for f in (oracle.mean, oracle.std, oracle.skew)
    )
    size = scale_of(x, window)
    assert_array_equal(np.isnan(found.mean), np.isnan(mean))
    assert not (np.abs(found.mean - mean) > 1e-15 * (2 + window) * size).any()
    assert_array_equal(np.isnan(found.std), np.isnan(std))
    assert_allclose(found.std, std, rtol=1e-12, atol=0)
    assert_array_equal(found.n_obs, oracle.rolling(len, window, 0, x))
    assert_array_equal(np.isnan(found.skew), np.isnan(skew))
    assert_allclose(found.skew, skew, rtol=1e-9, atol=1e-9)
    single = (kernels.rolling_mean, kernels.rolling_std, kernels.rolling_skew)
    for function, figure in zip(single, (found.mean, found.std, found.skew), strict=True):
        again = function(x, window, min_obs=min_obs, first_bar=seed % 97)
        assert_array_equal(again, figure)


@ragged
def test_extremes_and_quantiles_are_those_of_every_window(seed, kind, window):
    x, min_obs = made(seed, kind), least(window, seed)
    q = [0.5, 0.0, 1.0, 0.1, 0.9]
    found = kernels.rolling_quantile(x, q, window, min_obs=min_obs, first_bar=seed % 97)
    size = scale_of(x, window)
    for k, p in enumerate(q):
        expected = oracle.rolling(oracle.quantile(p), window, min_obs, x)
        assert_array_equal(np.isnan(found[k]), np.isnan(expected))
        assert not (np.abs(found[k] - expected) > 4e-16 * size).any()
    low, high = kernels.rolling_extremes(x, window, min_obs=min_obs, first_bar=seed % 89)
    assert_array_equal(low, found[1])
    assert_array_equal(high, found[2])
    assert_array_equal(kernels.rolling_median(x, window, min_obs=min_obs), found[0])
    assert_array_equal(kernels.rolling_min(x, window, min_obs=min_obs), low)
    assert_array_equal(kernels.rolling_max(x, window, min_obs=min_obs), high)


@ragged
def test_ranks_and_decayed_means_are_those_of_every_window(seed, kind, window):
    x, min_obs = made(seed, kind), least(window, seed)
    ranks = kernels.rolling_rank(x, window, min_obs=min_obs)
    assert_array_equal(ranks, oracle.rolling_rank(x, window, min_obs))
    half_life = 0.3 + seed % 40
    mean = kernels.ewma(x, half_life, window=window, min_obs=min_obs, first_bar=seed % 97)
    expected = oracle.ewma(x, half_life, window, min_obs)
    assert_array_equal(np.isnan(mean), np.isnan(expected))
    size = scale_of(x, window)
    assert not (np.abs(mean - expected) > 1e-15 * (4 + window) * size).any()


@ragged
def test_correlation_and_slope_are_those_of_every_window(seed, kind, window):
    x, y = made(seed, kind), made(seed + 1, "distinct")
    min_obs = least(window, seed)
    for other in (y, y[:, 2]):
        wide = other.reshape(len(x), -1)
        found = kernels.rolling_corr(x, other, window, min_obs=min_obs, first_bar=seed % 97)
        expected = oracle.rolling(oracle.corr, window, min_obs, x, wide)
        assert_array_equal(np.isnan(found), np.isnan(expected))
        assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
        found = kernels.rolling_beta(x, other, window, min_obs=min_obs, first_bar=seed % 97)
        expected = oracle.rolling(oracle.beta, window, min_obs, x, wide)
        assert_array_equal(np.isnan(found), np.isnan(expected))
        size = scale_of(x, window) / oracle.rolling(oracle.std, window, 2, y)
        assert not (np.abs(found - expected) > 1e-10 * np.fmax(size, np.abs(expected))).any()


FUNCTIONS = {
    "moments": lambda x, w, **k: np.stack(
        kernels.rolling_moments(x, w, skew=True, counts=True, **k)
    ),
    "extremes": lambda x, w, **k: np.stack(kernels.rolling_extremes(x, w, **k)),
    "quantile": lambda x, w, **k: kernels.rolling_quantile(x, [0.2, 0.7], w, **k),
    "rank": lambda x, w, **k: kernels.rolling_rank(x, w, **k)[None],
    "corr": lambda x, w, **k: kernels.rolling_corr(x, x[:, ::-1], w, **k)[None],
    "beta": lambda x, w, **k: kernels.rolling_beta(x, x[:, ::-1], w, **k)[None],
    "ewma": lambda x, w, **k: kernels.ewma(x, 5.0, window=w, **k)[None],
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(VALUES),
    window=st.sampled_from(WINDOWS),
    start=st.integers(0, 69),
    stop=st.integers(1, 70),
)
def test_a_piece_has_the_bits_of_the_whole(name, seed, kind, window, start, stop):
    x, first_bar = made(seed, kind), seed % 1000 - 500
    whole = FUNCTIONS[name](x, window, min_obs=1, first_bar=first_bar)
    if start >= stop:
        return
    piece = FUNCTIONS[name](x[start:stop], window, min_obs=1, first_bar=first_bar + start)
    whole_windows = start + window - 1 if start else 0
    skipped = max(whole_windows - start, 0)
    assert_array_equal(piece[:, skipped:], whole[:, start + skipped : stop])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_memory_layout_and_neighbours_change_no_bit(name):
    x = made(3, "walk", 300, 11)
    expected = FUNCTIONS[name](x, 40, min_obs=3)
    assert_array_equal(FUNCTIONS[name](np.asfortranarray(x), 40, min_obs=3), expected)
    strided = np.full((600, 22), 7.0)
    strided[::2, ::2] = x
    assert_array_equal(FUNCTIONS[name](strided[::2, ::2], 40, min_obs=3), expected)
    if name not in ("corr", "beta"):
        for a in (0, 7, 10):
            assert_array_equal(FUNCTIONS[name](x[:, a : a + 1], 40, min_obs=3), expected[..., [a]])


@given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.sampled_from([8, 11, 16, 37]),
    window=st.sampled_from([1, 2, 7, 20, 33]),
    n_gaps=st.sampled_from([0, 0, 1, 5]),
    scale=st.sampled_from([1.0, 1e-160, 1e160, 1e308]),
)
def test_assets_beside_each_other_have_the_bits_of_each_alone(
    seed, n_assets, window, n_gaps, scale
):
    rng = np.random.default_rng(seed)
    x = scale * np.clip(np.cumsum(rng.standard_normal((150, n_assets)), axis=0) / 20, -1.5, 1.5)
    x.flat[rng.integers(0, x.size, n_gaps)] = rng.choice([np.nan, np.inf])
    for counts in (False, True):
        options = {"min_obs": least(window, seed), "first_bar": seed % 97, "counts": counts}
        found = kernels.rolling_moments(x, window, **options)
        for a in range(n_assets):
            alone = kernels.rolling_moments(x[:, a], window, **options)
            for figure, single in zip(found, alone, strict=True):
                if single is not None:
                    assert_array_equal(figure[:, a], single)
    for name in ("extremes", "ewma"):
        found = FUNCTIONS[name](x, window, min_obs=1, first_bar=seed % 97)
        for a in range(n_assets):
            alone = FUNCTIONS[name](x[:, [a]], window, min_obs=1, first_bar=seed % 97)
            assert_array_equal(found[..., [a]], alone)
    mean = kernels.rolling_mean(x, window, min_obs=1)
    assert_array_equal(mean, kernels.rolling_moments(x, window, min_obs=1).mean)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_left_the_window_leaves_no_trace(name):
    x = made(4, "distinct", 300, 3)
    clean = FUNCTIONS[name](x, 30, min_obs=2)
    x[100] = 1e12
    assert_array_equal(FUNCTIONS[name](x, 30, min_obs=2)[:, 130:], clean[:, 130:])
    assert_array_equal(FUNCTIONS[name](x, 30, min_obs=2)[:, :100], clean[:, :100])


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (0,)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_gives_nothing(name, shape):
    if len(shape) == 2 or name not in ("corr", "beta"):
        assert FUNCTIONS[name](np.zeros(shape), 5).shape[1:] == shape


def test_one_series_needs_no_second_axis():
    x = made(2, "walk")[:, 2]
    assert_array_equal(kernels.rolling_mean(x, 5), kernels.rolling_mean(x[:, None], 5)[:, 0])
    assert kernels.rolling_quantile(x, [0.1, 0.2], 5).shape == (2, 70)
    assert kernels.rolling_corr(x, x, 5).shape == (70,)


@pytest.mark.parametrize("window", [20, 288])
def test_pandas_agrees_where_its_running_sums_keep_their_digits(window):
    x = made(6, "walk", 2000, 4)
    frame = pd.DataFrame(np.where(np.isfinite(x), x, np.nan))
    rolled = frame.rolling(window, min_periods=math.ceil(0.6 * window))
    found = kernels.rolling_moments(x, window, skew=True)
    assert_allclose(found.mean, rolled.mean(), rtol=1e-9, atol=1e-10)
    assert_allclose(found.std, rolled.std(), rtol=1e-7)
    assert_allclose(found.skew, rolled.skew(), rtol=1e-4, atol=1e-5)
    assert_array_equal(kernels.rolling_min(x, window), rolled.min())
    assert_array_equal(kernels.rolling_max(x, window), rolled.max())
    assert_allclose(kernels.rolling_quantile(x, 0.3, window), rolled.quantile(0.3), rtol=1e-14)
    assert_allclose(kernels.rolling_rank(x, window), rolled.rank(pct=True), rtol=1e-14)
    other = frame[[1, 0, 3, 2]].set_axis([0, 1, 2, 3], axis=1)
    least = math.ceil(0.6 * window)
    both = frame.where(other.notna()).rolling(window, min_periods=least)
    expected = both.corr(other.where(frame.notna()))
    assert_allclose(kernels.rolling_corr(x, x[:, [1, 0, 3, 2]], window), expected, atol=1e-7)
    smooth = frame.ewm(halflife=8, ignore_na=False).mean().where(frame.notna().cumsum() >= 8)
    ours = kernels.ewma(x, 8.0)
    there = np.isfinite(ours) & smooth.notna().to_numpy()
    assert there.sum() > 6000
    assert_allclose(ours[there], smooth.to_numpy()[there], rtol=1e-11, atol=1e-12)


def test_levels_and_long_windows_keep_their_digits():
    rng = np.random.default_rng(8)
    x = 1e6 + np.cumsum(rng.standard_normal((30_000, 1)), axis=0)
    x[0] = x[7] = 1e12
    found = kernels.rolling_moments(x, 8640)
    for t in (9000, 17_280, 29_999):
        window = x[t - 8639 : t + 1].astype(np.longdouble)
        assert abs(found.std[t, 0] / float(window.std(ddof=1)) - 1) < 1e-11
        assert abs(found.mean[t, 0] / float(window.mean()) - 1) < 1e-15


def test_many_nearly_equal_values_are_put_in_order():
    rng = np.random.default_rng(9)
    x = 1.0 + rng.integers(0, 2000, (4000, 1)) * 2.0**-52
    found = kernels.rolling_quantile(x, 0.25, 1000)
    expected = pd.Series(x[:, 0]).rolling(1000, min_periods=600).quantile(0.25)
    assert_allclose(found[:, 0], expected, rtol=2e-16)


def test_what_cannot_be_squared_has_no_deviation():
    x = np.array([[1e200], [-1e200], [3e200], [1.0]])
    assert_array_equal(np.isnan(kernels.rolling_std(x, 2, min_obs=2)[1:]), True)
    assert kernels.rolling_mean(x, 2, min_obs=2)[1, 0] == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kernels.rolling_mean(np.zeros((2, 2, 2)), 2), ["shape (2, 2, 2)"]),
        (lambda: kernels.rolling_mean(1.0, 2), ["shape ()"]),
        (lambda: kernels.rolling_std(np.zeros(3), 0), ["window=0"]),
        (lambda: kernels.rolling_max(np.zeros(3), 5, min_obs=6), ["min_obs=6", "window=5"]),
        (lambda: kernels.rolling_max(np.zeros(3), 5, min_obs=0), ["min_obs=0"]),
        (lambda: kernels.rolling_quantile(np.zeros(3), 1.5, 0), ["q=1.5", "window=0"]),
        (lambda: kernels.rolling_quantile(np.zeros(3), [], 2), ["q has shape (0,)"]),
        (lambda: kernels.rolling_quantile(np.zeros(3), math.nan, 2), ["q=nan"]),
        (lambda: kernels.rolling_corr(np.zeros((3, 2)), np.zeros((3, 1)), 2), ["(3, 2)", "(3, 1)"]),
        (lambda: kernels.rolling_beta(np.zeros((3, 2)), np.zeros(2), 2), ["(3, 2)", "(2,)"]),
        (lambda: kernels.ewma(np.zeros(3), 0.0, window=-1), ["half_life=0.0", "window=-1"]),
    ],
)
def test_wrong_inputs_are_refused_with_every_problem(call, words):
    with pytest.raises(ParameterError) as error:
        call()
    for word in words:
        assert word in str(error.value)
