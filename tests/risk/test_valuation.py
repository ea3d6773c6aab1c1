"""Options, private assets and old prices in a book: valued as stated, settled, visible."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from polars.testing import assert_frame_equal

from plumbline.core.errors import BookError, ParameterError
from plumbline.core.panel import Panel
from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.market import market_of as market_of_panel
from plumbline.risk.measurement import measure
from plumbline.risk.options import Contracts, greeks
from tests.risk.made_books import CALENDAR, FIRST

N_DAYS = 40
DATES = CALENDAR.dates(FIRST, FIRST + N_DAYS - 1)


def market_of(**closes) -> Market:
    symbols = tuple(sorted(closes))
    close = np.stack([np.asarray(closes[s], dtype=float) * np.ones(N_DAYS) for s in symbols])
    return Market(DATES, symbols, close, np.ones(close.shape), np.zeros(close.shape), False, FIRST)


def book_of(trades, instruments=None, opening_cash=1000.0) -> Book:
    rows = [("p", DATES[day].item(), *rest) for day, *rest in trades]
    names = ["portfolio", "date", "symbol", "quantity", "price"]
    return Book.from_frames(
        portfolios=pl.DataFrame(
            {"portfolio": ["p"], "opened_on": [DATES[0].item()], "opening_cash": [opening_cash]}
        ),
        trades=pl.DataFrame(rows, schema=names, orient="row").with_columns(
            pl.col("quantity", "price").cast(pl.Float64)
        ),
        instruments=None if instruments is None else pl.DataFrame(instruments),
    )


CALL = {
    "symbol": ["C", "X"],
    "class": ["option", "equity"],
    "underlying": ["X", None],
    "strike": [90.0, None],
    "expiry": [DATES[25].item(), None],
    "right": ["call", None],
    "volatility": [0.25, None],
}


def test_an_option_without_a_price_is_worth_the_models_value_and_settled_at_expiry():
    spot = 100 + np.arange(N_DAYS) * 0.5
    book = book_of([(2, "C", 3, 11.0), (2, "X", -10, 101.0)], CALL)
    result = measure(book, market_of(X=spot), analytics=[])
    lines = result.exposures.filter(symbol="C")
    days = (DATES[25] - DATES).astype(int)
    model = greeks(
        Contracts(
            spot,
            np.array(90.0),
            np.maximum(days, 0) / 365,
            np.array(0.0),
            np.array(0.0),
            np.array(True),
        ),
        np.array(0.25),
    )
    held = slice(2, 25)
    assert_allclose(lines["value"][:23], 300 * model.value[held], rtol=1e-12)
    assert_allclose(lines["exposure"][:23], 300 * model.delta[held] * spot[held], rtol=1e-12)
    assert lines["quantity"].to_list()[23:] == [0.0]
    settled = lines.row(23, named=True)
    assert settled["date"] == DATES[25].item()
    assert_allclose(settled["traded"], -300 * (spot[25] - 90))
    assert_allclose(settled["realised"], 300 * (spot[25] - 90) - 300 * 11.0)
    last = result.snapshots.row(-1, named=True)
    assert_allclose(last["cash"], 1000 - 3300 + 1010 + 300 * (spot[25] - 90))
    assert result.snapshots["n_unpriced"].sum() == 0


def test_what_expires_on_a_weekend_is_settled_on_friday_before_monday_is_known():
    day = next(at for at in range(20, N_DAYS) if DATES[at].item().weekday() == 4)
    saturday = DATES[day].item() + timedelta(days=1)
    book = book_of([(2, "C", 3, 11.0)], {**CALL, "expiry": [saturday, None]})
    whole = market_of(X=np.full(N_DAYS, 100.0))

    def on_friday(stop):
        cut = {name: getattr(whole, name)[:, :stop] for name in ("close", "split", "dividend")}
        known = replace(whole, dates=whole.dates[:stop], **cut)
        return measure(book, known, dates=[DATES[day].item()], analytics=[]).snapshots

    at_first = on_friday(day + 1)
    assert at_first.select("n_positions", "cash").row(0) == (0, 1000.0 - 3300.0 + 3000.0)
    assert_frame_equal(at_first, on_friday(day + 2))


def test_an_options_own_close_comes_before_the_model_and_tells_its_volatility():
    spot, quoted = np.full(N_DAYS, 100.0), np.full(N_DAYS, np.nan)
    quoted[5] = 13.0
    book = book_of([(2, "C", 1, 11.0)], CALL)
    result = measure(book, market_of(X=spot, C=quoted), analytics=[])
    value = result.exposures.filter(symbol="C")["value"].to_numpy()
    assert value[3] == 1300.0
    days = (DATES[25] - DATES).astype(int)
    after = Contracts(
        spot,
        np.array(90.0),
        np.maximum(days, 0) / 365,
        np.array(0.0),
        np.array(0.0),
        np.array(True),
    )
    stated = greeks(after, np.array(0.25)).value * 100
    assert_allclose(value[2], stated[4], rtol=1e-12)
    assert (value[4:14] > stated[6:16] * 1.05).all()  # ten sessions at the dearer volatility
    assert_allclose(value[14:23], stated[16:25], rtol=1e-12)


def test_an_option_ages_with_its_last_close_and_then_counts_by_its_last_exposure():
    spot, quoted = 100 + np.arange(N_DAYS) * 0.5, np.full(N_DAYS, np.nan)
    quoted[3] = 13.0
    terms = {**CALL, "volatility": [None, None], "expiry": [DATES[39].item(), None]}
    book = book_of([(2, "C", 2, 11.0), (2, "X", 10, 101.0)], terms, opening_cash=20_000.0)
    result = measure(book, market_of(X=spot, C=quoted), analytics=["sector"])
    lines = result.exposures.filter(symbol="C")
    seen = lines.filter(pl.col("date").is_between(DATES[3].item(), DATES[13].item()))
    assert seen["price_age"].to_list() == list(range(11))
    assert seen["is_carried"].sum() == 0
    last, later = (
        seen.row(-1, named=True),
        lines.filter(pl.col("date").is_between(DATES[14].item(), DATES[38].item())),
    )
    assert later.height == 25
    assert later["is_carried"].all()
    assert set(later["value"]) == {last["value"]}
    assert set(later["exposure"]) == {last["exposure"]}
    assert last["exposure"] > 3 * last["value"]
    assert result.snapshots["n_stale"].to_list()[4:16] == [*[1] * 10, 0, 0]
    day = DATES[30].item()
    equity = result.snapshots.filter(date=day)["equity"].item()
    gross = result.sectors.filter(date=day)["gross"].sum()
    assert_allclose(gross * equity, 10 * spot[30] + last["exposure"], rtol=1e-12)


def test_an_option_by_the_model_is_as_old_as_the_price_of_its_underlying():
    spot = np.full(N_DAYS, 100.0)
    spot[6:9] = np.nan
    result = measure(book_of([(2, "C", 1, 11.0)], CALL), market_of(X=spot), analytics=[])
    lines = result.exposures.filter(symbol="C")
    assert lines["price_age"].to_list()[:9] == [0, 0, 0, 0, 1, 2, 3, 0, 0]


def test_an_option_whose_underlying_splits_is_carried_and_visible():
    market = market_of(X=np.full(N_DAYS, 100.0))
    split = market.split.copy()
    split[market.place["X"], 10] = 2.0
    close = market.close.copy()
    close[market.place["X"], 10:] = 50.0
    result = measure(
        book_of([(2, "C", 1, 11.0)], CALL), replace(market, split=split, close=close), analytics=[]
    )
    lines = result.exposures.filter(symbol="C")
    assert lines["is_carried"].to_list()[:8] == [False] * 8
    assert all(lines["is_carried"].to_list()[8:])
    assert lines["value"][8:].n_unique() == 1
    assert result.snapshots["n_unpriced"][-1] == 1


def test_private_assets_keep_their_appraisal_and_are_in_no_beta():
    appraised = np.full(N_DAYS, np.nan)
    appraised[1] = 500.0
    rng = np.random.default_rng(0)
    walk = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (2, N_DAYS)), axis=1))
    instruments = {"symbol": ["F", "X"], "class": ["private", "equity"]}
    book = book_of([(2, "F", 1, 480.0), (2, "X", 5, 100.0)], instruments)
    kinds = ["market_beta", "volatility", "sector"]
    result = measure(book, market_of(F=appraised, X=walk[0], SPY=walk[1]), analytics=kinds)
    lines = result.exposures.filter(symbol="F")
    assert lines["value"].unique().to_list() == [500.0]
    assert lines["price_age"].to_list()[-1] == N_DAYS - 2
    only = book_of([(2, "F", 1, 480.0)], {"symbol": ["F"], "class": ["private"]})
    alone = measure(only, market_of(F=appraised, SPY=walk[1]), analytics=kinds).measures
    assert alone["market_beta"].is_null().all()
    assert (alone["market_beta_coverage"].drop_nulls() == 0).all()


def test_private_assets_and_carried_values_have_a_sector_and_count_into_concentration():
    appraised, ended = np.full(N_DAYS, np.nan), np.full(N_DAYS, np.nan)
    appraised[1], ended[1:5] = 600.0, 100.0
    kinds = {"class": ["private", "equity", "equity"], "sector": ["land", "tech", "tech"]}
    book = book_of(
        [(2, "F", 1, 600.0), (2, "X", 3, 100.0), (2, "Y", -1, 100.0)],
        {"symbol": ["F", "X", "Y"], **kinds},
    )
    market = market_of(F=appraised, X=np.full(N_DAYS, 100.0), Y=ended)
    found = measure(book, market, analytics=["sector"])
    row = found.measures.row(-1, named=True)
    assert row["herfindahl"] == pytest.approx(0.6**2 + 0.3**2 + 0.1**2)
    assert (row["top_3"], row["sector_coverage"], row["sector_n_obs"]) == (1.0, 1.0, 3)
    equity = found.snapshots["equity"][-1]
    sectors = found.sectors.filter(date=found.snapshots["date"][-1]).sort("sector")
    assert sectors["sector"].to_list() == ["land", "tech"]
    assert_allclose(sectors["net"] * equity, [600.0, 200.0])
    assert_allclose(sectors["gross"] * equity, [600.0, 400.0])


def test_a_price_is_good_for_ten_sessions_and_then_the_value_stays():
    close = np.full(N_DAYS, 50.0)
    close[5:30] = np.nan
    close[30:] = 60.0
    result = measure(book_of([(1, "X", 2, 40.0)]), market_of(X=close, Y=1.0), analytics=[])
    rows = result.snapshots
    assert rows["n_stale"].to_list()[5:15] == [1] * 10
    assert rows["n_unpriced"].to_list()[15:30] == [1] * 15
    assert rows["carried"].to_list()[15:30] == [100.0] * 15
    assert rows["pnl"].to_list()[5:30] == [0.0] * 25
    assert rows["pnl"].to_list()[30] == 20.0


def test_trades_in_a_carried_symbol_add_their_cost_and_take_their_share():
    close = np.full(N_DAYS, np.nan)
    close[:2] = 50.0
    trades = [(1, "X", 4, 50.0), (20, "X", 2, 70.0), (22, "X", -3, 80.0)]
    rows = measure(book_of(trades), market_of(X=close, Y=1.0), analytics=[]).snapshots
    assert rows["net"].to_list()[19] == 200.0
    assert (rows["net"].to_list()[20], rows["pnl"].to_list()[20]) == (340.0, 0.0)
    assert (rows["net"].to_list()[22], rows["pnl"].to_list()[22]) == (170.0, 70.0)


def test_adjusted_closes_need_adjusted_trades_and_pay_no_dividends():
    market = replace(market_of(X=50.0), is_adjusted=True)
    book = book_of([(1, "X", 2, 100.0)])
    with pytest.raises(BookError, match=r"1 trade without an adjustment, the first of X"):
        measure(book, market, analytics=[])
    adjusted = replace(book, trades=book.trades.with_columns(adjustment=pl.lit(0.5)))
    assert measure(adjusted, market, analytics=[]).snapshots["pnl"].to_list()[1] == 0.0
    with pytest.raises(BookError, match="closes are not adjusted"):
        measure(adjusted, market_of(X=50.0), analytics=[])


def test_dividends_are_refused_as_flows_where_closes_hold_them():
    known = book_of([])
    book = Book.from_frames(
        portfolios=known.portfolios.with_columns(dividends=pl.lit("cash_flows")),
        trades=None,
        cash_flows=pl.DataFrame(
            {"portfolio": "p", "date": [DATES[3].item()], "amount": 7.0, "kind": "dividend"}
        ),
    )
    market = market_of(X=50.0)
    assert measure(book, market, analytics=[]).snapshots["dividends"].sum() == 7.0
    with pytest.raises(BookError, match="1 dividend among the cash flows, and closes are adj"):
        measure(book, replace(market, is_adjusted=True), analytics=[])


def test_prices_are_taken_from_tables_and_refused_if_no_market_has_them():
    prices = pl.DataFrame({"symbol": ["X"] * 3, "date": DATES[:3], "close": [50.0, 51.0, 0.0]})
    book = book_of([(1, "X", 2, 50.0)])
    with pytest.raises(ParameterError, match="1 value of close must be above 0: 0 of X on"):
        measure(book, prices, analytics=[])
    good = prices.with_columns(
        close=pl.Series([50.0, 51.0, 52.0]), dividend=pl.Series([0.0, 0, 0.5])
    )
    rows = measure(book, good, analytics=[]).snapshots
    assert rows["equity"].to_list() == [1000.0, 1002.0, 1005.0]
    with pytest.raises(ParameterError, match="hold splits and dividends already"):
        market_of_panel(Panel.from_frame(good, calendar="XNYS"), CALENDAR, is_adjusted=True)


def test_dates_and_trades_outside_the_prices_are_named():
    book = book_of([(1, "X", 2, 50.0)])
    with pytest.raises(ParameterError, match=r"1 date of no session .*: 2024-12-25"):
        measure(book, market_of(X=50.0), dates=[date(2024, 12, 25)])
    with pytest.raises(ParameterError, match="no analytic 'beta'"):
        measure(book, market_of(X=50.0), analytics=["beta"])
    narrow = Market(
        DATES[5:], ("X",), *(np.ones((1, N_DAYS - 5)) for _ in range(3)), False, FIRST + 5
    )
    with pytest.raises(BookError, match="trade of p in X on"):
        measure(book, narrow)


def test_books_without_holdings_or_equity_have_no_figures_and_no_error():
    empty = book_of([], {"symbol": ["X"], "class": ["equity"]})
    result = measure(empty, market_of(X=50.0, SPY=100.0), analytics=["market_beta", "sector"])
    assert result.snapshots["equity"].to_list() == [1000.0] * N_DAYS
    assert result.measures["market_beta"].is_null().all()
    ruined = book_of([(1, "X", 100, 50.0)], opening_cash=10.0)
    falling = np.append(np.full(5, 50.0), np.full(N_DAYS - 5, 1.0))
    rows = measure(ruined, market_of(X=falling), analytics=["sector"]).snapshots
    assert rows["equity"].to_list()[-1] < 0
    assert rows["leverage"].to_list()[-1] is None
    assert rows["is_stopped"].to_list()[-1]
    assert rows["cumulative"].to_list()[-1] is None
