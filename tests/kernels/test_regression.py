import json
import subprocess
import sys

import numpy as np
import polars as pl
import polars_ols  # noqa: F401  # registers the regressions on expressions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.rolling import RollingOLS

from plumbline.core.errors import ParameterError
from plumbline.kernels.regression import RollingFit, RollingOptions, rolling_ols
from tests.oracles import rolling_ols as oracle

FIELDS = ("alpha", "beta", "n_obs", "residual", "r2", "stderr", "tstat", "condition")
INFERENCE = RollingOptions(inference=True)


def returns(seed, n_bars, n_assets, n_factors):
    """Returns of assets on factors, decimal."""
    rng = np.random.default_rng(seed)
    x = 0.01 * rng.standard_normal((n_bars, n_factors))
    beta = rng.standard_normal((n_factors, n_assets))
    return x @ beta + 0.01 * rng.standard_normal((n_bars, n_assets)), x


def ragged(seed, n_bars, n_assets, n_factors):
    """Returns with late listings, gaps, infinities and a factor that misses rows."""
    rng = np.random.default_rng(seed + 1)
    y, x = returns(seed, n_bars, n_assets, n_factors)
    y[rng.random(y.shape) < 0.08] = np.nan
    y[rng.random(y.shape) < 0.02] = np.inf
    x[rng.random(x.shape) < 0.02] = -np.inf
    for asset in range(0, n_assets, 3):
        y[: rng.integers(0, n_bars), asset] = np.nan
    return y, x


def outputs(fit, rows=slice(None), assets=slice(None)):
    return {name: np.asarray(getattr(fit, name))[rows, assets] for name in FIELDS}


def assert_same_bits(left, right):
    for name in left:
        assert left[name].tobytes() == right[name].tobytes(), name


def assert_matches(fit, expected, rtol=1e-9):
    assert_array_equal(fit.n_obs, expected["n_obs"])
    found = np.concatenate([fit.alpha[..., None], fit.beta], axis=2)
    size = np.nanmax(np.abs(expected["coefficients"]), initial=1e-300)
    assert_allclose(found, expected["coefficients"], rtol=rtol, atol=1e-11 * size)
    if fit.r2 is not None:
        assert_allclose(fit.r2, expected["r2"], rtol=1e-8, atol=1e-9)
        assert_allclose(fit.residual, expected["residual"], rtol=1e-8, atol=1e-11 * size)
    if fit.stderr is not None:
        assert_allclose(fit.stderr, expected["stderr"], rtol=1e-7)
        assert_allclose(fit.condition, expected["condition"], rtol=1e-7)


VARIANTS = st.fixed_dictionaries(
    {
        "half_life": st.sampled_from([None, None, 2.5, 40.0]),
        "ridge": st.sampled_from([0.0, 0.0, 1e-3]),
        "lag": st.integers(0, 3),
        "propagate": st.booleans(),
        "weighted": st.sampled_from(["no", "no", "rows", "cells"]),
    }
)


@given(
    seed=st.integers(0, 2**31),
    window=st.integers(9, 40),
    n_factors=st.integers(1, 6),
    n_assets=st.integers(1, 9),
    intercept=st.booleans(),
    first_bar=st.integers(-100, 100),
    variant=VARIANTS,
)
def test_matches_the_loop(seed, window, n_factors, n_assets, intercept, first_bar, variant):
    make = ragged if seed % 2 else returns
    y, x = make(seed, 60, n_assets, n_factors)
    rng = np.random.default_rng(seed + 2)
    weights = {
        "no": None,
        "rows": rng.choice([0.0, np.nan, 0.5, 2.0], 60, p=[0.05, 0.05, 0.4, 0.5]),
        "cells": rng.choice([0.0, np.nan, 0.5, 2.0], y.shape, p=[0.05, 0.05, 0.4, 0.5]),
    }[variant["weighted"]]
    min_obs = max(int(0.6 * window), n_factors + 5)
    options = RollingOptions(
        as_of_lag=variant["lag"],
        half_life=variant["half_life"],
        ridge=variant["ridge"],
        missing="propagate" if variant["propagate"] else "skip",
        weights=weights,
        inference=True,
        first_bar=first_bar,
    )
    min_obs = min(min_obs, window)
    fit = rolling_ols(y, x, window, min_obs=min_obs, intercept=intercept, options=options)
    expected = oracle.rolling_ols(
        y,
        x,
        window,
        min_obs=min_obs,
        intercept=intercept,
        weights=weights,
        half_life=variant["half_life"],
        ridge=variant["ridge"],
        propagate=variant["propagate"],
        lag=variant["lag"],
    )
    assert_matches(fit, expected)


