"""Rank correlations against scipy bar by bar, and what must change no bit of them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.kernels import order_statistics
from plumbline.kernels.order_statistics import (
    centred_ranks,
    pearson_ic,
    rank_correlations,
    rank_ic,
)
from tests.oracles import rank_ic as oracle

GAPS = ("none", "alike", "apart")
VALUES = ("distinct", "ties", "close", "tiny", "huge")


def made_values(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    values = rng.standard_normal(shape)
    match kind:
        case "ties":
            return np.round(values * 1.5)
        case "close":  # a few units in the last place apart, some equal
            return np.nextafter(1.0, 2.0) + rng.integers(-40, 40, shape) * 2.0**-52
        case "tiny":  # denormal, both signs, both zeros
            return np.copysign(rng.integers(0, 9, shape) * 5e-324, values)
        case "huge":
            return values * 1e307
    return values


def made(seed: int, kind: str, gaps: str, n_assets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return three signals and two forward panels of seven bars."""
    rng = np.random.default_rng(seed)
    signals = made_values(rng, kind, (3, 7, n_assets))
    forwards = made_values(rng, kind if seed % 2 else "distinct", (2, 7, n_assets))
    holes = rng.choice([np.nan, np.inf, -np.inf], (5, 7, n_assets))
    empty = rng.random((5, 7, n_assets)) < rng.choice([0.03, 0.3, 0.9])
    if gaps == "alike":
        empty[:] = empty[0]
    if gaps != "none":
        both = np.concatenate([signals, forwards])
        both[empty] = holes[empty]
        signals, forwards = both[:3], both[3:]
    signals[0, 3] = forwards[1, 5] = 1.25
    return signals, forwards


ragged = given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(VALUES),
    gaps=st.sampled_from(GAPS),
    n_assets=st.sampled_from([1, 2, 3, 4, 9, 37, 70]),
)


@ragged
def test_rank_ic_is_spearmanr_bar_by_bar(seed, kind, gaps, n_assets):
    signals, forwards = made(seed, kind, gaps, n_assets)
    assert_allclose(
        rank_ic(signals, forwards), oracle.rank_ic(signals, forwards), rtol=0, atol=1e-12
    )


@ragged
def test_order_of_the_assets_changes_no_bit(seed, kind, gaps, n_assets):
    signals, forwards = made(seed, kind, gaps, n_assets)
    shuffled = np.random.default_rng(seed).permutation(n_assets)
    assert_array_equal(
        rank_ic(signals[..., shuffled], forwards[..., shuffled]), rank_ic(signals, forwards)
    )


@ragged
def test_each_bar_and_each_pair_stands_alone(seed, kind, gaps, n_assets):
    signals, forwards = made(seed, kind, gaps, n_assets)
    full = rank_ic(signals, forwards)
    assert_array_equal(rank_ic(signals[:, 2:5], forwards[:, 2:5]), full[:, :, 2:5])
    for s in range(len(signals)):
        for h in range(len(forwards)):
            alone = rank_ic(signals[s : s + 1], forwards[h : h + 1])
            assert_array_equal(alone[0, 0], full[s, h])


@ragged
def test_sides_may_be_swapped(seed, kind, gaps, n_assets):
    signals, forwards = made(seed, kind, gaps, n_assets)
    assert_array_equal(rank_ic(forwards, signals).swapaxes(0, 1), rank_ic(signals, forwards))


@ragged
def test_memory_layout_changes_no_bit(seed, kind, gaps, n_assets):
    signals, forwards = made(seed, kind, gaps, n_assets)
    full = rank_ic(signals, forwards)
    wide = np.empty((3, 14, 2 * n_assets))
    wide[:, ::2, ::2] = signals
    backwards = np.ascontiguousarray(forwards[:, ::-1, ::-1])[:, ::-1, ::-1]
    fixed = signals.copy()
    fixed.flags.writeable = False
    assert_array_equal(rank_ic(wide[:, ::2, ::2], backwards), full)
    assert_array_equal(rank_ic(np.asfortranarray(signals), np.asfortranarray(forwards)), full)
    assert_array_equal(rank_ic(fixed, forwards.tolist()), full)


@pytest.mark.parametrize("key_bytes", [1, 4000, 1 << 30])
def test_how_many_bars_are_sorted_at_a_time_changes_no_bit(monkeypatch, key_bytes):
    signals, forwards = made(5, "ties", "apart", 37)
    full = rank_ic(signals, forwards)
    monkeypatch.setattr(order_statistics, "_KEY_BYTES", key_bytes)
    assert_array_equal(rank_ic(signals, forwards), full)


def test_inputs_are_left_as_they_are():
    signals, forwards = made(6, "ties", "apart", 37)
    before = signals.copy(), forwards.copy()
    rank_ic(signals, forwards)
    assert_array_equal(signals, before[0])
    assert_array_equal(forwards, before[1])


