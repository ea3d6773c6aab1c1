"""Residuals across assets against loops and fractions, and what must change no bit of them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels.cross_section import neutralise, unfitted_assets
from tests.oracles import neutralise as oracle

N_BARS = 6


def made(
    seed: int, n_assets: int, n: int, weighted: bool, gappy: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((N_BARS, n_assets))
    exposures = rng.standard_normal((N_BARS, n_assets, n))
    if n:
        exposures[:3, :, -1] = rng.random((3, n_assets)) < 0.4  # a dummy, at times all alike
    weights = rng.lognormal(10.0, 2.0, signal.shape) if weighted else None
    if gappy:
        holes = rng.choice([np.nan, np.inf, -np.inf], signal.shape)
        signal = np.where(rng.random(signal.shape) < 0.1, holes, signal)
        exposures[rng.random(exposures.shape) < 0.04] = np.nan
        if weights is not None:
            weights[rng.random(signal.shape) < 0.1] = rng.choice([0.0, np.nan, np.inf])
    return signal, exposures, weights


ragged = given(
    seed=st.integers(0, 2**32 - 1),
    n_assets=st.sampled_from([1, 2, 3, 8, 37, 90]),
    n=st.integers(0, 7),
    weighted=st.booleans(),
    gappy=st.booleans(),
)


@ragged
def test_residuals_are_those_of_a_loop_of_least_squares(seed, n_assets, n, weighted, gappy):
    signal, exposures, weights = made(seed, n_assets, n, weighted, gappy)
    assert_allclose(
        neutralise(signal, exposures, weights),
        oracle.neutralise(signal, exposures, weights),
        rtol=0,
        atol=1e-11 if weighted else 1e-12,
    )


@ragged
def test_bars_memory_layout_and_missing_assets_change_no_bit(seed, n_assets, n, weighted, gappy):
    signal, exposures, weights = made(seed, n_assets, n, weighted, gappy)
    full = neutralise(signal, exposures, weights)

    def cut(first: int, stop: int) -> np.ndarray:
        part = None if weights is None else weights[first:stop]
        return neutralise(signal[first:stop], exposures[first:stop], part)

    assert_array_equal(np.concatenate([cut(0, 1), cut(1, 4), cut(4, N_BARS)]), full)

    wide = np.empty((2 * N_BARS, n_assets, n + 3))
    wide[::2, :, 1 : n + 1] = exposures
    backwards = np.ascontiguousarray(signal[::-1, ::-1])[::-1, ::-1]
    given_weights = None if weights is None else np.asfortranarray(weights)
    assert_array_equal(neutralise(backwards, wide[::2, :, 1 : n + 1], given_weights), full)
    assert_array_equal(neutralise(signal, np.asfortranarray(exposures), weights), full)

    there = np.isfinite(full[0])
    if there.any():
        part = None if weights is None else weights[:1, there]
        dense = neutralise(signal[:1, there], exposures[:1, there], part)
        assert_array_equal(dense[0], full[0, there])


@ragged
def test_residuals_are_uncorrelated_with_exposures_and_have_no_mean(
    seed, n_assets, n, weighted, gappy
):
    signal, exposures, weights = made(seed, n_assets, n, weighted, gappy)
    values = neutralise(signal, exposures, weights)
    for t in range(N_BARS):
        there = np.isfinite(values[t])
        weight = np.ones(there.sum()) if weights is None else weights[t, there]
        scale = max(weight.sum(), 1e-300)
        assert abs(weight @ values[t, there]) <= 1e-12 * scale
        for k in range(n):
            assert abs((weight * values[t, there]) @ exposures[t, there, k]) <= 1e-11 * scale


@pytest.mark.parametrize("apart", [1.0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("weighted", [False, True])
def test_residuals_keep_their_digits_where_exposures_are_nearly_alike(apart, weighted):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((14, 3))
    x[:, 1] = x[:, 0] + apart * x[:, 1]
    y = x[:, 1] - x[:, 0] + 0.1 * apart * rng.standard_normal(14)
    y /= apart  # what is explained lies in the direction that is hardest to find
    weight = rng.random(14) + 0.1 if weighted else np.ones(14)
    value = neutralise(y[None], x[None], weight[None] if weighted else None)[0]
    assert_allclose(value, oracle.exact_residuals(y, x, weight), rtol=0, atol=1e-12 + 1e-15 / apart)


def test_prices_far_from_zero_keep_their_digits():
    rng = np.random.default_rng(2)
    x = 1e9 + rng.standard_normal((12, 2))
    y = 1e6 + rng.standard_normal(12)
    value = neutralise(y[None], x[None])[0]
    assert_allclose(value, oracle.exact_residuals(y, x, np.ones(12)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("place", [0, 5])
def test_one_far_outlier_costs_the_others_no_digits(place):
    rng = np.random.default_rng(15)
    x, y = rng.standard_normal((400, 2)), rng.standard_normal(400)
    x[place, 0], y[place] = 1e3, -1e3
    value = neutralise(y[None], x[None])[0]
    want = oracle.exact_residuals(y, x, np.ones(400))
    assert_allclose(value, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_dependent_exposures_change_no_residual(weighted):
    rng = np.random.default_rng(3)
    sector = np.eye(4)[rng.integers(0, 4, 60)]
    beta = rng.standard_normal((5, 60, 1))
    signal = rng.standard_normal((5, 60))
    weights = rng.random((5, 60)) if weighted else None
    sectors = np.broadcast_to(sector, (5, 60, 4))
    plain = np.concatenate([sectors[..., :3], beta], axis=2)
    every = np.concatenate(
        [np.full((5, 60, 1), 0.1), sectors, beta, 3.7e9 * beta, beta + sectors[..., :1]], axis=2
    )
    want = neutralise(signal, plain, weights)
    assert_allclose(neutralise(signal, every, weights), want, rtol=0, atol=1e-13)
    assert_allclose(neutralise(signal, every[..., ::-1], weights), want, rtol=0, atol=1e-13)
    assert unfitted_assets(signal, every, weights)["rank_deficient"] == 5
    assert unfitted_assets(signal, plain, weights)["rank_deficient"] == 0
    for s in range(4):
        there = sector[:, s] == 1
        part = np.ones((5, there.sum())) if weights is None else weights[:, there]
        assert_allclose((part * want[:, there]).sum(axis=1), 0.0, atol=1e-12)


@pytest.mark.parametrize("power", [-300, -60, 60, 300])
def test_units_of_exposures_and_signal_change_no_digit(power):
    signal, exposures, _ = made(4, 37, 4, False, True)
    full = neutralise(signal, exposures)
    scaled = exposures.copy()
    scaled[..., 1] *= 2.0**power
    scaled[..., 3] *= -1.0
    assert_array_equal(neutralise(signal, scaled), full)
    assert_array_equal(neutralise(signal * 2.0**power, exposures), full * 2.0**power)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-12, 1e12, 1e160, 1e280])
def test_huge_and_tiny_scales_work(scale):
    signal, exposures, _ = made(5, 37, 3, False, False)
    full = neutralise(signal, exposures)
    mixed = exposures * [scale, 1.0, 1.0 / max(scale, 1e-280)]
    assert_allclose(neutralise(signal, mixed), full, rtol=0, atol=1e-12)
    assert_allclose(neutralise(signal * scale, mixed) / scale, full, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-157, 1e-125, 1e125, 1e153])
def test_products_that_leave_the_range_of_floats_lose_no_digits(scale):
    signal, exposures, _ = made(5, 37, 3, False, False)
    full = neutralise(signal, exposures)
    assert_allclose(neutralise(signal, exposures * scale), full, rtol=0, atol=1e-13)
    value = neutralise(signal * scale, exposures * scale) / scale
    assert_allclose(value, full, rtol=0, atol=1e-13)


def test_values_that_cannot_be_added_up_are_counted():
    signal, exposures, _ = made(6, 37, 3, False, False)
    exposures[2] *= 1e300
    values = neutralise(signal, exposures)
    assert np.isnan(values[2]).all()
    assert np.isfinite(np.delete(values, 2, axis=0)).all()
    assert unfitted_assets(signal, exposures)["too_large"] == 1


def test_a_common_factor_of_the_weights_changes_no_bit():
    signal, exposures, weights = made(7, 37, 3, True, True)
    full = neutralise(signal, exposures, weights)
    for factor in (4.0, 2.0**300, 2.0**-300):
        assert_array_equal(neutralise(signal, exposures, weights * factor), full)


def test_huge_weights_and_values_do_not_overflow_together():
    signal, exposures, weights = made(7, 37, 3, True, False)
    full = neutralise(signal, exposures, weights)
    value = neutralise(signal * 2.0**700, exposures * 2.0**700, weights * 2.0**900)
    assert_allclose(value * 2.0**-700, full, rtol=0, atol=1e-11)


def test_a_column_that_only_rounding_moves_explains_nothing():
    rng = np.random.default_rng(14)
    signal, noisy = rng.standard_normal((3, 40)), 0.1 + 2.0**-56 * rng.integers(0, 3, (3, 40))
    exposures = np.stack([noisy, rng.standard_normal((3, 40))], axis=2)
    assert len(np.unique(noisy)) > 1
    want = neutralise(signal, exposures[..., 1:])
    assert_allclose(neutralise(signal, exposures), want, rtol=0, atol=1e-14)
    assert unfitted_assets(signal, exposures)["rank_deficient"] == 3


@pytest.mark.parametrize("n", [5, 11])
def test_residuals_stay_uncorrelated_with_nearly_dependent_exposures(n):
    rng = np.random.default_rng(16)
    exposures = np.linspace(1.0, 2.0, 40)[:, None] ** np.arange(1.0, n + 1)
    signal = rng.standard_normal((20, 40))
    values = neutralise(signal, np.broadcast_to(exposures, (20, 40, n)))
    centred = exposures - exposures.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=0)
    assert_allclose(values @ centred, 0.0, rtol=0, atol=5e-15)


def test_equal_weights_are_no_weights():
    signal, exposures, _ = made(8, 37, 3, False, True)
    weights = np.full(signal.shape, 0.3)
    assert_allclose(
        neutralise(signal, exposures, weights), neutralise(signal, exposures), atol=1e-14
    )


def test_an_asset_of_weight_zero_is_left_out():
    signal, exposures, _ = made(9, 37, 3, False, False)
    weights = np.ones(signal.shape)
    weights[:, 5] = 0.0
    values = neutralise(signal, exposures, weights)
    others = np.arange(37) != 5
    assert np.isnan(values[:, 5]).all()
    assert_allclose(
        values[:, others], neutralise(signal[:, others], exposures[:, others]), atol=1e-13
    )


def test_order_of_the_assets_changes_the_last_digits_at_most():
    signal, exposures, weights = made(10, 90, 5, True, True)
    shuffled = np.random.default_rng(10).permutation(90)
    value = neutralise(signal[:, shuffled], exposures[:, shuffled], weights[:, shuffled])
    assert_allclose(value, neutralise(signal, exposures, weights)[:, shuffled], rtol=0, atol=1e-12)


def test_a_bar_needs_two_assets_more_than_exposures():
    rng = np.random.default_rng(11)
    signal, exposures = rng.standard_normal((2, 6)), rng.standard_normal((2, 6, 3))
    signal[0, 0] = np.nan
    signal[1, :2] = np.nan
    values = neutralise(signal, exposures)
    assert_array_equal(np.isfinite(values), [[False] + [True] * 5, [False] * 6])
    counts = unfitted_assets(signal, exposures)
    assert dict(counts) == {
        "missing": 1,
        "alone_in_group": 0,
        "too_few_assets": 1,
        "too_large": 0,
        "rank_deficient": 0,
    }


def test_a_signal_that_is_an_exposure_leaves_nothing():
    _, exposures, weights = made(12, 37, 4, True, False)
    signal = 2.0 * exposures[..., 0] - exposures[..., 2] + 5.0
    assert_allclose(neutralise(signal, exposures, weights), 0.0, atol=1e-13)


@pytest.mark.parametrize("shape", [(0, 5, 2), (4, 0, 2), (4, 5, 0), (1, 1, 1)])
def test_empty_axes_are_answered(shape):
    values = neutralise(np.ones(shape[:2]), np.ones(shape))
    assert values.shape == shape[:2]
    assert_array_equal(values, np.zeros((4, 5)) if shape[2] == 0 else np.full(shape[:2], np.nan))


@pytest.mark.parametrize("weighted", [False, True])
def test_no_exposures_are_an_empty_set_of_them(weighted):
    signal, exposures, weights = made(14, 37, 0, weighted, True)
    groups = np.arange(37) % 5
    expected = neutralise(signal, np.empty((*signal.shape, 0)), weights, groups=groups)
    assert_array_equal(neutralise(signal, weights=weights, groups=groups), expected)
    assert_array_equal(neutralise(signal, None, weights, groups=groups), expected)
    assert_array_equal(neutralise(signal, None, weights), neutralise(signal, exposures, weights))
    counts = unfitted_assets(signal, exposures, weights, groups=groups)
    assert unfitted_assets(signal, weights=weights, groups=groups) == counts


def test_inputs_are_left_as_they_are_and_may_be_read_only():
    signal, exposures, weights = made(13, 37, 3, True, True)
    full = neutralise(signal, exposures, weights)
    for array in (signal, exposures, weights):
        array.flags.writeable = False
    assert_array_equal(neutralise(signal, exposures, weights), full)


def test_every_problem_is_named():
    with pytest.raises(ParameterError, match=r"signal has shape \(5,\).*exposures have shape"):
        neutralise(np.ones(5), np.ones((5, 2)))
    with pytest.raises(ParameterError, match=r"weights have shape \(4, 5\), need \(4, 6\)"):
        neutralise(np.ones((4, 6)), np.ones((4, 6, 2)), np.ones((4, 5)))
    with pytest.raises(ParameterError, match=r"smallest weight is -2.0, needs at least 0"):
        unfitted_assets(np.ones((4, 6)), np.ones((4, 6, 2)), np.full((4, 6), -2.0))


def test_wrong_exposures_are_answered_with_the_shape_and_the_next_step():
    needed = r"exposures have shape \(4, 6\), need \(4, 6, exposures\); give one exposure as"
    with pytest.raises(ParameterError, match=rf"{needed} exposures\[:, :, None\]$"):
        neutralise(np.ones((4, 6)), np.ones((4, 6)))
    with pytest.raises(ParameterError, match=r"need \(4, 6, exposures\)$"):
        neutralise(np.ones((4, 6)), np.ones((3, 6, 1)))
    with pytest.raises(ParameterError, match=r"signal has shape \(5,\), needs \(bars, assets\)$"):
        neutralise(np.ones(5))


def test_real_momentum_within_real_sectors(shared_data):
    folder = shared_data / "us_equity_cc0"
    table = pl.read_parquet(
        folder / "sp500_ohlcv_2007-2017.parquet", columns=["symbol", "date", "close"]
    ).filter(pl.col("date").is_between(pl.date(2010, 12, 1), pl.date(2011, 4, 30)))
    wide = table.pivot("symbol", index="date", values="close").sort("date").drop("date")
    close = wide.to_numpy().astype(float)
    universe = pl.read_csv(folder / "universe.csv")
    sector_of = dict(zip(universe["symbol"], universe["sector"], strict=True))
    sectors = np.array([sector_of[name] or "none" for name in wide.columns])
    dummies = (sectors[:, None] == np.unique(sectors)).astype(float)
    signal = close[21:] / close[:-21] - 1.0
    exposures = np.concatenate(
        [
            np.broadcast_to(dummies, (*signal.shape, dummies.shape[1])),
            np.log(close[21:])[..., None],
        ],
        axis=2,
    )
    values = neutralise(signal, exposures)
    assert_allclose(values, oracle.neutralise(signal, exposures), rtol=0, atol=1e-12)
    counts = unfitted_assets(signal, exposures)
    assert counts["rank_deficient"] == len(signal)
    assert counts["missing"] == np.isnan(signal).sum() > 0
