"""Clips, scores and ranks across assets against bars one by one."""

import statistics

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels import gaussian_rank, rank, winsorise, zscore
from plumbline.kernels.normal_quantile import normal_quantile
from tests.oracles import cross_section as oracle

KINDS = ("distinct", "ties", "close", "constant", "tiny", "huge", "level", "outlier", "zeros")
FUNCTIONS = {
    "winsorise": lambda x, mask=None: winsorise(x, (0.1, 0.8), mask=mask),
    "zscore": lambda x, mask=None: zscore(x, mask=mask),
    "rank": lambda x, mask=None: rank(x, mask=mask),
    "gaussian_rank": lambda x, mask=None: gaussian_rank(x, mask=mask),
}


def made(seed: int, kind: str, n_assets: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values of a kind with gaps and an empty bar, and at times a mask."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((7, n_assets))
    match kind:
        case "ties":
            values = np.round(values)
        case "close":  # a few units in the last place apart, some equal
            values = 1.0 + rng.integers(-40, 40, values.shape) * 2.0**-52
        case "constant":
            values[:] = 0.1
        case "tiny":
            values *= 1e-300
        case "huge":
            values *= 1e307
        case "level":
            values += 1e6
        case "outlier":
            values[:, 0] = 1e9
        case "zeros":
            values = np.where(values > 0, 0.0, -0.0)
    empty = rng.random(values.shape) < rng.choice([0.0, 0.05, 0.6])
    values[empty] = rng.choice([np.nan, np.inf, -np.inf], values.shape)[empty]
    values[6] = np.nan
    return values, rng.random(values.shape) < 0.7 if seed % 2 else None


ragged = given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    n_assets=st.sampled_from([1, 2, 3, 8, 37, 90]),
)


@ragged
def test_every_bar_is_that_of_scipy_and_numpy(seed, kind, n_assets):
    x, mask = made(seed, kind, n_assets)
    low, high = sorted(np.random.default_rng(seed).choice(101, 2, replace=False) / 100)
    found = winsorise(x, (low, high), mask=mask)
    expected = oracle.by_bar(oracle.winsorised(low, high), x, mask)
    largest = np.nanmax(np.abs(np.where(np.isfinite(x), x, 0.0)))
    assert_allclose(found, expected, rtol=0, atol=4e-16 * largest)
    assert_array_equal(rank(x, mask=mask), oracle.by_bar(oracle.ranks, x, mask))
    normal = oracle.by_bar(oracle.gaussian_ranks, x, mask)
    assert_allclose(gaussian_rank(x, mask=mask), normal, rtol=1e-14, atol=1e-14)
    for ddof in (0, 1, 3):
        found = zscore(x, ddof=ddof, mask=mask)
        expected = oracle.by_bar(oracle.zscores(ddof), x, mask)
        if kind != "close":
            assert_array_equal(np.isnan(found), np.isnan(expected))
        both = np.isfinite(found) & np.isfinite(expected)
        atol = {"close": 1e-1, "level": 1e-9}.get(kind, 1e-13)
        assert_allclose(found[both], expected[both], rtol=1e-12, atol=atol)


@pytest.mark.parametrize("name", FUNCTIONS)
@ragged
def test_other_bars_layout_and_missing_assets_change_no_bit(name, seed, kind, n_assets):
    x, mask = made(seed, kind, n_assets)
    function = FUNCTIONS[name]
    full = function(x, mask)
    cut = [function(x[t : t + 1], None if mask is None else mask[t : t + 1]) for t in range(7)]
    assert_array_equal(np.concatenate(cut), full)
    assert_array_equal(function(np.asfortranarray(x), mask), full)
    if mask is not None:
        assert_array_equal(function(np.where(mask, x, np.nan)), full)
        elsewhere = np.where(mask, x, 1e5)
        assert_array_equal(function(elsewhere, mask), full)
    there = np.isfinite(x[0]) if mask is None else np.isfinite(x[0]) & mask[0]
    assert_array_equal(function(x[:1, there])[0], full[0, there])
    assert np.isnan(full[0, ~there]).all()


@ragged
def test_order_of_the_assets_changes_no_rank(seed, kind, n_assets):
    x, mask = made(seed, kind, n_assets)
    shuffled = np.random.default_rng(seed).permutation(n_assets)
    moved = None if mask is None else mask[:, shuffled]
    for name in ("rank", "gaussian_rank", "winsorise"):
        assert_array_equal(
            FUNCTIONS[name](x[:, shuffled], moved), FUNCTIONS[name](x, mask)[:, shuffled]
        )


