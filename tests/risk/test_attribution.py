"""The parts of a session's P&L add up to it, and are what plain loops over positions give."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.risk.analytic import MarketDays
from plumbline.risk.book import Book
from plumbline.risk.joint_model import FACTORS, JointModel
from plumbline.risk.measurement import measure
from tests.risk.made_books import FUNDS, HELD, N_DAYS, among, made_book, made_history, valued

PARTS = (
    *(f"from_{factor}" for factor in FACTORS),
    *("from_trading", "from_dividends", "from_interest", "from_fees"),
    *("from_option_convexity", "from_residual"),
)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_parts_add_up_to_the_pnl(seed):
    rng = np.random.default_rng(seed)
    market = made_history(seed % 1000, gaps=0.02)
    split = np.where(rng.random(market.close.shape) < 0.002, 2.0, 1.0)
    dividend = np.where(rng.random(market.close.shape) < 0.01, 0.5, 0.0)
    market = replace(market, split=split, dividend=dividend)
    book = made_book(rng, among(market, HELD), 5)
    dates = [day.item() for day in market.dates[-150:]]
    result = measure(book, market, dates=dates, analytics=["attribution"])
    joined = result.measures.join(result.snapshots, on=["portfolio", "date"])
    total = joined.select(pl.sum_horizontal(PARTS)).to_series()
    size = joined["gross"] + joined["equity"].abs() + 1.0
    assert ((total - joined["pnl"]).abs() / size).max() < 1e-9


def test_a_portfolio_without_fees_lost_nothing_by_them_not_minus_nothing():
    market = made_history(3, gaps=0.0)
    day = market.dates[-1].item()
    book = Book.from_frames(
        portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": [market.dates[-3].item()]}),
        trades=None,
    )
    (fees,) = measure(book, market, dates=[day], analytics=["attribution"]).measures["from_fees"]
    assert (fees, math.copysign(1.0, fees)) == (0.0, 1.0)


def test_factors_explain_exposure_times_slope_times_return():
    market = made_history(3, gaps=0.0)
    rng = np.random.default_rng(8)
    book = made_book(rng, among(market, HELD), 6)
    day = N_DAYS - 1
    dates = [market.dates[day - 1].item(), market.dates[day].item()]
    result = measure(book, market, dates=dates, analytics=["attribution"])
    held = np.ones((len(market.symbols), 1), dtype=bool)
    view = MarketDays(
        valued(market),
        np.array([day]),
        held,
        np.zeros((0, 1), dtype=bool),
        (None,) * len(market.symbols),
    )
    fit = JointModel().fit(view)
    n_checked = 0
    for row in result.measures.filter(date=dates[1]).iter_rows(named=True):
        before = result.exposures.filter(portfolio=row["portfolio"], date=dates[0])
        wanted = np.zeros(len(FACTORS))
        for symbol, quantity, value in before.select("symbol", "quantity", "value").iter_rows():
            slopes = fit.beta[market.place[symbol], 0]
            is_priced = np.isfinite(market.close[market.place[symbol], day - 1])
            if quantity and is_priced and np.isfinite(slopes).all():
                wanted += value * slopes * fit.factor_returns[0]
                n_checked += 1
        assert_allclose([row[f"from_{f}"] for f in FACTORS], wanted, rtol=1e-9, atol=1e-9)
    assert n_checked > 3


def test_a_trade_gains_from_its_price_to_the_close_and_a_new_holding_all():
    market = made_history(3, gaps=0.0)
    rng = np.random.default_rng(8)
    book = made_book(rng, among(market, HELD), 8)
    result = measure(book, market, analytics=["attribution"])
    trading = 0.0
    first = book.trades["date"].min()
    name = book.trades.sort("date")["portfolio"][0]
    row = result.measures.filter(portfolio=name, date=first).row(0, named=True)
    place = {d: i for i, d in enumerate(market.dates.tolist())}
    for trade in book.trades.filter(portfolio=name, date=first).iter_rows(named=True):
        close = market.close[market.place[trade["symbol"]], place[first]]
        if np.isfinite(close):
            trading += trade["quantity"] * (close - trade["price"])
    assert_allclose(row["from_trading"], trading, rtol=1e-9)


@pytest.mark.parametrize("fund", FUNDS)
def test_attribution_needs_every_fund(fund):
    market = made_history(3, gaps=0.0)
    book = made_book(np.random.default_rng(8), among(market, HELD), 2)
    kept = [s for s in market.symbols if s != fund]
    less = among(market, kept)
    told = measure(book, less, dates=[market.dates[-1].item()], analytics=["attribution"]).failures
    assert told["reason"].to_list() == [f"there are no prices of {fund}"]


def test_attribution_and_stress_share_one_fit(monkeypatch):
    market = made_history(3, gaps=0.0)
    book = made_book(np.random.default_rng(8), among(market, HELD), 2)
    fits = []
    fitted = JointModel._fitted
    monkeypatch.setattr(
        JointModel, "_fitted", lambda self, days: fits.append(self) or fitted(self, days)
    )
    measure(book, market, dates=[market.dates[-1].item()], analytics=["attribution", "stress"])
    assert fits == [JointModel()]
