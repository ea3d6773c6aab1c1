import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.evaluation import evaluate
from plumbline.factors.options import EvaluationOptions
from plumbline.inference.hac import hac_mean
from tests.contracts.made_panels import axis, names
from tests.oracles import evaluation as oracle

OPTIONS = EvaluationOptions(
    horizons=(1, 4),
    n_quantiles=3,
    spread_horizon=3,
    n_resamples=50,
    n_draws=20,
    impact_bars=5,
    capitals_usd=(1e5, 1e7),
)
BARE = EvaluationOptions(horizons=(1, 4), n_quantiles=3, spread_horizon=3, n_resamples=0, n_draws=0)
_SERIES = {"signal": pl.String, "horizon_bars": pl.Int64}
_MEAN = {"mean_ic": pl.Float64, "t_hac": pl.Float64, "p_value": pl.Float64, "n_bars": pl.Int64}
COLUMNS = {
    "pearson": {
        **_SERIES,
        "mean_ic": pl.Float64,
        "sd_ic": pl.Float64,
        "icir": pl.Float64,
        "t_hac": pl.Float64,
        "p_value": pl.Float64,
        "critical_5pct": pl.Float64,
        "lag_bars": pl.Int64,
        "n_bars": pl.Int64,
    },
    "bootstrap": {
        **_SERIES,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "level": pl.Float64,
        "block_bars": pl.Float64,
        "n_resamples": pl.Int64,
        "seed": pl.Int64,
    },
    "null_suite": {
        **_SERIES,
        "null": pl.String,
        "mean": pl.Float64,
        "sd": pl.Float64,
        "p_value": pl.Float64,
        "n_draws": pl.Int64,
        "seed": pl.Int64,
    },
    "turnover": {
        **_SERIES,
        "quantile": pl.Int64,
        "mean_turnover": pl.Float64,
        "n_bars": pl.Int64,
    },
    "rank_autocorrelation": {
        **_SERIES,
        "mean_autocorrelation": pl.Float64,
        "n_bars": pl.Int64,
    },
    "ic_by_sector": {"sector": pl.String, **_SERIES, **_MEAN, "mean_n_assets": pl.Float64},
    "ic_by_regime": {"regime": pl.String, "state": pl.String, **_SERIES, **_MEAN},
    "capacity": {
        "signal": pl.String,
        "capital_usd": pl.Float64,
        "gross_annual": pl.Float64,
        "cost_annual": pl.Float64,
        "impact_annual": pl.Float64,
        "net_annual": pl.Float64,
        "participation": pl.Float64,
    },
    "breaks": {
        **_SERIES,
        "statistic": pl.Float64,
        "p_value": pl.Float64,
        "bar_close": pl.Datetime("us", "UTC"),
        "mean_before": pl.Float64,
        "mean_after": pl.Float64,
        "n_bars": pl.Int64,
    },
    "summary": {
        "signal": pl.String,
        "horizon_bars": pl.Int64,
        "mean_ic": pl.Float64,
        "sd_ic": pl.Float64,
        "icir": pl.Float64,
        "t_hac": pl.Float64,
        "p_value": pl.Float64,
        "critical_5pct": pl.Float64,
        "lag_bars": pl.Int64,
        "n_bars": pl.Int64,
        "mean_n_assets": pl.Float64,
        "hit_rate": pl.Float64,
    },
    "ic": {
        "bar_close": pl.Datetime("us", "UTC"),
        "signal": pl.String,
        "horizon_bars": pl.Int64,
        "rank_ic": pl.Float64,
        "pearson_ic": pl.Float64,
    },
    "decay": {
        "signal": pl.String,
        "horizon_bars": pl.Int64,
        "mean_ic": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
    },
    "quantiles": {
        "signal": pl.String,
        "horizon_bars": pl.Int64,
        "quantile": pl.Int64,
        "mean_return": pl.Float64,
        "mean_return_demeaned": pl.Float64,
        "n": pl.Int64,
    },
    "spread": {
        "bar_close": pl.Datetime("us", "UTC"),
        "signal": pl.String,
        "gross_return": pl.Float64,
        "cost": pl.Float64,
        "net_return": pl.Float64,
        "turnover": pl.Float64,
        "net_cumulative": pl.Float64,
        "gross_cumulative": pl.Float64,
        "drawdown": pl.Float64,
    },
    "spread_summary": {
        "signal": pl.String,
        "gross_annual": pl.Float64,
        "cost_annual": pl.Float64,
        "net_annual": pl.Float64,
        "volatility_annual": pl.Float64,
        "sharpe_net": pl.Float64,
        "t_hac": pl.Float64,
        "p_value": pl.Float64,
        "max_drawdown": pl.Float64,
        "mean_turnover": pl.Float64,
        "n_bars": pl.Int64,
    },
}