def etf_and_stock_returns(shared_data):
    folder = shared_data / "us_equity_cc0"
    etfs = pl.read_parquet(folder / "etf_ohlcv_2005-2017.parquet").filter(
        pl.col("symbol").is_in(["SPY", "IWM"])
    )
    stocks = pl.read_parquet(folder / "sp500_ohlcv_2007-2017.parquet").filter(
        pl.col("symbol").is_in(["AAPL", "BXP", "JPM", "XOM"])
    )
    wide = (
        pl.concat([etfs, stocks])
        .pivot(on="symbol", index="date", values="close")
        .sort("date")
        .drop_nulls(["SPY", "IWM"])
    )
    prices = wide.select(pl.exclude("date").cast(pl.Float64))
    with np.errstate(invalid="ignore"):
        panel = prices.select(pl.all() / pl.all().shift(1) - 1)[1:]
    x = panel.select("SPY", "IWM").to_numpy()
    return panel.select("AAPL", "BXP", "JPM", "XOM").to_numpy(), x


def test_agrees_with_statsmodels_on_real_returns(shared_data):
    y, x = etf_and_stock_returns(shared_data)
    window = 168
    fit = rolling_ols(y, x, window, min_obs=100, options=INFERENCE)
    compared = 0
    for asset in range(y.shape[1]):
        whole = np.isfinite(y[:, asset])
        design = np.column_stack([np.ones(len(x)), x])
        peer = RollingOLS(y[whole, asset], design[whole], window).fit()
        # Gaps move rows between windows: compare where the window has none.
        full = np.convolve(whole, np.ones(window), "full")[: len(whole)] == window
        mine, theirs = np.flatnonzero(full), np.flatnonzero(full[whole])
        found = np.column_stack([fit.alpha[:, asset], fit.beta[:, asset]])
        assert_allclose(found[mine], peer.params[theirs], rtol=1e-8, atol=1e-12)
        assert_allclose(fit.stderr[mine, asset], peer.bse[theirs], rtol=1e-8)
        assert_allclose(fit.tstat[mine, asset], peer.tvalues[theirs], rtol=1e-8, atol=1e-9)
        assert_allclose(fit.r2[mine, asset], peer.rsquared[theirs], rtol=1e-8)
        compared += len(mine)
    assert compared > 3_000


@pytest.mark.parametrize("gaps", [False, True])
def test_agrees_with_polars_ols_on_real_returns(shared_data, gaps):
    y, x = etf_and_stock_returns(shared_data)
    if gaps:
        y[5::7, 1] = np.nan
    else:
        y, x = y[-1_000:], x[-1_000:]
    assert np.isnan(y).any() == gaps
    window = 168
    fit = rolling_ols(y, x, window, min_obs=100)
    compared = 0
    for asset in range(y.shape[1]):
        table = pl.DataFrame({"y": y[:, asset], "spy": x[:, 0], "iwm": x[:, 1]})
        regression = pl.col("y").least_squares.rolling_ols(
            "spy",
            "iwm",
            window_size=window,
            min_periods=100,
            add_intercept=True,
            mode="coefficients",
            null_policy="drop_window",
        )
        peer = table.with_columns(pl.col("y").fill_nan(None)).select(regression.alias("fit"))
        slopes_then_alpha = peer["fit"].struct.unnest().to_numpy()
        # Where y misses, the peer shows no fit, though its windows drop missing rows as ours do.
        both = np.isfinite(slopes_then_alpha).all(axis=1) & np.isfinite(y[:, asset])
        mine = np.column_stack([fit.beta[:, asset], fit.alpha[:, asset]])
        assert_array_equal(np.isfinite(mine[both]), True)
        assert_allclose(mine[both], slopes_then_alpha[both], rtol=1e-6, atol=1e-9)
        compared += both.sum()
    assert compared > 3_000