def test_pandas_and_polars_agree():
    x = np.random.default_rng(1).standard_normal((50, 40))
    x[np.random.default_rng(2).random(x.shape) < 0.1] = np.nan
    frame = pd.DataFrame(x)
    count = frame.notna().sum(axis=1)
    share = frame.rank(axis=1, pct=True).sub(0.5 / count, axis=0)
    assert_allclose(rank(x), share, rtol=0, atol=1e-15)
    standard = frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1), axis=0)
    assert_allclose(zscore(x), standard, rtol=0, atol=1e-13)
    low, high = frame.quantile(0.05, axis=1), frame.quantile(0.9, axis=1)
    assert_allclose(winsorise(x, (0.05, 0.9)), frame.clip(low, high, axis=0), rtol=0, atol=1e-15)
    ranked = pl.DataFrame(x.T).fill_nan(None).select(pl.all().rank()).to_numpy().T
    assert_allclose(rank(x), (ranked - 0.5) / count.to_numpy()[:, None], rtol=0, atol=1e-15)


def test_a_gaussian_bar_is_exactly_symmetric_and_its_middle_is_zero():
    values = np.sort(gaussian_rank(np.random.default_rng(3).standard_normal((4, 31))), axis=1)
    assert_array_equal(values, -values[:, ::-1])
    assert_array_equal(values[:, 15], 0.0)


def test_normal_quantiles_are_those_of_the_standard_library():
    normal = statistics.NormalDist()
    for away in (-0.499999, -0.43, -0.425, -0.1, 1e-9, 0.3, 0.4259, 0.4999):
        assert normal_quantile(away) == pytest.approx(normal.inv_cdf(0.5 + away), rel=1e-12)
    assert normal_quantile(0.5 - 2.0**-40) == pytest.approx(normal.inv_cdf(1 - 2.0**-40), rel=1e-12)
    assert_array_equal([normal_quantile(a) for a in (-0.5, 0.0, 0.5)], [-np.inf, 0.0, np.inf])


def test_bars_of_any_size_may_follow_each_other():
    x = np.random.default_rng(5).standard_normal((6, 90))
    for bar, count in enumerate((70, 6, 70, 90, 26, 6)):  # 70 and 6 share the room of their table
        x[bar, count:] = np.nan
    expected = oracle.by_bar(oracle.gaussian_ranks, x)
    assert_allclose(gaussian_rank(x), expected, rtol=1e-14, atol=1e-14)


def test_one_value_has_a_rank_and_no_score():
    x = np.array([[np.nan, 3.0]])
    assert_array_equal(winsorise(x), x)
    assert_array_equal(rank(x), [[np.nan, 0.5]])
    assert_array_equal(gaussian_rank(x), [[np.nan, 0.0]])
    assert_array_equal(zscore(x, ddof=0), [[np.nan, np.nan]])


def test_values_that_only_rounding_moves_have_no_score():
    rng = np.random.default_rng(4)
    x = 0.1 + 2.0**-56 * rng.integers(0, 3, (3, 40))
    assert np.isnan(zscore(x)).all()
    assert np.isfinite(zscore(x - 0.1 + 1e-17)).any()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_gives_nothing(name, shape):
    assert FUNCTIONS[name](np.zeros(shape)).shape == shape


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wrong_inputs_are_refused_with_every_problem(name):
    with pytest.raises(ParameterError, match=r"x has shape \(3,\).*mask has shape \(2, 2\)"):
        FUNCTIONS[name](np.zeros(3), np.ones((2, 2), bool))
    with pytest.raises(ParameterError, match=r"float64, needs .* of bool"):
        FUNCTIONS[name](np.zeros((2, 2)), np.ones((2, 2)))


def test_wrong_parameters_are_refused():
    for limits in ((0.5, 0.5), (-0.1, 0.5), (0.1, 1.1), (np.nan, 0.5)):
        with pytest.raises(ParameterError, match="limits="):
            winsorise(np.zeros((2, 2)), limits)
    for ddof in (-1, True):
        with pytest.raises(ParameterError, match="ddof="):
            zscore(np.zeros((2, 2)), ddof=ddof)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_real_momentum(name, shared_data):
    path = shared_data / "us_equity_cc0" / "sp500_ohlcv_2007-2017.parquet"
    table = pl.read_parquet(path, columns=["symbol", "date", "close"]).filter(
        pl.col("date").is_between(pl.date(2010, 12, 1), pl.date(2011, 2, 28))
    )
    wide = table.pivot("symbol", index="date", values="close").sort("date").drop("date")
    close = wide.to_numpy().astype(float)
    signal = close[21:] / close[:-21] - 1.0
    slow = {
        "winsorise": oracle.winsorised(0.1, 0.8),
        "zscore": oracle.zscores(1),
        "rank": oracle.ranks,
        "gaussian_rank": oracle.gaussian_ranks,
    }
    found = FUNCTIONS[name](signal)
    assert_allclose(found, oracle.by_bar(slow[name], signal), rtol=1e-12, atol=1e-13)
