"""Fits of symbols are those of statsmodels, of what is held, and the same bits however asked."""

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from polars.testing import assert_frame_equal

from plumbline.risk.analytic import analytics
from plumbline.risk.book import Book
from plumbline.risk.measurement import Measurement, measure
from plumbline.risk.symbol_table import SYMBOLS
from tests.risk.made_books import FUNDS, HELD, among, made_book, made_history

DAYS = (70, 300, 558, 559)  # few returns on the first
KINDS = ("market_beta", "rate_beta")
FACTORS = {"market_beta": "SPY", "rate_beta": "TLT"}
FIGURES = ("beta", "alpha", "r2", "stderr", "t")


@pytest.fixture(scope="module")
def measured():
    market = made_history(3, gaps=0.05)
    book = made_book(np.random.default_rng(5), among(market, HELD), 12)
    dates = [market.dates[day].item() for day in DAYS]
    return market, book, dates, measure(book, market, dates=dates, analytics=KINDS)


def fit_of(market, symbol, factor, date):
    day = int(np.searchsorted(market.dates, np.datetime64(date)))
    own = slice(max(0, day - 89), day + 1)
    y, x = market.returns[market.place[symbol], own], market.returns[market.place[factor], own]
    keep = np.isfinite(y) & np.isfinite(x)
    return sm.OLS(y[keep], sm.add_constant(x[keep])).fit() if keep.sum() >= 54 else None


def test_fits_and_their_errors_are_those_of_statsmodels(measured):
    market, *_, result = measured
    n_fitted = 0
    for row in result.symbols.iter_rows(named=True):
        fit = fit_of(market, row["symbol"], FACTORS[row["analytic"]], row["date"])
        if fit is None:
            assert [row[name] for name in (*FIGURES, "n_obs")] == [None] * 5 + [0]
            continue
        n_fitted += 1
        wanted = [fit.params[1], fit.params[0], fit.rsquared, fit.bse[1], fit.tvalues[1]]
        assert_allclose([row[name] for name in FIGURES], wanted, rtol=1e-9, atol=1e-15)
        assert row["n_obs"] == fit.nobs
    assert 10 < n_fitted < result.symbols.height


def test_there_is_a_row_of_each_analytic_date_and_symbol_that_is_held(measured):
    *_, result = measured
    held = result.exposures.filter(pl.col("quantity") != 0).select("date", "symbol").unique()
    for name in KINDS:
        own = result.symbols.filter(analytic=name).select("date", "symbol")
        assert_frame_equal(own, held.sort("date", "symbol"))
    assert result.symbols["analytic"].unique(maintain_order=True).to_list() == list(KINDS)
    assert result.symbols.schema == SYMBOLS


def test_betas_of_portfolios_are_weighted_sums_of_the_rows(measured):
    *_, result = measured
    lines = result.exposures.filter(~pl.col("is_carried"), pl.col("quantity") != 0)
    for name in KINDS:
        fits = result.symbols.filter(analytic=name).drop_nulls("beta")
        products = lines.join(fits, on=["date", "symbol"]).group_by("portfolio", "date")
        sums = products.agg((pl.col("weight") * pl.col("beta")).sum().alias("sum"))
        both = result.measures.join(sums, on=["portfolio", "date"]).drop_nulls(name)
        assert both.height > 5
        assert_allclose(both[name], both["sum"], rtol=1e-12, atol=1e-14)


def test_other_dates_portfolios_and_symbols_change_no_bit(measured):
    market, book, dates, result = measured
    for some in (dates[1:2], dates[2:]):
        found = measure(book, market, dates=some, analytics=KINDS).symbols
        same = result.symbols.filter(pl.col("date").is_in(some))
        assert_frame_equal(found, same, check_exact=True)
    names = book.portfolios["portfolio"].to_list()[:3]
    own = measure(book.only(names), market, dates=dates, analytics=KINDS)
    known = own.symbols.select("date", "symbol", "analytic")
    assert 0 < known.height < result.symbols.height
    same = result.symbols.join(known, on=known.columns, how="semi", maintain_order="left")
    assert_frame_equal(own.symbols, same, check_exact=True)
    symbols = sorted({*own.exposures["symbol"], *book.only(names).trades["symbol"], "SPY", "TLT"})
    assert len(symbols) < len(market.symbols)
    narrow = measure(book.only(names), among(market, symbols), dates=dates, analytics=KINDS)
    assert_frame_equal(narrow.symbols, own.symbols, check_exact=True)


def test_parts_of_a_book_are_measured_with_the_rows_of_all_of_it(measured):
    market, book, dates, result = measured
    whole = Measurement.of(book, market, {name: analytics[name]() for name in KINDS}, dates)
    whole.part(0, 1)
    assert_frame_equal(whole.shared_tables()["symbols"], result.symbols, check_exact=True)
    parts = [whole.shared_tables(slice(at, at + 3))["symbols"] for at in (0, 3)]
    by_analytic = pl.concat(parts).sort("analytic", "date", "symbol", maintain_order=True)
    same = result.symbols.sort("analytic", "date", "symbol", maintain_order=True)
    assert_frame_equal(by_analytic, same, check_exact=True)


def test_an_option_is_its_underlying_and_a_private_asset_has_no_row():
    market = made_history(3)
    instruments = pl.DataFrame(
        {
            "symbol": ["C", "F", "AAA"],
            "class": ["option", "private", "equity"],
            "underlying": ["AAA", None, None],
            "strike": [40.0, None, None],
            "expiry": [market.dates[-1].item(), None, None],
            "right": ["call", None, None],
            "volatility": [0.3, None, None],
        }
    )
    opened = market.dates[500].item()
    trades = pl.DataFrame(
        {
            "portfolio": "p",
            "date": opened,
            "symbol": ["C", "F"],
            "quantity": [1.0, 1.0],
            "price": [5.0, 50.0],
        }
    )
    portfolios = pl.DataFrame({"portfolio": ["p"], "opened_on": [opened], "opening_cash": [1e4]})
    book = Book.from_frames(portfolios=portfolios, trades=trades, instruments=instruments)
    found = measure(book, market, dates=[market.dates[520].item()], analytics=KINDS)
    assert set(found.exposures["symbol"]) == {"C", "F"}
    assert found.symbols["symbol"].to_list() == ["AAA", "AAA"]


def test_an_analytic_without_its_fund_has_no_rows_and_others_have_theirs(measured):
    market, book, dates, result = measured
    rest = among(market, sorted({*HELD, *FUNDS} - {"TLT"}))
    found = measure(book, rest, dates=dates, analytics=KINDS)
    assert_frame_equal(
        found.symbols, result.symbols.filter(analytic="market_beta"), check_exact=True
    )
    none = measure(book, market, dates=dates, analytics=["sector"]).symbols
    assert (none.height, none.schema) == (0, SYMBOLS)