def test_agrees_with_golden_factor_loadings(shared_data):
    golden = json.loads((shared_data / "reference" / "golden.json").read_text())
    entry = golden["rolling_ols_mtum_ff6"]
    etfs = pl.read_parquet(shared_data / "skfolio" / "factor_etfs.parquet")
    date = etfs.columns[0]
    etfs = etfs.select(
        pl.col(date).cast(pl.Date).alias("date"),
        (pl.col("MTUM") / pl.col("MTUM").shift(1) - 1).alias("return"),
    ).drop_nulls()
    factors = pl.read_parquet(shared_data / "factors" / "ff5_mom_daily_1963-2026.parquet")
    names = {name.lower().replace("-", "_"): name for name in factors.columns}
    joined = etfs.join(
        factors.with_columns(pl.col(names["date"]).cast(pl.Date).alias("date")), on="date"
    ).sort("date")
    assert len(joined) == entry["n"]
    columns = ["mkt_rf", "smb", "hml", "rmw", "cma", "mom"]
    x = joined.select([pl.col(names[c]) / 100 for c in columns]).to_numpy()
    y = (joined["return"] - joined[names["rf"]] / 100).to_numpy()[:, None]
    fit = rolling_ols(y, x, entry["window"])
    days = joined["date"].cast(pl.String).to_list()
    for day, expected in entry["rolling_params"].items():
        bar = days.index(day)
        found = [fit.alpha[bar, 0], *fit.beta[bar, 0]]
        assert_allclose(found, [expected[c] for c in ["const", *columns]], rtol=1e-8)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    window=st.integers(6, 30),
    first_bar=st.integers(-1000, 1000),
    cuts=st.tuples(st.integers(0, 149), st.integers(0, 149)),
    half_life=st.sampled_from([None, 7.0]),
    weighted=st.booleans(),
)
def test_a_chunk_has_the_bits_of_the_whole(seed, window, first_bar, cuts, half_life, weighted):
    start, last = sorted(cuts)
    y, x = ragged(seed, 150, 5, 2) if seed % 2 else returns(seed, 150, 5, 2)
    weights = np.random.default_rng(seed).random(150) if weighted else None

    def fit(rows, bar):
        options = RollingOptions(
            inference=True,
            half_life=half_life,
            weights=None if weights is None else weights[rows],
            first_bar=bar,
        )
        return rolling_ols(y[rows], x[rows], window, min_obs=5, options=options)

    whole = fit(slice(0, 150), first_bar)
    begin = max(start - window + 1, 0)
    chunk = fit(slice(begin, last + 1), first_bar + begin)
    assert_same_bits(
        outputs(chunk, slice(start - begin, None)), outputs(whole, slice(start, last + 1))
    )


def test_the_causal_residual_of_a_chunk_has_the_bits_of_the_whole():
    y, x = ragged(4, 200, 4, 2)
    window, lag = 20, 3
    whole = rolling_ols(y, x, window, options=RollingOptions(as_of_lag=lag))
    begin = 100 - window + 1 - lag
    options = RollingOptions(as_of_lag=lag, first_bar=begin)
    chunk = rolling_ols(y[begin:], x[begin:], window, options=options)
    assert chunk.residual[100 - begin :].tobytes() == whole.residual[100:].tobytes()


def test_appended_bars_change_no_old_bit():
    y, x = ragged(7, 300, 6, 3)
    whole = rolling_ols(y, x, 50, options=INFERENCE)
    for n_bars in (1, 49, 50, 51, 120, 299):
        part = rolling_ols(y[:n_bars], x[:n_bars], 50, options=INFERENCE)
        assert_same_bits(outputs(part), outputs(whole, slice(0, n_bars)))


