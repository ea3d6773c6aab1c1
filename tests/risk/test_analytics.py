"""Figures of portfolios are those of plain loops over positions and of statsmodels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose, assert_array_equal

from plumbline.core.errors import ParameterError
from plumbline.risk.analytic import all_analytics, analytics
from plumbline.risk.analytics.market_beta import MarketBeta
from plumbline.risk.analytics.sector import Sector
from plumbline.risk.analytics.style_ridge import StyleRidge
from plumbline.risk.analytics.tail import Tail
from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.measurement import measure
from tests.oracles.alikeness import alikeness_of
from tests.oracles.ridge import ridge_of_window
from tests.oracles.series_risk import tails_of, volatility_of
from tests.risk.made_books import FUNDS, HELD, among, made_book, made_history


def held_weights(result, market, name, day):
    """Return symbol -> weight of what has a price, the gross weight, and equity."""
    date = market.dates[day].item()
    equity = result.snapshots.filter(portfolio=name, date=date)["equity"][0]
    rows = result.exposures.filter(portfolio=name, date=date)
    gross = rows["exposure"].abs().sum() / equity
    known = rows.filter(~pl.col("is_carried") & (pl.col("quantity") != 0))
    return dict(known.select("symbol", pl.col("exposure") / equity).rows()), gross, equity


@pytest.fixture(scope="module")
def measured():
    market = made_history(3)
    rng = np.random.default_rng(5)
    book = made_book(rng, among(market, HELD), 12)
    days = [300, 559]
    result = measure(book, market, dates=[market.dates[d].item() for d in days])
    return market, book, days, result


def cells(measured):
    market, _, days, result = measured
    for day in days:
        for row in result.measures.filter(date=market.dates[day].item()).iter_rows(named=True):
            name = row["portfolio"]
            snapshot = result.snapshots.filter(portfolio=name, date=market.dates[day].item())
            if snapshot["equity"][0] <= 0 or snapshot["gross"][0] == 0:
                continue
            yield day, row, *held_weights(result, market, name, day)


def fit_of(market, symbol, factor, day, window, least):
    own = slice(day - window + 1, day + 1)
    y, x = market.returns[market.place[symbol], own], factor[own]
    keep = np.isfinite(y) & np.isfinite(x)
    if keep.sum() < least:
        return None
    return sm.OLS(y[keep], sm.add_constant(x[keep])).fit()


@pytest.mark.parametrize(("name", "fund"), [("market_beta", "SPY"), ("rate_beta", "TLT")])
def test_betas_are_weighted_sums_of_statsmodels(measured, name, fund):
    market = measured[0]
    n_checked = 0
    for day, row, weights, gross, equity in cells(measured):
        beta = alpha = covered = 0.0
        for symbol, weight in weights.items():
            fit = fit_of(market, symbol, market.returns[market.place[fund]], day, 90, 54)
            if fit is not None:
                beta += weight * fit.params[1]
                alpha += weight * fit.params[0]
                covered += abs(weight)
        assert_allclose(row[f"{name}_coverage"], covered / gross, rtol=1e-9)
        if covered:
            n_checked += 1
            assert_allclose(row[name], beta, rtol=1e-9, atol=1e-11)
            assert_allclose(row[f"{name}_alpha"], alpha, rtol=1e-9, atol=1e-12)
            assert_allclose(row[f"{name}_exposure"], beta * equity, rtol=1e-9, atol=1e-6)
        else:
            assert row[name] is None
    assert n_checked > 5


def test_styles_are_weighted_sums_of_scikit_learns_ridge(measured):
    market = measured[0]
    funds = ("VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV")
    x = np.stack([market.returns[market.place[fund]] for fund in funds], axis=1)
    names = all_analytics()["style_ridge"].names
    for day, row, weights, _, _ in cells(measured):
        own = slice(day - 89, day + 1)
        total, covered = np.zeros(6), 0.0
        for symbol, weight in weights.items():
            y = market.returns[market.place[symbol], own]
            if np.isfinite(y).sum() >= 54:
                total += weight * ridge_of_window(y, x[own], 1.0)[1]
                covered += abs(weight)
        if covered:
            assert_allclose([row[name] for name in names], total, rtol=1e-8, atol=1e-10)


def test_spreads_are_weighted_sums_of_statsmodels(measured):
    market = measured[0]
    pairs = {"value_growth": ("VTV", "VUG"), "momentum": ("MTUM", "SPY"), "size": ("IWM", "SPY")}
    for day, row, weights, _, _ in cells(measured):
        for name, (bought, sold) in pairs.items():
            spread = market.returns[market.place[bought]] - market.returns[market.place[sold]]
            fits = {s: fit_of(market, s, spread, day, 180, 108) for s in weights}
            known = {s: fit for s, fit in fits.items() if fit is not None}
            if known:
                wanted = sum(weights[s] * fit.params[1] for s, fit in known.items())
                assert_allclose(row[f"spread_{name}"], wanted, rtol=1e-9, atol=1e-11)


def test_volatility_and_tails_are_those_of_the_weighted_returns(measured):
    market = measured[0]
    n_checked = 0
    for day, row, weights, gross, _ in cells(measured):
        days = np.full(504, np.nan)
        for i in range(504):
            session = day - 503 + i
            if session < 0:
                continue
            returns = {s: market.returns[market.place[s], session] for s in weights}
            there = sum(abs(w) for s, w in weights.items() if np.isfinite(returns[s]))
            if there / gross >= 0.95:
                days[i] = sum(w * returns[s] for s, w in weights.items() if np.isfinite(returns[s]))
        wanted = volatility_of(days)
        year = np.sqrt(252)
        for name, figure in (
            ("21", "month"),
            ("63", "quarter"),
            ("252", "year"),
            ("ewma", "decayed"),
            ("har", "forecast"),
        ):
            found = row[f"volatility_{name}"]
            assert_allclose(
                np.nan if found is None else found, wanted[figure] * year, rtol=1e-8, err_msg=name
            )
        tails = tails_of(days[-252:], 152)
        if tails is None:
            assert row["var_95"] is None
            continue
        n_checked += 1
        assert_allclose(row["var_95"], tails["levels"][0][0], rtol=1e-9)
        assert_allclose(row["var_99"], tails["levels"][1][0], rtol=1e-9)
        assert_allclose(row["es_95"], tails["levels"][0][1], rtol=1e-9)
        assert_allclose(row["worst_day"], tails["worst"], rtol=1e-9)
        assert row["tail_n_obs"] == (~np.isnan(days[-252:])).sum()
    assert n_checked > 3


def test_parts_of_positions_add_up_to_volatility_and_value_at_risk(measured):
    *_, result = measured
    keys = ["portfolio", "date"]
    names = ["component_volatility", "component_var_95", "component_var_99"]
    sums = result.exposures.group_by(keys).agg(
        *(pl.col(name).sum() for name in names),
        *(pl.col(name).is_not_null().any().alias(f"has_{name}") for name in names),
    )
    joined = result.measures.join(sums, on=keys)
    for name, whole in zip(names, ("volatility_252", "var_95", "var_99"), strict=True):
        known = joined.filter(pl.col(whole).is_not_null())
        assert known.height >= 8
        assert_allclose(known[name], known[whole], rtol=1e-9, atol=1e-15)
        missing = joined.filter(pl.col(whole).is_null())
        assert not missing[f"has_{name}"].any()


def test_a_written_call_leaves_the_figures_of_its_underlying_covered():
    market = among(made_history(3, gaps=0.0), (*FUNDS, "AAA"))
    day = market.dates[300].item()
    opened = market.dates[250].item()
    rows = {"portfolio": ["p"] * 2, "date": [opened] * 2, "symbol": ["AAA", "C"]}
    terms = {"underlying": "AAA", "strike": 50.0, "expiry": market.dates[400].item()}
    book = Book.from_frames(
        portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": [opened], "opening_cash": [1e5]}),
        trades=pl.DataFrame({**rows, "quantity": [100.0, -1.0], "price": [50.0, 5.0]}),
        instruments=pl.DataFrame(
            [
                {"symbol": "AAA", "class": "equity"},
                {"symbol": "C", "class": "option", **terms, "right": "call", "volatility": 0.3},
            ]
        ),
    )
    result = measure(book, market, dates=[day])
    row = result.measures.row(0, named=True)
    covered = ["market_beta", "style_ridge", "style_spread", "sector", "correlation"]
    covered += ["volatility", "tail", "attribution", "stress"]
    assert {row[f"{name}_coverage"] for name in covered} == {1.0}
    equity = result.snapshots["equity"][0]
    net = result.exposures["exposure"].sum() / equity
    assert 0 < net < result.exposures["exposure"].max() / equity
    returns = net * market.returns[market.place["AAA"], 300 - 20 : 301]
    assert_allclose(row["volatility_21"], returns.std(ddof=1) * np.sqrt(252), rtol=1e-9)
    parts = result.exposures["component_volatility"]
    assert_allclose(parts.sum(), row["volatility_252"], rtol=1e-9)


def test_concentration_and_sectors_are_those_of_the_weights(measured):
    _, book, _, result = measured
    for _, row, weights, gross, _ in cells(measured):
        shares = np.array(sorted(map(abs, weights.values()), reverse=True))
        if not shares.sum():
            assert row["herfindahl"] is None
            continue
        shares = shares / shares.sum()
        assert_allclose(row["herfindahl"], (shares**2).sum(), rtol=1e-12)
        assert_allclose(row["effective_positions"], 1 / (shares**2).sum(), rtol=1e-12)
        assert_allclose(row["top_3"], shares[:3].sum(), rtol=1e-12)
        assert_allclose(row["top_10"], 1.0, rtol=1e-12)
        assert_allclose(row["sector_coverage"], sum(map(abs, weights.values())) / gross)
    assert set(result.sectors["sector"]) == {"unknown"}
    joined = result.sectors.join(result.snapshots, on=["portfolio", "date"])
    assert_allclose(joined["long"], joined["long_right"] / joined["equity"], rtol=1e-9, atol=1e-12)
    assert_allclose(joined["gross"], joined["long"] - joined["short"], rtol=1e-12)
    assert joined["tilt"].is_null().all()
    named = book.instruments.with_columns(
        sector=pl.Series(["x", "y", None, "x", "y"][: book.instruments.height])
    )
    kinds = {"sector": Sector({"x": 0.5, "z": 0.25})}
    market, _, days, _ = measured
    again = measure(
        replace(book, instruments=named),
        market,
        dates=[market.dates[days[1]].item()],
        analytics=kinds,
    )
    own = again.sectors.filter(portfolio=again.sectors["portfolio"][0])
    assert set(own["sector"]) >= {"x", "z"}
    assert own.filter(sector="z").select("net", "tilt").row(0) == (0.0, -0.25)


def test_correlations_are_those_of_pandas_and_lapack(measured):
    market = measured[0]
    n_checked = 0
    for day, row, weights, gross, _ in cells(measured):
        own = slice(day - 89, day + 1)
        known = [
            s for s in weights if np.isfinite(market.returns[market.place[s], own]).sum() >= 54
        ]
        if not known:
            assert row["effective_bets"] is None
            continue
        frame = pd.DataFrame({s: market.returns[market.place[s], own] for s in known})
        matrix = frame.corr(min_periods=54).to_numpy()
        if np.isnan(matrix).any() or np.linalg.eigvalsh(matrix).min() < 0:
            continue
        n_checked += 1
        vector = np.array([weights[s] for s in known])
        wanted = alikeness_of(vector, frame.std().to_numpy(), matrix)
        names = {
            "correlation_mean": "mean",
            "correlation_weighted": "weighted_mean",
            "diversification_ratio": "diversification",
            "effective_bets": "effective_bets",
        }
        for name, figure in names.items():
            value = np.nan if row[name] is None else row[name]
            assert_allclose(value, wanted[figure], rtol=1e-9, err_msg=name)
        assert_allclose(row["correlation_coverage"], wanted["covered"] / gross, rtol=1e-12)
    assert n_checked > 5


def test_pairs_are_given_once_a_date_for_all_that_is_held(measured):
    market, _, days, result = measured
    assert result.correlations["date"].to_list() == [market.dates[d].item() for d in days]
    for day, row in zip(days, result.correlations.iter_rows(named=True), strict=True):
        date = market.dates[day].item()
        held = result.exposures.filter((pl.col("date") == date) & (pl.col("quantity") != 0))
        symbols = sorted(held["symbol"].unique())
        assert row["symbols"] == symbols
        own = slice(day - 89, day + 1)
        frame = pd.DataFrame({s: market.returns[market.place[s], own] for s in symbols})
        wanted = frame.corr(min_periods=54).to_numpy()[np.triu_indices(len(symbols), 1)]
        found = np.array([np.nan if v is None else v for v in row["pairs"]])
        assert_allclose(found, wanted, rtol=1e-6)
        present = frame.notna().to_numpy().astype(int)
        counts = (present.T @ present)[np.triu_indices(len(symbols), 1)]
        assert_array_equal(row["n_obs"], counts)


def test_realised_beta_is_that_of_the_portfolios_own_returns(measured):
    market, book, _, _ = measured
    result = measure(book, market, analytics=["beta_realised"])
    spy = market.returns[market.place["SPY"]]
    n_checked = 0
    for name in book.portfolios["portfolio"]:
        own = result.snapshots.filter(portfolio=name)["return"].fill_null(np.nan).to_numpy()
        if own.size < 90:
            continue
        y, x = own[-90:], spy[-90:]
        keep = np.isfinite(y) & np.isfinite(x)
        row = result.measures.filter(portfolio=name).row(-1, named=True)
        if keep.sum() < 54 or np.ptp(y[keep]) == 0:
            continue
        n_checked += 1
        fit = sm.OLS(y[keep], sm.add_constant(x[keep])).fit()
        assert_allclose(row["beta_realised"], fit.params[1], rtol=1e-8, atol=1e-11)
        assert_allclose(row["beta_realised_stderr"], fit.bse[1], rtol=1e-8)
    assert n_checked > 2


def test_what_comes_later_changes_no_figure(measured):
    market, book, _, result = measured
    close = market.close.copy()
    close[:, 301:] *= np.random.default_rng(0).uniform(0.5, 2, close[:, 301:].shape)
    other = Market(
        **{**{n: getattr(market, n) for n in market.__dataclass_fields__}, "close": close}
    )
    date = market.dates[300].item()
    again = measure(book, other, dates=[date])
    for name in ("snapshots", "exposures", "measures"):
        assert getattr(again, name).equals(getattr(result, name).filter(date=date)), name


def test_portfolios_have_the_same_bits_in_any_blocks_and_beside_any_others(measured, monkeypatch):
    market, book, days, result = measured
    monkeypatch.setattr("plumbline.risk.measurement.BLOCK", 5)
    again = measure(book, market, dates=[market.dates[d].item() for d in days])
    for name in ("snapshots", "exposures", "measures"):
        assert getattr(again, name).equals(getattr(result, name)), name
    some = ["p3", "p7"]
    fewer = type(book)(
        book.portfolios.filter(pl.col("portfolio").is_in(some)),
        book.trades.filter(pl.col("portfolio").is_in(some)),
        book.cash_flows.filter(pl.col("portfolio").is_in(some)),
        book.instruments,
        book.calendar,
    )
    alone = measure(fewer, market, dates=[market.dates[d].item() for d in days])
    for name in ("snapshots", "exposures", "measures"):
        assert getattr(alone, name).equals(
            getattr(result, name).filter(pl.col("portfolio").is_in(some))
        ), name


def test_a_portfolio_has_the_same_bits_alone_on_a_date_alone(measured):
    market, book, days, result = measured
    tables = ("snapshots", "exposures", "measures", "sectors", "stress")
    day = market.dates[days[1]].item()
    held = result.measures.drop_nulls("market_beta").filter(date=day)["portfolio"].to_list()
    assert len(held) >= 3
    for name in held[:3]:
        alone = measure(book.only([name]), market, dates=[day])
        for table in tables:
            expected = getattr(result, table).filter(portfolio=name, date=day)
            assert getattr(alone, table).equals(expected), (name, table)


def test_an_analytic_without_its_prices_fails_and_the_others_do_not(measured):
    market, book, days, _ = measured
    kept = [s for s in market.symbols if s != "TLT"]
    narrow = among(market, kept)
    result = measure(book, narrow, dates=[market.dates[days[1]].item()])
    lacking = ("attribution", "rate_beta", "stress")
    told = result.failures.select("analytic", "reason").rows()
    assert told == [(name, "there are no prices of TLT") for name in lacking]
    assert result.measures["rate_beta"].is_null().all()
    assert (result.measures["rate_beta_coverage"] == 0).all()
    assert result.measures["market_beta"].is_not_null().any()


def test_every_analytic_states_units_and_a_reference():
    for name in analytics:
        assert "References" in (analytics[name].__doc__ or ""), name
        assert analytics[name].units


def test_windows_and_penalties_out_of_range_are_refused_with_every_reason():
    with pytest.raises(ParameterError) as caught:
        StyleRidge(window_bars=7, min_obs=9, penalty=0.0)
    told = str(caught.value)
    assert "window_bars must lie in 8" in told
    assert "min_obs must lie in 8 … window_bars" in told
    assert "penalty=0.0 must be above 0" in told
    with pytest.raises(ParameterError, match="window_bars=505 must be 504 at most"):
        Tail(window_bars=505)
    assert (Tail().needed, MarketBeta(window_bars=10).needed, Tail(min_obs=30).needed) == (
        152,
        6,
        30,
    )