def market(seed, n_bars, n_assets=9):
    rng = np.random.default_rng(seed)
    close = 20 * np.exp(np.cumsum(0.03 * rng.standard_normal((n_bars, n_assets)), axis=0))
    close[rng.random(close.shape) < 0.05] = np.nan
    close[: n_bars // 5, 0] = np.nan
    volume = 1e5 * np.exp(rng.standard_normal(close.shape))
    volume[rng.random(close.shape) < 0.1] = np.nan
    volume[:, 1] = 0.0
    fields = {"close": close, "volume": volume}
    return Panel(fields, axis(n_bars), names(n_assets), first_bar=13)


def sectors_of(panel):
    return {asset: "even" if i % 2 == 0 else "odd" for i, asset in enumerate(panel.assets[:-1])}


def regimes_of(panel):
    calm = np.where(np.arange(panel.n_bars) % 3 == 0, "calm", "wild").astype(object)
    calm[:2] = None
    code = (np.arange(panel.n_bars) % 2).astype(float)
    code[-1] = np.nan
    return {"mood": calm, "code": code}


def whole(signals, panel, options=OPTIONS):
    """Evaluate with every input given."""
    more = {"sectors": sectors_of(panel), "regimes": regimes_of(panel)}
    return evaluate(signals, panel, options=options, **more)


def ragged_signal(seed, shape):
    rng = np.random.default_rng([seed, 1])
    signal = rng.standard_normal(shape)
    signal[:, ::4] = np.round(signal[:, ::4])
    signal[rng.random(shape) < 0.1] = np.nan
    signal[rng.random(shape) < 0.02] = np.inf
    return signal


def tradable(signal, close):
    return np.where(np.isfinite(signal) & np.isfinite(close), signal, np.nan)


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(12, 40))
@settings(max_examples=15)
def test_tables_match_the_loops(seed, n_bars):
    panel = market(seed, n_bars)
    close = panel["close"]
    signals = {"one": ragged_signal(seed, close.shape), "two": ragged_signal(seed + 1, close.shape)}
    result = evaluate(signals, panel, options=OPTIONS)
    for name, signal in signals.items():
        groups = oracle.buckets(tradable(signal, close), 3)
        expected = oracle.spread(groups, close, 3, 3, 5.0)
        spread = result.spread.filter(signal=name)
        rows = [row for row, *_ in expected]
        assert_array_equal(spread["bar_close"].dt.replace_time_zone(None), panel.bars[rows])
        assert_allclose(spread["gross_return"], [row[1] for row in expected], atol=1e-13)
        assert_allclose(spread["turnover"], [row[3] for row in expected], atol=1e-12)
        for horizon in OPTIONS.horizons:
            ic = oracle.rank_ic(signal, close, horizon, 3)
            there = np.isfinite(ic)
            rows = result.ic.filter(signal=name, horizon_bars=horizon)
            assert_array_equal(rows["bar_close"].dt.replace_time_zone(None), panel.bars[there])
            assert_allclose(rows["rank_ic"], ic[there], atol=1e-13)
            line = result.summary.filter(signal=name, horizon_bars=horizon).row(0, named=True)
            assert line["n_bars"] == there.sum()
            if there.sum() < 3:
                continue
            test = hac_mean(ic, horizon=horizon)
            assert_allclose(line["mean_ic"], ic[there].mean(), atol=1e-13)
            assert_allclose(line["sd_ic"], ic[there].std(ddof=1), rtol=1e-9)
            assert_allclose(line["icir"], ic[there].mean() / ic[there].std(ddof=1), rtol=1e-9)
            assert_allclose(line["t_hac"], test.t, rtol=1e-8)
            assert_allclose(line["p_value"], test.p_value, rtol=1e-7)
            assert_allclose(line["hit_rate"], (ic[there] > 0).mean())
            assert line["lag_bars"] == test.lag
            pairs = [
                (
                    oracle.usable(signal, close, t)
                    & np.isfinite(oracle.forward_return(close, t, horizon))
                ).sum()
                for t in np.flatnonzero(there)
            ]
            assert_allclose(line["mean_n_assets"], np.mean(pairs))
            decay = result.decay.filter(signal=name, horizon_bars=horizon).row(0, named=True)
            assert_allclose([decay["lower"], decay["upper"]], [test.lower, test.upper], rtol=1e-8)
            mean, demeaned, n = oracle.quantile_table(groups, close, horizon, 3)
            table = result.quantiles.filter(signal=name, horizon_bars=horizon)
            assert table["quantile"].to_list() == [1, 2, 3]
            assert_allclose(table["mean_return"].fill_null(np.nan), mean, rtol=1e-9, atol=1e-15)
            assert_allclose(
                table["mean_return_demeaned"].fill_null(np.nan), demeaned, rtol=1e-9, atol=1e-15
            )
            assert table["n"].to_list() == n