@pytest.mark.parametrize("n_assets", [1, 3, 8, 37, 131, 300])
@pytest.mark.parametrize("make", [returns, ragged])
def test_an_asset_has_the_same_bits_whatever_stands_beside_it(make, n_assets):
    y, x = make(11, 160, n_assets, 2)
    whole = rolling_ols(y, x, 33, options=INFERENCE)
    order = np.random.default_rng(0).permutation(n_assets)
    shuffled = rolling_ols(y[:, order], x, 33, options=INFERENCE)
    assert_same_bits(outputs(shuffled), outputs(whole, assets=order))
    for asset in {0, n_assets // 2, n_assets - 1}:
        alone = rolling_ols(y[:, [asset]], x, 33, options=INFERENCE)
        assert_same_bits(outputs(alone), outputs(whole, assets=[asset]))


@pytest.mark.parametrize("n_factors", [1, 2, 5])
@pytest.mark.parametrize("half_life", [None, 11.0])
def test_a_window_without_gaps_has_the_same_bits_beside_gaps(n_factors, half_life):
    y, x = returns(3, 240, 9, n_factors)
    options = RollingOptions(inference=True, half_life=half_life)
    clean = rolling_ols(y, x, 40, options=options)
    y[100, 4] = np.nan
    touched = rolling_ols(y, x, 40, options=options)
    others = [a for a in range(9) if a != 4]
    assert_same_bits(outputs(touched, assets=others), outputs(clean, assets=others))
    outside = np.r_[0:100, 140:240]
    assert_same_bits(outputs(touched, outside, [4]), outputs(clean, outside, [4]))
    assert np.all(touched.alpha[100:140, 4] != clean.alpha[100:140, 4])


def test_memory_layout_changes_no_bit():
    y, x = ragged(5, 150, 7, 2)
    plain = outputs(rolling_ols(y, x, 30, options=INFERENCE))
    wide, tall = np.zeros((300, 21)), np.zeros((2, 150, 2))
    wide[::2, ::3], tall[1] = y, x
    read_only = y.copy()
    read_only.flags.writeable = False
    for other_y, other_x in (
        (np.asfortranarray(y), np.asfortranarray(x)),
        (wide[::2, ::3], tall[1]),
        (y[::-1].copy()[::-1], x),
        (read_only, x),
    ):
        assert_same_bits(outputs(rolling_ols(other_y, other_x, 30, options=INFERENCE)), plain)


def test_a_power_of_two_as_unit_changes_no_digit():
    y, x = ragged(6, 150, 5, 2)
    base = rolling_ols(y, x, 30, options=INFERENCE)
    for unit_y, unit_x in ((2.0**40, 1.0), (1.0, 2.0**-30), (2.0**-50, 2.0**20)):
        other = rolling_ols(unit_y * y, unit_x * x, 30, options=INFERENCE)
        assert_array_equal(other.alpha, unit_y * base.alpha)
        assert_array_equal(other.beta, unit_y / unit_x * base.beta)
        assert_array_equal(other.r2, base.r2)
        assert_array_equal(other.tstat, base.tstat)


def test_an_early_outlier_leaves_no_trace():
    y, x = returns(8, 3_000, 3, 2)
    x[:, 1] = 0.999 * x[:, 0] + np.sqrt(1 - 0.999**2) * x[:, 1]
    spoilt_y, spoilt_x = y.copy(), x.copy()
    spoilt_y[10], spoilt_x[20] = 1e6, -1e6
    clean = rolling_ols(y, x, 100, options=INFERENCE)
    spoilt = rolling_ols(spoilt_y, spoilt_x, 100, options=INFERENCE)
    assert_same_bits(outputs(spoilt, slice(120, None)), outputs(clean, slice(120, None)))


def test_a_million_bars_keep_nine_digits():
    n_bars, window = 1_000_000, 168
    y, x = returns(9, n_bars, 2, 2)
    x[:, 1] = 0.999 * x[:, 0] + np.sqrt(1 - 0.999**2) * x[:, 1]
    y[:, 1] += 3.0
    fit = rolling_ols(y, x, window, options=RollingOptions(outputs="coefficients"))
    for bar in [window, 12_345, 500_000, n_bars - 1]:
        rows = slice(bar - window + 1, bar + 1)
        for asset in range(2):
            expected = oracle.fit_window(y[rows, asset], x[rows], np.ones(window), True)
            found = [fit.alpha[bar, asset], *fit.beta[bar, asset]]
            assert_allclose(found, expected["coefficients"], rtol=1e-9, atol=1e-12)


def test_price_levels_keep_nine_digits():
    rng = np.random.default_rng(10)
    x = 30_000 + np.cumsum(rng.standard_normal((4_000, 2)), axis=0)
    y = 5 + x @ np.array([[0.4], [1.1]]) + rng.standard_normal((4_000, 1))
    fit = rolling_ols(y, x, 168)
    for bar in (167, 168, 2_000, 3_999):
        rows = slice(bar - 167, bar + 1)
        shifted = oracle.fit_window(y[rows, 0] - y[bar, 0], x[rows] - x[bar], np.ones(168), True)
        assert_allclose(fit.beta[bar, 0], shifted["coefficients"][1:], rtol=1e-9)


@pytest.mark.parametrize("missing", ["x", "y", "both"])
@pytest.mark.parametrize(("level", "step"), [(5e4, 10.0), (1e6, 1.0)])
def test_price_levels_keep_nine_digits_where_the_first_row_of_a_block_misses(level, step, missing):
    rng = np.random.default_rng(11)
    window = 40
    x = level + np.cumsum(step * rng.standard_normal((160, 2)), axis=0)
    y = 5 + x @ np.array([[0.4], [1.1]]) + step * rng.standard_normal((160, 1))
    y_given, x_given = y.copy(), x.copy()
    if missing != "x":
        y_given[2 * window] = np.nan
    if missing != "y":
        x_given[2 * window, 0] = np.nan
    fit = rolling_ols(y_given, x_given, window, options=INFERENCE)
    for bar in range(2 * window, 3 * window, 3):
        rows = np.arange(bar - window + 1, bar + 1)
        rows = rows[rows != 2 * window]
        base = rows[-1]
        near = oracle.fit_window(
            y[rows, 0] - y[base, 0], x[rows] - x[base], np.ones(len(rows)), True
        )
        assert_allclose(fit.beta[bar, 0], near["coefficients"][1:], rtol=1e-9)
        assert_allclose(1 - fit.r2[bar, 0], 1 - near["r2"], rtol=1e-8)
        assert_allclose(fit.stderr[bar, 0, 1:], near["stderr"][1:], rtol=1e-8)


@pytest.mark.parametrize(
    "factor",
    [
        lambda x: np.full(len(x), 0.1),
        lambda x: np.where(np.arange(len(x)) % 3, 0.1 + 0.2, 0.3),
        lambda x: x[:, 0].copy(),
        lambda x: 0.3 * x[:, 0] - 2.0,
        lambda x: np.zeros(len(x)),
        lambda x: 1e12 * x[:, 0],
    ],
    ids=[
        "constant",
        "constant but for rounding",
        "duplicate",
        "affine copy",
        "zero",
        "scaled copy",
    ],
)
@pytest.mark.parametrize("gaps", [False, True])
def test_dependent_factors_give_nan_and_a_count(factor, gaps):
    y, x = ragged(12, 120, 3, 1) if gaps else returns(12, 120, 3, 1)
    both = np.column_stack([x[:, 0], factor(x)])
    fit = rolling_ols(y, both, 30, min_obs=10, options=INFERENCE)
    for name in ("alpha", "beta", "residual", "r2", "stderr", "tstat", "condition"):
        assert np.isnan(getattr(fit, name)).all(), name
    enough = fit.n_obs >= 10
    assert fit.reasons["rank_deficient"] == enough.sum()
    assert fit.reasons["too_few_observations"] == (~enough).sum()


def test_minimum_norm_is_the_shortest_solution():
    y, x = ragged(13, 120, 3, 2)
    x = np.column_stack([x, x[:, 0] - 2 * x[:, 1], np.full(120, 0.7)])
    options = RollingOptions(rank_deficient="minimum_norm", inference=True)
    fit = rolling_ols(y, x, 30, min_obs=12, options=options)
    assert fit.reasons["rank_deficient"] == 0
    checked = 0
    for bar in range(40, 120, 7):
        for asset in range(3):
            if fit.n_obs[bar, asset] < 12:
                continue
            rows = slice(bar - 29, bar + 1)
            keep = np.isfinite(y[rows, asset]) & np.isfinite(x[rows]).all(axis=1)
            design = oracle.design_of(x[rows][keep], True)
            expected, *_ = np.linalg.lstsq(design, y[rows, asset][keep], rcond=1e-12)
            found = [fit.alpha[bar, asset], *fit.beta[bar, asset]]
            assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
            rest = y[rows, asset][keep] - design @ expected
            inverse = np.linalg.pinv(design, rcond=1e-12)
            variance = rest @ rest / (keep.sum() - 3)
            errors = np.sqrt(variance * np.diag(inverse @ inverse.T))
            assert_allclose(fit.stderr[bar, asset], errors, rtol=1e-8)
            assert fit.condition[bar, asset] == np.inf
            checked += 1
    assert checked > 15


def test_nearly_dependent_factors_are_solved_by_qr():
    y, x = returns(14, 200, 4, 2)
    x[:, 1] = x[:, 0] + 1e-7 * x[:, 1]
    fit = rolling_ols(y, x, 60, options=INFERENCE)
    for bar in (59, 100, 199):
        rows = slice(bar - 59, bar + 1)
        for asset in range(4):
            expected = oracle.fit_window(y[rows, asset], x[rows], np.ones(60), True)
            assert_allclose(fit.beta[bar, asset], expected["coefficients"][1:], rtol=1e-6)
            assert_allclose(fit.condition[bar, asset], expected["condition"], rtol=1e-6)


def test_an_exact_fit_has_the_residual_of_qr():
    y, x = returns(15, 100, 3, 2)
    y = x @ np.array([[1.0, -2.0, 0.5], [0.3, 0.7, 4.0]]) + 1e-9 * y
    fit = rolling_ols(y, x, 40, options=INFERENCE)
    for bar in (39, 60, 99):
        rows = slice(bar - 39, bar + 1)
        for asset in range(3):
            expected = oracle.fit_window(y[rows, asset], x[rows], np.ones(40), True)
            assert_allclose(fit.stderr[bar, asset], expected["stderr"], rtol=1e-5)


def test_a_constant_response_has_no_r2_and_no_slope():
    y, x = returns(16, 100, 2, 2)
    y[:, 1] = 0.25
    fit = rolling_ols(y, x, 30, options=INFERENCE)
    assert_array_equal(fit.alpha[30:, 1], 0.25)
    assert_array_equal(fit.beta[30:, 1], 0.0)
    assert_array_equal(fit.stderr[30:, 1], 0.0)
    assert np.isnan(fit.r2[:, 1]).all()


@pytest.mark.parametrize("size", [1e-160, 1e160])
def test_values_whose_squares_fit_no_number_are_refused_by_column(size):
    y, x = np.full((20, 3), 0.01), np.linspace(0.0, 1.0, 20)[:, None]
    y[:, 2] = size
    with pytest.raises(ParameterError, match=r"y holds values up to 1e.160 in column 2;"):
        rolling_ols(y, x, 5)
    with pytest.raises(ParameterError, match=r"x holds values up to 1e.160 in column 0;"):
        rolling_ols(y[:, :2], size * x, 5)
    y[:, 2] = [0.0, np.nan] * 10
    assert np.isnan(rolling_ols(y, x, 5).beta[4:, 2]).sum() < 16


def test_masked_values_are_missing_and_complex_ones_refused():
    rng = np.random.default_rng(3)
    y, x = rng.standard_normal((30, 2)), rng.standard_normal((30, 1))
    hidden = rng.random(y.shape) < 0.2
    masked = np.ma.masked_array(np.where(hidden, 99.0, y), mask=hidden)
    found = rolling_ols(masked, x, 10, min_obs=4)
    expected = rolling_ols(np.where(hidden, np.nan, y), x, 10, min_obs=4)
    assert_array_equal(found.beta, expected.beta)
    assert_array_equal(found.n_obs, expected.n_obs)
    with pytest.raises(ParameterError, match="complex"):
        rolling_ols(y.astype(complex), x, 10)


def test_numbers_of_bars_must_be_whole():
    """Asked where annotations are not checked, as in a user's process."""
    code = (
        "import numpy as np; from plumbline.kernels import RollingOptions, rolling_ols\n"
        "try: RollingOptions(as_of_lag=1.0, first_bar=True)\n"
        "except ValueError as error: print(error)\n"
        "try: rolling_ols(np.zeros((9, 1)), np.zeros((9, 1)), 5.5, min_obs=2.0)\n"
        "except ValueError as error: print(error)\n"
        "w = RollingOptions(weights=[1.0] * 9)\n"
        "print(rolling_ols(np.eye(9), np.arange(9.0)[:, None], 5, options=w).n_obs[8, 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    options, told, n_obs = done.stdout.splitlines()
    for word in ("as_of_lag", "first_bar"):
        assert f"{word} must be a whole number" in options
    for word in ("window=5.5", "min_obs=2.0"):
        assert f"{word} must be a whole number" in told
    assert n_obs == "5"


@pytest.mark.parametrize("unit", [1e-150, 1e-60, 1e60, 1e150])
def test_extreme_units_give_the_fit_or_nan(unit):
    y, x = returns(17, 80, 2, 2)
    base = rolling_ols(y, x, 30, options=INFERENCE)
    fit = rolling_ols(y, unit * x, 30, options=INFERENCE)
    fitted = np.isfinite(fit.alpha)
    assert_allclose(fit.beta[fitted] * unit, base.beta[fitted], rtol=1e-8)
    assert_allclose(fit.tstat[fitted], base.tstat[fitted], rtol=1e-8)
    missed = sum(fit.reasons.values())
    assert missed == (~fitted).sum()


def test_propagate_gives_nan_while_a_row_of_the_window_is_missing():
    y, x = returns(18, 100, 2, 2)
    y[50, 0] = np.nan
    fit = rolling_ols(y, x, 20, options=RollingOptions(missing="propagate"))
    assert np.isnan(fit.alpha[50:70, 0]).all()
    assert np.isfinite(fit.alpha[[49, 70], 0]).all()
    assert np.isfinite(fit.alpha[50:70, 1]).all()
    assert fit.reasons["missing"] == 20
    x[80, 1] = np.inf
    fit = rolling_ols(y, x, 20, options=RollingOptions(missing="propagate"))
    assert np.isnan(fit.alpha[80:, 1]).all()


def test_lag_moves_the_residual_and_nothing_else():
    y, x = ragged(19, 150, 4, 2)
    base = rolling_ols(y, x, 30, options=INFERENCE)
    lagged = rolling_ols(y, x, 30, options=RollingOptions(inference=True, as_of_lag=2))
    for name in ("alpha", "beta", "r2", "tstat", "n_obs"):
        assert getattr(lagged, name).tobytes() == getattr(base, name).tobytes()
    usable = np.isfinite(y) & np.isfinite(x).all(axis=1, keepdims=True)
    y, x = (np.where(np.isfinite(panel), panel, 0.0) for panel in (y, x))
    fitted = (x[2:, None, :] * base.beta[:-2]).sum(axis=2) + base.alpha[:-2]
    expected = np.where(usable[2:], y[2:] - fitted, np.nan)
    assert np.isnan(lagged.residual[:2]).all()
    assert_allclose(lagged.residual[2:], expected, atol=1e-15)


def test_a_future_return_leaves_the_causal_residual_of_the_past():
    y, x = returns(20, 120, 3, 2)
    base = rolling_ols(y, x, 30, options=RollingOptions(as_of_lag=1))
    y[100] += 0.5
    moved = rolling_ols(y, x, 30, options=RollingOptions(as_of_lag=1))
    assert moved.residual[:100].tobytes() == base.residual[:100].tobytes()
    assert_allclose(moved.residual[100] - base.residual[100], 0.5)


def test_a_window_needs_its_minimum_and_a_degree_of_freedom():
    y, x = returns(21, 60, 1, 2)
    fit = rolling_ols(y, x, 20)
    assert np.flatnonzero(np.isfinite(fit.alpha[:, 0]))[0] == 11
    fit = rolling_ols(y, x, 20, min_obs=1)
    assert np.flatnonzero(np.isfinite(fit.alpha[:, 0]))[0] == 3
    assert_array_equal(fit.n_obs[:, 0], np.minimum(np.arange(60) + 1, 20))
    assert fit.reasons["too_few_observations"] == 3


def test_without_an_intercept_alpha_is_zero_and_has_no_error():
    y, x = returns(22, 60, 2, 2)
    fit = rolling_ols(y, x, 20, intercept=False, options=INFERENCE)
    assert_array_equal(fit.alpha[12:], 0.0)
    assert np.isnan(fit.stderr[..., 0]).all()
    peer = OLS(y[40:, 1], x[40:]).fit()
    assert_allclose(fit.beta[-1, 1], peer.params, rtol=1e-9)
    assert_allclose(fit.r2[-1, 1], peer.rsquared, rtol=1e-9)


def test_coefficients_only_have_the_bits_of_the_full_fit():
    y, x = ragged(23, 150, 5, 3)
    full = rolling_ols(y, x, 40, options=INFERENCE)
    fit = rolling_ols(y, x, 40)
    some = rolling_ols(y, x, 40, options=RollingOptions(outputs="coefficients"))
    for other in (fit, some):
        for name in ("alpha", "beta", "n_obs"):
            assert getattr(other, name).tobytes() == getattr(full, name).tobytes()
    assert fit.residual.tobytes() == full.residual.tobytes()
    assert some.residual is None
    assert some.r2 is None
    assert fit.stderr is None
    assert isinstance(some, RollingFit)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 0)])
