import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.factors.marked_changes import last_closes, marked_changes
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantiles import quantile_buckets
from plumbline.factors.spread import (
    spread_bars,
    spread_returns,
    spread_summary,
    spread_trades,
)
from plumbline.inference.hac import hac_mean
from tests.oracles import evaluation as oracle


def options(horizon=3, cost_bps=10.0, n_quantiles=3):
    return EvaluationOptions(
        horizons=(1,), n_quantiles=n_quantiles, cost_bps=cost_bps, spread_horizon=horizon
    )


def spread_of(buckets, changes, chosen):
    return spread_returns(spread_bars(spread_trades(buckets, changes, chosen)), chosen.cost_bps)


def ragged(seed, n_bars, n_assets=7):
    rng = np.random.default_rng(seed)
    close = np.exp(np.cumsum(0.03 * rng.standard_normal((n_bars, n_assets)), axis=0))
    close[rng.random(close.shape) < 0.1] = np.nan
    close[: n_bars // 4, 0] = np.nan
    close[n_bars // 2 :, 1] = -1.0
    signal = rng.standard_normal(close.shape)
    signal[rng.random(close.shape) < 0.1] = np.nan
    signal[rng.random(n_bars) < 0.2] = np.nan
    signal[~(close > 0)] = np.nan
    return quantile_buckets(signal, 3), close


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 30), horizon=st.integers(1, 6))
def test_matches_the_loop(seed, n_bars, horizon):
    buckets, close = ragged(seed, n_bars)
    spread = spread_of(buckets, marked_changes(close), options(horizon))
    expected = oracle.spread(buckets, close, 3, horizon, 10.0)
    assert len(spread.net) == len(expected)
    if expected:
        rows, gross, cost, turnover = (np.array(column) for column in zip(*expected, strict=True))
        assert spread.row == rows[0]
        assert_allclose(spread.gross, gross, atol=1e-13)
        assert_allclose(spread.cost, cost, atol=1e-15)
        assert_allclose(spread.turnover, turnover, atol=1e-12)
        assert_allclose(spread.net, gross - cost, atol=1e-13)


def test_a_position_formed_at_a_close_earns_the_return_of_the_next_bar():
    close = np.array([[100.0, 100.0], [110.0, 100.0], [110.0, 100.0], [110.0, 90.0]])
    buckets = np.array([[2, 1], [1, 2], [2, 1], [0, 0]], dtype=np.int8)
    spread = spread_of(buckets, marked_changes(close), options(1, 0.0, 2))
    assert spread.row == 1
    assert_allclose(spread.gross, [0.1, 0.0, 0.1])


def test_costs_are_charged_on_what_is_traded_after_drift():
    close = np.array([[100.0, 100.0], [110.0, 100.0], [121.0, 100.0]])
    buckets = np.array([[2, 1], [2, 1], [2, 1]], dtype=np.int8)
    spread = spread_of(buckets, marked_changes(close), options(1, 10.0, 2))
    assert_allclose(spread.turnover, [2.0, 0.1])  # buy both sides; then sell the gain
    assert_allclose(spread.cost, [0.002, 0.0001])


def test_books_overlap_and_each_side_stays_at_one():
    rng = np.random.default_rng(0)
    close = np.ones((60, 10))
    buckets = quantile_buckets(rng.standard_normal((60, 10)), 5)
    turnover = spread_of(buckets, marked_changes(close), options(10, 5.0, 5)).turnover
    whole = spread_of(buckets, marked_changes(close), options(1, 5.0, 5)).turnover
    assert_allclose(turnover[0], 2.0)
    assert turnover[10:].max() <= 4 / 10 + 1e-12  # a tenth is sold and a tenth bought, two sides
    assert_allclose(turnover[10:].mean() * 10, whole[1:].mean(), rtol=0.35)


def test_a_constant_book_at_constant_prices_costs_its_purchase_only():
    buckets = np.tile(np.array([2, 1], dtype=np.int8), (50, 1))
    spread = spread_of(buckets, marked_changes(np.ones((50, 2))), options(21, 5.0, 2))
    assert_allclose(spread.turnover, [2.0] + [0.0] * 48, atol=1e-15)


def test_a_gap_is_earned_when_the_price_is_back():
    close = np.array([[100.0, 100.0], [np.nan, 100.0], [120.0, 100.0], [120.0, 100.0]])
    buckets = np.array([[2, 1], [0, 0], [0, 0], [0, 0]], dtype=np.int8)
    spread = spread_of(buckets, marked_changes(close), options(3, 0.0, 2))
    assert_allclose(spread.gross, [0.0, 0.2, 0.0])


def test_without_a_book_there_is_no_spread():
    for n_bars in (0, 1, 5):
        close, buckets = np.ones((n_bars, 3)), np.zeros((n_bars, 3), dtype=np.int8)
        spread = spread_of(buckets, marked_changes(close), options())
        assert len(spread.net) == len(spread.turnover) == 0
        summary = spread_summary(spread, 252.0)
        assert summary.n_bars == 0
        assert all(math.isnan(value) for value in summary[:-1])


def test_returns_that_never_vary_have_no_sharpe_ratio():
    close = 1.01 ** np.arange(40)[:, None] * np.ones((40, 2))
    close[:, 1] = 1.0
    buckets = np.tile(np.array([2, 1], dtype=np.int8), (40, 1))
    spread = spread_of(buckets, marked_changes(close), options(1, 0.0, 2))
    assert_allclose(spread.net, 0.01)
    summary = spread_summary(spread, 252.0)
    assert math.isnan(summary.sharpe_net)
    assert math.isnan(summary.t_hac)


@given(seed=st.integers(0, 2**32 - 1))
def test_summary_matches_its_definitions(seed):
    buckets, close = ragged(seed, 80)
    spread = spread_of(buckets, marked_changes(close), options())
    s = spread_summary(spread, 252.0)
    assert s.n_bars == len(spread.net)
    assert_allclose(s.net_annual, s.gross_annual - s.cost_annual, rtol=1e-9, atol=1e-12)
    assert_allclose(s.gross_annual, 252 * np.mean(spread.gross))
    assert_allclose(s.volatility_annual, np.sqrt(252) * np.std(spread.net, ddof=1))
    assert_allclose(s.sharpe_net, s.net_annual / s.volatility_annual)
    assert_allclose(s.max_drawdown, oracle.max_drawdown(list(spread.net)), atol=1e-13)
    assert_allclose(s.mean_turnover, np.mean(spread.turnover))
    assert s.t_hac == float(hac_mean(spread.net).t)
    assert s.p_value == float(hac_mean(spread.net).p_value)


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 30), cut=st.integers(0, 30))
def test_changes_of_two_parts_are_those_of_the_whole(seed, n_bars, cut):
    _, close = ragged(seed, n_bars)
    none = np.full(close.shape[1], np.nan)
    parts = [
        marked_changes(close[:cut]),
        marked_changes(close[cut:], last_closes(close[:cut], none)),
    ]
    assert_array_equal(np.concatenate(parts), marked_changes(close))
