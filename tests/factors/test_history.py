"""Histories of an evaluation, against plain loops over dates."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.panel import Panel
from plumbline.factors.history import (
    factor_fit,
    ic_by_month,
    ic_by_year,
    ic_histogram,
    ic_rolling,
    spread_history,
)

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


def test_the_trailing_mean_of_the_pearson_ic_is_over_the_same_bars():
    table = ic_table().with_columns(pearson_ic=2.0 * pl.col("rank_ic") + 1.0)
    gap = (pl.col("signal") == "a") & (pl.col("bar_close") == START + timedelta(days=9))
    holed = table.with_columns(pearson_ic=pl.when(gap).then(None).otherwise("pearson_ic"))
    out = ic_rolling(holed, 4)
    assert out.drop("mean_pearson_ic").equals(ic_rolling(ic_table(), 4))
    missing = out.filter(pl.col("mean_pearson_ic").is_null())
    assert set(missing["signal"]) == {"a"}
    days = {(bar - START).days for bar in missing["bar_close"]}
    assert days == {9, 10, 11, 12}
    rest = out.drop_nulls()
    np.testing.assert_allclose(rest["mean_pearson_ic"], 2 * rest["mean_ic"] + 1, atol=1e-12)


def test_months_are_calendar_months_in_utc_and_add_up_to_years():
    table = ic_table(n_bars=100)
    table = table.with_columns(
        rank_ic=pl.when(pl.col("bar_close") == START).then(None).otherwise("rank_ic")
    )
    months = ic_by_month(table)
    rows = series(months, "a", 1).to_dicts()
    assert [(r["year"], r["month"], r["n_bars"]) for r in rows] == [
        (2019, 12, 11),
        (2020, 1, 31),
        (2020, 2, 29),
        (2020, 3, 28),
    ]
    january = [
        r["rank_ic"]
        for r in series(table, "a", 1).to_dicts()
        if (r["bar_close"].year, r["bar_close"].month) == (2020, 1)
    ]
    assert rows[1]["mean_ic"] == pytest.approx(np.mean(january))
    weighted = sum(r["mean_ic"] * r["n_bars"] for r in rows if r["year"] == 2020) / 88
    year = series(ic_by_year(table), "a", 1).filter(pl.col("year") == 2020)
    assert year["mean_ic"][0] == pytest.approx(weighted)


@given(
    values=st.lists(
        st.one_of(
            st.floats(-1, 1),
            st.sampled_from([0.15, -0.15, 0.0, 1.0, -1.0, float("nan")]),
            st.none(),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_every_rank_ic_is_counted_in_the_one_bin_that_holds_it(values):
    table = pl.DataFrame(
        {"signal": "a", "horizon_bars": 5, "rank_ic": pl.Series(values, dtype=pl.Float64)}
    )
    out = ic_histogram(table)
    present = [v for v in values if v is not None and np.isfinite(v)]
    assert out["n"].sum() == len(present)
    for row in out.to_dicts():
        assert row["n"] == sum(row["lower"] <= v < row["upper"] for v in present)
    assert out["lower"].to_list()[1:] == out["upper"].to_list()[:-1]
    assert out.height <= 31
    if present:
        assert out["n"][0] > 0
        assert out["n"][-1] > 0
        widths = (out["upper"] - out["lower"]).to_numpy()
        np.testing.assert_allclose(widths, widths[0])
        assert np.abs(out["lower"] / widths[0] - (out["lower"] / widths[0]).round()).max() < 1e-6


def test_histograms_have_bins_of_their_own_series():
    out = ic_histogram(ic_table().with_columns(rank_ic=pl.col("rank_ic").tanh()))
    assert out.group_by("signal", "horizon_bars").agg(pl.col("n").sum()).sort(pl.all()).rows() == [
        ("a", 1, 40),
        ("a", 5, 40),
        ("b", 1, 39),
        ("b", 5, 39),
    ]
    assert ic_histogram(ic_table().clear()).height == 0


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