def test_columns_and_types_are_the_published_ones():
    panel = market(0, 30)
    signals = {"one": ragged_signal(0, panel.shape), "nothing": np.full(panel.shape, np.nan)}
    for given_signals in (signals, {"nothing": signals["nothing"]}):
        for result in (
            whole(given_signals, panel),
            evaluate(given_signals, panel.only(["close"]), options=BARE),
        ):
            for table, columns in COLUMNS.items():
                assert getattr(result, table).schema == pl.Schema(columns), table


def test_every_figure_has_a_convention():
    result = evaluate({"one": ragged_signal(0, (30, 9))}, market(0, 30), options=OPTIONS)
    told_by_their_table = {
        *("signal", "bar_close", "horizon_bars", "lag_bars", "lower", "upper", "n", "level"),
        *("n_resamples", "n_draws", "seed", "null", "mean", "sd", "sector", "regime", "state"),
        *("capital_usd", "mean_before", "mean_after"),
    }
    figures = {column for columns in COLUMNS.values() for column in columns}
    assert figures - told_by_their_table <= set(result.conventions)
    new = {"pearson", "bootstrap", "null_suite", "breaks", "ic_by_sector", "ic_by_regime"}
    assert new | {"capacity", "ic_rolling", "ic_by_year", "coverage"} <= set(result.conventions)


def test_a_figure_that_does_not_exist_is_null_and_never_nan():
    panel = market(0, 30)
    signals = {"nothing": np.full(panel.shape, np.nan), "constant": np.ones(panel.shape)}
    result = whole(signals, panel)
    for frame in result.tables.values():
        for column in frame.select(pl.col(pl.Float64)).iter_columns():
            assert not column.is_nan().any()
    assert result.summary["t_hac"].null_count() == 4
    assert result.summary["n_bars"].to_list() == [0] * 4
    assert result.spread.height == result.ic.height == 0
    assert result.spread_summary["n_bars"].to_list() == [0, 0]


