"""Turnover, sectors, regimes, linear correlations, breaks and capacity, beside plain loops."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.core.page import Page
from plumbline.core.panel import Panel
from plumbline.factors import evaluate_signal, evaluation
from plumbline.factors.evaluation import evaluate
from plumbline.factors.options import EvaluationOptions
from plumbline.inference import bootstrap_mean, hac_mean, mean_break
from tests.contracts.made_panels import axis, names
from tests.factors.test_evaluation import (
    BARE,
    OPTIONS,
    market,
    ragged_signal,
    regimes_of,
    sectors_of,
    tradable,
    whole,
)
from tests.oracles import evaluation as oracle


def line(table, horizon, **keys):
    found = table.filter(horizon_bars=horizon, **keys)
    assert found.height == 1
    return found.row(0, named=True)


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(0, 30))
@settings(max_examples=12)
def test_turnover_and_rank_autocorrelation_match_the_loops(seed, n_bars):
    panel = market(seed, n_bars)
    signal = ragged_signal(seed, panel.shape)
    result = evaluate({"one": signal}, panel, options=BARE)
    usable = tradable(signal, panel["close"])
    groups = oracle.buckets(usable, 3)
    for horizon in BARE.horizons:
        for quantile in (1, 2, 3):
            shares = oracle.quantile_turnover(groups, quantile, horizon)
            row = line(result.turnover, horizon, quantile=quantile)
            assert row["n_bars"] == len(shares)
            if shares:
                assert_allclose(row["mean_turnover"], np.mean(shares), atol=1e-12)
            else:
                assert row["mean_turnover"] is None
        found = oracle.rank_autocorrelation(usable, horizon)
        row = line(result.rank_autocorrelation, horizon)
        assert row["n_bars"] == len(found)
        if found:
            assert_allclose(row["mean_autocorrelation"], np.mean(found), atol=1e-12)


def test_turnover_and_rank_autocorrelation_are_those_of_alphalens():
    """Figures of alphalens-reloaded 0.5.1 on the panel made here, from its own functions."""
    rng = np.random.default_rng(7)
    signal = np.cumsum(rng.standard_normal((40, 23)), axis=0)
    close = np.exp(np.cumsum(0.02 * rng.standard_normal((40, 23)), axis=0))
    panel = Panel({"close": close}, axis(40), names(23))
    options = EvaluationOptions(horizons=(1, 5), n_quantiles=5, n_draws=0, n_resamples=0)
    result = evaluate({"one": signal}, panel, options=options)
    golden = {
        "turnover": {
            1: [46 / 390, 125 / 390, 146 / 390, 0.5, 86 / 390],
            5: [0.17714285714285716, 79 / 140, 0.6571428571428571, 103 / 140, 0.3771428571428571],
        },
        "autocorrelation": {1: 0.9368095672443497, 5: 0.7816770186335404},
    }
    for horizon in (1, 5):
        table = result.turnover.filter(horizon_bars=horizon)
        assert_allclose(table["mean_turnover"], golden["turnover"][horizon], rtol=1e-12)
        assert table["n_bars"].to_list() == [40 - horizon] * 5
        found = line(result.rank_autocorrelation, horizon)["mean_autocorrelation"]
        assert_allclose(found, golden["autocorrelation"][horizon], rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(8, 40))
@settings(max_examples=10)
def test_linear_correlations_bootstrap_and_breaks_are_those_of_their_series(seed, n_bars):
    panel = market(seed, n_bars)
    signal = ragged_signal(seed, panel.shape)
    result = whole({"one": signal}, panel)
    for horizon in OPTIONS.horizons:
        linear = oracle.pearson_ic(signal, panel["close"], horizon)
        ic = oracle.rank_ic(signal, panel["close"], horizon, 3)
        there = np.isfinite(ic)
        assert_array_equal(there, np.isfinite(linear))
        rows = result.ic.filter(horizon_bars=horizon)
        assert_allclose(rows["pearson_ic"], linear[there], atol=1e-12)
        row, test = line(result.pearson, horizon), hac_mean(linear, horizon=horizon)
        for column, expected in (
            ("mean_ic", test.mean),
            ("t_hac", test.t),
            ("p_value", test.p_value),
            ("n_bars", test.n_obs),
        ):
            value = np.nan if row[column] is None else row[column]
            assert_allclose(value, expected, rtol=1e-7, atol=1e-12)
        row = line(result.bootstrap, horizon)
        found = bootstrap_mean(ic, n_resamples=50)
        value = [np.nan if row[k] is None else row[k] for k in ("lower", "upper", "block_bars")]
        assert_allclose(value, [found.lower, found.upper, found.block_bars], rtol=1e-6, atol=1e-9)
        row, broken = line(result.breaks, horizon), mean_break(ic, horizon=horizon)
        assert row["n_bars"] == broken.n_obs
        if np.isfinite(broken.statistic):
            assert_allclose(row["statistic"], broken.statistic, rtol=1e-6)
            assert np.datetime64(row["bar_close"].replace(tzinfo=None)) == panel.bars[broken.row]


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(5, 40))
@settings(max_examples=10)
def test_sectors_are_ranked_apart_and_regimes_are_told_apart(seed, n_bars):
    panel = market(seed, n_bars)
    signal = ragged_signal(seed, panel.shape)
    result = whole({"one": signal}, panel)
    sectors = sectors_of(panel)
    assert set(result.ic_by_sector["sector"]) == {"even", "odd"}
    for horizon in OPTIONS.horizons:
        for sector in ("even", "odd"):
            members = [i for i, a in enumerate(panel.assets) if sectors.get(a) == sector]
            part = panel["close"][:, members]
            ic = oracle.rank_ic(signal[:, members], part, horizon, 3)
            row = line(result.ic_by_sector, horizon, sector=sector)
            check(row, hac_mean(ic, horizon=horizon))
            there = np.flatnonzero(np.isfinite(ic))
            pairs = [
                (
                    oracle.usable(signal[:, members], part, t)
                    & np.isfinite(oracle.forward_return(part, t, horizon))
                ).sum()
                for t in there
            ]
            if pairs:
                assert_allclose(row["mean_n_assets"], np.mean(pairs))
        ic = oracle.rank_ic(signal, panel["close"], horizon, 3)
        for regime, states in regimes_of(panel).items():
            for state in {s for s in states if s is not None and s == s}:
                name = state if isinstance(state, str) else f"{state:g}"
                row = line(result.ic_by_regime, horizon, regime=regime, state=name)
                some = np.array(
                    [v if s == state else np.nan for v, s in zip(ic, states, strict=True)]
                )
                check(row, hac_mean(some, horizon=horizon))


def check(row, test):
    assert row["n_bars"] == test.n_obs
    for column, expected in (("mean_ic", test.mean), ("t_hac", test.t), ("p_value", test.p_value)):
        value = np.nan if row[column] is None else row[column]
        assert_allclose(value, expected, rtol=1e-7, atol=1e-12)


def test_states_are_text_in_order_whole_numbers_without_a_fraction():
    panel = market(1, 60)
    signal = ragged_signal(1, panel.shape)
    for states, expected in (
        (np.arange(60) % 12, [str(i) for i in range(12)]),
        (np.arange(60) % 2 == 0, ["False", "True"]),
        (pl.Series([None, "b", "a"] * 20), ["a", "b"]),
        (["", "x", float("nan")] * 20, ["x"]),
    ):
        result = evaluate({"one": signal}, panel, options=BARE, regimes={"r": states})
        assert result.ic_by_regime["state"].unique(maintain_order=True).to_list() == expected


@given(seed=st.integers(0, 2**32 - 1), n_bars=st.integers(2, 24))
@settings(max_examples=10)
def test_impact_matches_one_trade_at_a_time(seed, n_bars):
    panel = market(seed, n_bars)
    signal = ragged_signal(seed, panel.shape)
    result = whole({"one": signal}, panel)
    groups = oracle.buckets(tradable(signal, panel["close"]), 3)
    per_bar, share = oracle.impact(groups, panel["close"], panel["volume"], (3, 3), 5)
    summary = result.spread_summary.row(0, named=True)
    for row in result.capacity.to_dicts():
        if np.isnan(per_bar):
            assert row["impact_annual"] is row["net_annual"] is row["participation"] is None
            continue
        capital = row["capital_usd"]
        expected = 252 * per_bar * np.sqrt(capital)
        assert_allclose(row["impact_annual"], expected, rtol=1e-8)
        assert_allclose(row["participation"], share * capital, rtol=1e-8)
        assert row["gross_annual"] == summary["gross_annual"]
        assert row["cost_annual"] == summary["cost_annual"]
        assert_allclose(row["net_annual"], summary["net_annual"] - expected, rtol=1e-8)


def test_impact_reads_no_bar_after_the_trade():
    panel = market(3, 60)
    signal = ragged_signal(3, panel.shape)
    volume = panel["volume"].copy()
    volume[-1] *= 1_000  # nothing is traded at the last close
    later = panel.with_fields({"volume": volume})
    one, other = (whole({"one": signal}, p).capacity for p in (panel, later))
    assert one.equals(other)
    volume[-2] *= 1_000
    assert not one.equals(whole({"one": signal}, later.with_fields({"volume": volume})).capacity)


def test_what_was_not_given_has_no_rows_and_a_reason():
    panel = market(0, 30)
    bare = evaluate({"one": ragged_signal(0, panel.shape)}, panel.only(["close"]), options=BARE)
    assert set(bare.unavailable) == {
        *("ic_by_sector", "ic_by_regime", "capacity", "bootstrap", "null_suite"),
        "signal_correlation",
    }
    for name in bare.unavailable:
        assert bare.tables[name].height == 0
    found = whole({name: ragged_signal(i, panel.shape) for i, name in enumerate("ab")}, panel)
    assert found.unavailable == {}


def test_a_regime_of_another_length_is_refused_by_name():
    panel = market(0, 30)
    with pytest.raises(ParameterError, match=r"regime 'm' has 3 states, expected one a bar: 30"):
        evaluate({"one": ragged_signal(0, panel.shape)}, panel, regimes={"m": [1, 2, 3]})


def test_signals_are_panels_or_arrays_on_the_axes_of_the_prices():
    panel = market(2, 50)
    signal = ragged_signal(2, panel.shape)
    as_panel = Panel({"value": signal}, panel.bars, panel.assets, first_bar=13)
    part = as_panel.rows(10, 40).select(panel.assets[2:6])
    placed = np.full(panel.shape, np.nan)
    placed[10:40, 2:6] = signal[10:40, 2:6]
    found = evaluate_signal({"a": as_panel, "b": part, "c": placed}, panel, horizons=(1, 5))
    expected = evaluate(
        {"a": signal, "b": placed, "c": placed}, panel, options=EvaluationOptions(horizons=(1, 5))
    )
    assert found.tables.keys() == expected.tables.keys()
    for name, table in found.tables.items():
        assert table.equals(expected.tables[name]), name
    alone = evaluate_signal(as_panel, panel, horizons=(1,), costs=50.0)
    assert alone.summary["signal"].to_list() == ["value"]
    cheap = evaluate_signal(as_panel, panel, horizons=(1,))
    ratio = alone.spread_summary["cost_annual"] / cheap.spread_summary["cost_annual"]
    assert_allclose(ratio, [10.0])
    two = as_panel.with_fields({"other": signal})
    stranger = Panel({"v": np.ones((50, 1))}, panel.bars, ["ZZZ"], first_bar=13)
    with pytest.raises(ParameterError, match=r"'x' is a panel of 2 fields.*'y' has assets.*ZZZ"):
        evaluate_signal({"x": two, "y": stranger}, panel)


def test_an_evaluation_shows_itself_by_the_page_of_that_name(monkeypatch):
    class Plain(Page):
        def html(self, evaluation):
            return f"<html>{len(evaluation.tables)}"

        def json(self, evaluation):
            return json.dumps(sorted(evaluation.tables))

        def summary_html(self, evaluation):
            return f"<p>{evaluation.summary.height}"

    monkeypatch.setattr(evaluation, "pages", {"tear_sheet": Plain})
    panel = market(0, 30)
    found = evaluate({"one": ragged_signal(0, panel.shape)}, panel, options=BARE)
    assert found.to_html() == f"<html>{len(found.tables)}"
    assert found._repr_html_() == "<p>2"
    assert json.loads(found.to_json()) == sorted(found.tables)


def test_rank_ic_by_sector_of_one_sector_is_the_rank_ic():
    panel = market(4, 40)
    signal = ragged_signal(4, panel.shape)
    everything = dict.fromkeys(panel.assets, "all")
    found = evaluate({"one": signal}, panel, options=BARE, sectors=everything)
    columns = ["signal", "horizon_bars", "mean_ic", "t_hac", "p_value", "n_bars", "mean_n_assets"]
    assert found.ic_by_sector.select(columns).equals(found.summary.select(columns))
