"""Histories of an evaluation, against plain loops over dates."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from plumbline.core.panel import Panel
from plumbline.factors.history import coverage, factor_fit, ic_by_year, ic_rolling, spread_history

START = datetime(2019, 12, 20, 21, tzinfo=UTC)


def ic_table(seed=0, n_bars=40):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "bar_close": START + timedelta(days=i),
            "signal": signal,
            "horizon_bars": horizon,
            "rank_ic": rng.standard_normal(),
        }
        for signal in ("a", "b")
        for horizon in (1, 5)
        for i in range(n_bars)
        if not (signal == "b" and i == 7)
    ]
    return pl.DataFrame(rows)


def series(table, signal, horizon):
    return table.filter(pl.col("signal") == signal, pl.col("horizon_bars") == horizon)


@pytest.mark.parametrize("window", [1, 3, 40])
def test_the_trailing_mean_reads_only_its_own_series_and_past(window):
    table = ic_table()
    out = ic_rolling(table, window)
    for signal in ("a", "b"):
        for horizon in (1, 5):
            rows = series(table, signal, horizon).to_dicts()
            expected = [
                (
                    rows[i]["bar_close"],
                    np.mean([r["rank_ic"] for r in rows[i - window + 1 : i + 1]]),
                )
                for i in range(window - 1, len(rows))
            ]
            found = series(out, signal, horizon).select("bar_close", "mean_ic").rows()
            assert [t for t, _ in found] == [t for t, _ in expected]
            np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], atol=1e-12)


def test_years_are_calendar_years_in_utc():
    table = ic_table()
    out = ic_by_year(table)
    rows = series(out, "b", 5).to_dicts()
    assert [(r["year"], r["n_bars"]) for r in rows] == [(2019, 11), (2020, 28)]
    first = [r["rank_ic"] for r in series(table, "b", 5).to_dicts() if r["bar_close"].year == 2019]
    assert rows[0]["mean_ic"] == pytest.approx(np.mean(first))


def test_drawdown_starts_from_zero_and_is_never_positive():
    net = [-0.02, 0.05, -0.01, -0.03, 0.1, -0.04]
    table = pl.DataFrame(
        {
            "bar_close": [START + timedelta(days=i) for i in range(6)] * 2,
            "signal": ["a"] * 6 + ["b"] * 6,
            "gross_return": [x + 0.001 for x in net] * 2,
            "cost": [0.001] * 12,
            "net_return": net + [-x for x in net],
            "turnover": [0.1] * 12,
        }
    )
    out = spread_history(table)
    for signal, sign in (("a", 1), ("b", -1)):
        total, peak, expected = 0.0, 0.0, []
        for value in net:
            total += sign * value
            peak = max(peak, total)
            expected.append(total - peak)
        found = out.filter(pl.col("signal") == signal)
        np.testing.assert_allclose(found["drawdown"], expected, atol=1e-15)
        assert found["net_cumulative"][-1] == pytest.approx(total)
    assert out.filter(pl.col("signal") == "a")["gross_cumulative"][-1] == pytest.approx(0.056)


def panel(**fields):
    n_bars = len(next(iter(fields.values())))
    bars = np.datetime64("2020-01-01T21:00:00", "us") + np.arange(n_bars) * np.timedelta64(1, "D")
    return Panel({k: np.array(v) for k, v in fields.items()}, bars, ["X", "Y", "Z"])


def test_coverage_counts_prices_and_signals_that_have_one():
    nan = np.nan
    prices = panel(close=[[1.0, nan, 3.0], [1.0, 2.0, 3.0]])
    signal = np.array([[0.5, 0.5, nan], [nan, nan, nan]])
    out = coverage("s", signal, prices)
    assert out.select("n_assets_priced", "n_assets_with_signal_s").rows() == [(2, 1), (3, 0)]


def test_means_of_a_fit_leave_out_assets_without_one():
    nan = np.nan
    model = panel(
        r2=[[0.2, nan, 0.4], [nan, nan, nan]],
        n_obs=[[10.0, 3.0, 20.0], [1.0, 1.0, 1.0]],
        beta_market=[[1.0, nan, 2.0], [nan, nan, nan]],
    )
    out = factor_fit(model)
    assert out["n_assets"].to_list() == [2, 0]
    assert out["mean_r2"].to_list() == [pytest.approx(0.3), None]
    assert out["mean_n_obs"].to_list() == [15.0, None]
    assert out["mean_beta_market"].to_list() == [1.5, None]