def test_a_panel_without_rows_or_assets_gives_one_without(shape):
    fit = rolling_ols(np.zeros(shape), np.zeros((shape[0], 2)), 10, options=INFERENCE)
    assert fit.beta.shape == (*shape, 2)
    assert fit.stderr.shape == (*shape, 3)
    assert np.isnan(fit.alpha).all()


def test_lists_and_integers_are_panels_too():
    y, x = np.arange(24).reshape(12, 2) ** 2 % 7, np.arange(12)[:, None] % 5
    fit = rolling_ols(y.tolist(), x, 6)
    assert_array_equal(fit.beta, rolling_ols(y.astype(float), x.astype(float), 6).beta)


def test_every_problem_is_named_at_once():
    with pytest.raises(ParameterError) as caught:
        rolling_ols(
            np.zeros((10, 2)),
            np.zeros((9, 3)),
            4,
            min_obs=5,
            options=RollingOptions(as_of_lag=-1, ridge=-1.0, half_life=0.0, weights=-np.ones(4)),
        )
    for word in ("10 bars", "window=4", "min_obs=5", "as_of_lag=-1", "ridge=-1", "half_life=0"):
        assert word in str(caught.value)
    assert "weights have shape (4,)" in str(caught.value)
    assert "smallest weight is -1" in str(caught.value)


