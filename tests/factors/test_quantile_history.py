"""Running sums of groups, against a loop over bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.factors.marked_changes import marked_changes
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantile_history import (
    quantile_history,
    quantile_history_table,
    relative_returns,
)
from plumbline.factors.quantiles import quantile_buckets
from plumbline.factors.spread import spread_bars, spread_trades
from tests.oracles import signal_comparison as oracle

DAY = np.timedelta64(1, "D")


def made(seed: int, n_bars: int, n_assets: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(0.02 * rng.standard_normal((n_bars, n_assets)).cumsum(axis=0))
    signal = np.round(rng.standard_normal((n_bars, n_assets)), 1)
    signal[rng.random(signal.shape) < 0.2] = np.nan
    signal[: n_bars // 4] = np.nan
    return close, signal


@given(
    seed=st.integers(0, 2**32 - 1),
    n_bars=st.sampled_from([1, 2, 3, 25]),
    n_assets=st.sampled_from([1, 3, 14]),
    n_quantiles=st.sampled_from([2, 3, 5]),
)
def test_the_running_sums_are_those_of_a_loop(seed, n_bars, n_assets, n_quantiles):
    close, signal = made(seed, n_bars, n_assets)
    buckets, changes = quantile_buckets(signal, n_quantiles), marked_changes(close)
    bars = np.datetime64("2020-01-01T21:00:00", "us") + np.arange(n_bars) * DAY
    history = quantile_history(relative_returns(buckets, changes, n_quantiles))
    table = quantile_history_table(["s"], bars, [history])
    expected = oracle.quantile_history(buckets, changes, n_quantiles)
    found = zip(
        table["bar_close"].dt.replace_time_zone(None).to_list(),
        table["quantile"].to_list(),
        strict=True,
    )
    assert list(found) == [(bars[t].astype(object), q) for t, q, _ in expected]
    values = table["cumulative_return"].to_list()
    assert values == pytest.approx([value for _, _, value in expected], abs=1e-12)


def test_top_less_bottom_is_the_gross_spread_of_books_held_for_one_bar():
    close, signal = made(7, 200, 40)
    buckets, changes = quantile_buckets(signal, 5), marked_changes(close)
    history = quantile_history(relative_returns(buckets, changes, 5))
    options = EvaluationOptions(horizons=(1,), n_quantiles=5, spread_horizon=1)
    spread = spread_bars(spread_trades(buckets, changes, options))
    assert history.row == spread.has_book.argmax() + 1
    found = history.cumulative[:, 4] - history.cumulative[:, 0]
    np.testing.assert_allclose(found, spread.gross[history.row :].cumsum(), atol=1e-12)


def test_what_follows_changes_no_earlier_sum():
    close, signal = made(8, 60, 20)
    buckets, changes = quantile_buckets(signal, 3), marked_changes(close)
    full = quantile_history(relative_returns(buckets, changes, 3))
    part = quantile_history(relative_returns(buckets[:40], changes[:40], 3))
    assert part.row == full.row
    np.testing.assert_array_equal(full.cumulative[: len(part.cumulative)], part.cumulative)


def test_signals_are_stacked_in_their_order():
    close, signal = made(9, 30, 12)
    bars = np.datetime64("2020-01-01T21:00:00", "us") + np.arange(30) * DAY
    histories = [
        quantile_history(relative_returns(quantile_buckets(x, 3), marked_changes(close), 3))
        for x in (signal, -signal)
    ]
    table = quantile_history_table(["a", "b"], bars, histories)
    assert table["signal"].unique(maintain_order=True).to_list() == ["a", "b"]
    assert (
        table.filter(table["signal"] == "b")
        .drop("signal")
        .equals(quantile_history_table(["b"], bars, histories[1:]).drop("signal"))
    )
    assert quantile_history_table([], bars, []).schema == table.schema