def test_equal_order_gives_exactly_one_and_reversed_order_minus_one():
    rng = np.random.default_rng(7)
    signals = rng.standard_normal((1, 50, 83))
    signals[0, 25:, ::7] = np.nan
    signals[0, 40:] = np.round(signals[0, 40:])
    assert_array_equal(rank_ic(signals, np.exp(signals)), np.ones((1, 1, 50)))
    assert_array_equal(rank_ic(signals, -np.exp(signals)), -np.ones((1, 1, 50)))


def test_negative_zero_equals_zero():
    signals = np.array([[[-0.0, 0.0, 1.0, 2.0, -3.0]]])
    forwards = np.array([[[2.0, 1.0, 5.0, 4.0, 0.0]]])
    assert_array_equal(
        rank_ic(signals, forwards), rank_ic(np.abs(signals) * [1, 1, 1, 1, -1], forwards)
    )
    assert rank_ic(signals, forwards)[0, 0, 0] == pytest.approx(
        oracle.correlation(signals[0, 0], forwards[0, 0]), abs=1e-15
    )


def test_infinite_values_are_missing():
    signals, forwards = made(8, "distinct", "apart", 37)
    as_nan = [np.where(np.isfinite(panel), panel, np.nan) for panel in (signals, forwards)]
    assert np.isinf(signals).any()
    assert_array_equal(rank_ic(*as_nan), rank_ic(signals, forwards))


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 5), (2, 4, 0), (2, 4, 1), (2, 4, 2)])
def test_too_few_assets_give_nan(shape):
    signals = np.arange(np.prod(shape), dtype=float).reshape(shape)
    values = rank_ic(signals, np.ones((3, *shape[1:])))
    assert values.shape == (shape[0], 3, shape[1])
    assert np.isnan(values).all()


def test_a_thousand_assets_stay_exact():
    rng = np.random.default_rng(9)
    signals, forwards = rng.standard_normal((2, 3, 1500)), rng.standard_normal((2, 3, 1500))
    forwards[1, :, ::11] = np.nan
    forwards[0, 2] = np.round(forwards[0, 2], 1)
    assert_allclose(rank_ic(signals, forwards), oracle.rank_ic(signals, forwards), atol=1e-12)


def test_every_problem_is_named():
    with pytest.raises(ParameterError, match=r"signals have shape \(3, 4\).*forwards have shape"):
        rank_ic(np.ones((3, 4)), np.ones(4))
    with pytest.raises(ParameterError, match=r"\(4, 5\).*\(4, 6\).*need the same"):
        rank_ic(np.ones((3, 4, 5)), np.ones((2, 4, 6)))


@pytest.mark.parametrize("correlation", [rank_ic, pearson_ic])
def test_a_panel_alone_is_answered_with_how_to_give_it(correlation):
    with pytest.raises(ParameterError) as caught:
        correlation(np.ones((4, 5)), np.ones((4, 5)))
    assert str(caught.value) == (
        f"{correlation.__name__}: signals have shape (4, 5), need (signals, bars, assets); "
        "give one panel as signals[None]; forwards have shape (4, 5), need "
        "(horizons, bars, assets); give one panel as forwards[None]"
    )
    with pytest.raises(ParameterError, match=r"give one panel as panels\[None\]$"):
        centred_ranks(np.ones((4, 5)))


def test_real_momentum_against_real_returns(shared_data):
    table = pl.read_parquet(
        shared_data / "us_equity_cc0" / "sp500_ohlcv_2007-2017.parquet",
        columns=["symbol", "date", "close"],
    ).filter(pl.col("date").is_between(pl.date(2010, 9, 1), pl.date(2011, 4, 30)))
    close = table.pivot("symbol", index="date", values="close").sort("date").drop("date")
    close = close.to_numpy().astype(float)
    signals = np.full((2, *close.shape), np.nan)
    signals[0, 21:] = close[21:] / close[:-21] - 1.0
    signals[1, 5:] = np.round(close[5:] / close[:-5] - 1.0, 2)
    forwards = np.full((2, *close.shape), np.nan)
    forwards[0, :-1] = close[1:] / close[:-1] - 1.0
    forwards[1, :-5] = close[5:] / close[:-5] - 1.0
    values = rank_ic(signals, forwards)
    assert np.isfinite(values).sum() > 500
    assert_allclose(values, oracle.rank_ic(signals, forwards), rtol=0, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), gaps=st.sampled_from([0.0, 0.3]))
@settings(max_examples=20)
def test_panels_among_themselves_correlate_as_one_by_one(seed, gaps):
    rng = np.random.default_rng(seed)
    panels = np.round(rng.standard_normal((5, 12, 9)), 1)
    panels[rng.random(panels.shape) < gaps] = np.nan
    panels[3] = np.where(rng.random(panels[3].shape) < 0.5, panels[1], panels[3])
    found, expected = rank_correlations(panels), rank_ic(panels, panels)
    above = np.triu(np.ones((5, 5), dtype=bool))
    np.testing.assert_array_equal(found[above], expected[above])
    assert np.isnan(found[~above]).all()


def test_no_panel_correlates_with_none():
    assert rank_correlations(np.empty((0, 4, 5))).shape == (0, 0, 4)