def test_a_signal_that_knows_the_next_return_has_an_ic_of_one():
    panel = market(3, 60)
    close = panel["close"]
    oracle_signal = np.full(close.shape, np.nan)
    oracle_signal[:-1] = close[1:] / close[:-1] - 1
    result = evaluate({"seer": oracle_signal, "fool": -oracle_signal}, panel, options=OPTIONS)
    first = result.summary.filter(horizon_bars=1)
    assert_allclose(first["mean_ic"], [1.0, -1.0])
    assert first["icir"].null_count() == first["t_hac"].null_count() == 2  # it never varies
    assert (
        result.spread_summary["gross_annual"][0] > 1 > -1 > result.spread_summary["gross_annual"][1]
    )


def test_a_signal_that_knows_the_past_return_has_no_ic():
    rng = np.random.default_rng(4)
    close = np.exp(np.cumsum(0.02 * rng.standard_normal((600, 40)), axis=0))
    panel = Panel({"close": close}, axis(600), names(40))
    past = np.full(close.shape, np.nan)
    past[1:] = close[1:] / close[:-1] - 1
    line = evaluate({"past": past}, panel, options=OPTIONS).summary.row(0, named=True)
    assert abs(line["mean_ic"]) < 0.02
    assert line["p_value"] > 0.05


def test_signals_do_not_disturb_each_other_and_keep_their_order():
    panel = market(5, 40)
    a, b = ragged_signal(1, panel.shape), ragged_signal(2, panel.shape)
    both, alone = whole({"b": b, "a": a}, panel), whole({"a": a}, panel)
    assert both.summary["signal"].to_list() == ["b", "b", "a", "a"]
    for table in COLUMNS:
        assert getattr(both, table).filter(signal="a").equals(getattr(alone, table))


def test_inputs_are_left_as_they_are():
    panel = market(5, 40)
    signal = ragged_signal(1, panel.shape)
    before, digest = signal.copy(), panel.fingerprint
    evaluate({"a": signal}, panel, options=OPTIONS)
    assert_array_equal(signal, before)
    assert panel.fingerprint == digest


def test_every_bars_reads_calendar_numbers_and_keeps_the_lag_in_bars():
    panel = market(6, 200)
    signal = ragged_signal(6, panel.shape)
    options = EvaluationOptions(horizons=(5,), n_quantiles=3, every_bars=5)
    sparse = evaluate({"a": signal}, panel, options=options)
    numbers = panel.first_bar + np.searchsorted(
        panel.bars, sparse.ic["bar_close"].dt.replace_time_zone(None).to_numpy()
    )
    assert (numbers % 5 == 0).all()
    assert sparse.summary["lag_bars"][0] >= 15
    daily = evaluate({"a": signal}, panel, options=EvaluationOptions(horizons=(5,), n_quantiles=3))
    joined = sparse.ic.join(daily.ic, on=["bar_close", "signal", "horizon_bars"])
    assert joined.height == sparse.ic.height > 30
    assert_array_equal(joined["rank_ic"], joined["rank_ic_right"])
    assert sparse.spread.equals(daily.spread)


def test_a_panel_shorter_than_a_horizon_still_has_its_tables():
    for n_bars in (0, 1, 3):
        panel = market(7, n_bars)
        result = evaluate({"a": ragged_signal(7, panel.shape)}, panel)
        assert result.summary.height == 4
        assert result.quantiles.height == 20


def test_wrong_inputs_are_refused():
    panel = market(0, 10)
    with pytest.raises(ParameterError, match="no signal"):
        evaluate({}, panel)
    with pytest.raises(ParameterError, match=r"'a' has shape \(3, 9\).*'b' has shape"):
        evaluate({"a": np.zeros((3, 9)), "b": np.zeros((10, 2))}, panel)
    with pytest.raises(MissingDataError, match="close"):
        evaluate(
            {"a": np.zeros(panel.shape)},
            panel.with_fields({"price": panel["close"]}).only(["price"]),
        )