def test_options_of_a_wrong_kind_are_named_with_those_out_of_range():
    """Asked where annotations are not checked, as in a user's process."""
    code = (
        "from plumbline.kernels import RollingOptions\n"
        "for wrong in ({'missing': 'x'}, {'ridge': 'x', 'outputs': 'coefficients'}):\n"
        "    given = {'as_of_lag': -1, 'ridge': -1.0, 'half_life': 0.0, 'inference': True}\n"
        "    try: RollingOptions(**given | wrong)\n"
        "    except ValueError as error: print(str(error).partition('; got ')[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lag = "as_of_lag=-1 would read the future, needs at least 0"
    ridge = "ridge=-1.0 is no penalty, needs a number of at least 0"
    half_life = "half_life=0.0 bars, needs a number above 0 or None"
    assert done.stdout.splitlines() == [
        f"missing must be one of skip, propagate; {lag}; {ridge}; {half_life}",
        f"ridge must be a number; {lag}; {half_life}; inference=True needs outputs='fit'",
    ]


@pytest.mark.parametrize(
    ("y", "x"),
    [
        (np.zeros(10), np.zeros((10, 1))),
        (np.zeros((10, 1)), np.zeros(10)),
        (np.zeros((10, 1)), np.zeros((10, 0))),
    ],
)
def test_wrong_shapes_are_refused(y, x):
    with pytest.raises(ParameterError, match="needs"):
        rolling_ols(y, x, 6)


def test_what_is_no_number_is_named():
    """Asked where annotations are not checked, as in a user's process."""
    code = (
        "import numpy as np; from plumbline.kernels import neutralise, rolling_ols\n"
        "y, x = np.ones((9, 2)), np.ones((9, 1))\n"
        "def tried(call):\n"
        "    try: call()\n"
        "    except ValueError as error: print(error)\n"
        "tried(lambda: rolling_ols('text', x, 5))\n"
        "tried(lambda: rolling_ols(y, ['text'], 5))\n"
        "tried(lambda: rolling_ols(y, x, None))\n"
        "tried(lambda: rolling_ols(y, x, 5, intercept='no'))\n"
        "tried(lambda: neutralise('text', x))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert told[0].startswith("y: 'text' is no array of numbers")
    assert told[1].startswith("x: ['text'] is no array of numbers")
    assert told[2] == "rolling_ols: window=None must be a whole number"
    assert told[3] == "rolling_ols: intercept='no' must be True or False"
    assert told[4].startswith("signal: 'text' is no array of numbers")
