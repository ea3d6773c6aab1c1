"""Portfolios reconcile: what a clerk keeps day by day, and no gain comes from nowhere."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from plumbline.risk.book import Book
from plumbline.risk.measurement import measure
from tests.oracles.portfolio import keep
from tests.risk.made_books import made_book, made_market

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


@given(seed=st.integers(0, 2**32 - 1), n_days=st.integers(1, 60), n_portfolios=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_snapshots_are_those_of_a_clerk(seed, n_days, n_portfolios):
    rng = np.random.default_rng(seed)
    market = made_market(rng, SYMBOLS, n_days)
    book = made_book(rng, market, n_portfolios)
    found = measure(book, market, analytics=[]).snapshots
    place = {day: i for i, day in enumerate(market.dates.tolist())}
    prices = {
        s: (market.close[i], market.split[i], market.dividend[i]) for i, s in enumerate(SYMBOLS)
    }
    for portfolio in book.portfolios.iter_rows(named=True):
        name = portfolio["portfolio"]
        trades = [
            (place[t["date"]], t["symbol"], t["quantity"], t["price"], t["fees"])
            for t in book.trades.filter(portfolio=name).iter_rows(named=True)
        ]
        flows = [
            (place[f["date"]], f["kind"], f["amount"])
            for f in book.cash_flows.filter(portfolio=name).iter_rows(named=True)
        ]
        wanted = keep(
            n_days,
            place[portfolio["opened_on"]],
            portfolio["opening_cash"],
            trades,
            flows,
            prices,
            by_prices=portfolio["dividends"] == "prices",
        )
        own = found.filter(portfolio=name)
        assert own["date"].to_list() == [market.dates[row["day"]].item() for row in wanted]
        size = 1.0 + own["equity"].abs().max() + own["long"].max() - own["short"].min()
        for column in wanted[0]:
            if column in ("day", "unrealised_total"):
                continue
            values = own[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
            scale = 1.0 if column in ("return", "cumulative", "drawdown") else size
            expected = np.array([row[column] for row in wanted], dtype=float)
            is_wild = np.abs(expected) > 1e3  # a return over next to no equity
            assert_allclose(
                np.where(is_wild, 0, values),
                np.where(is_wild, 0, expected),
                rtol=1e-7,
                atol=1e-9 * scale,
                err_msg=column,
            )
        total = own["unrealised"].cum_sum().to_numpy()
        assert_allclose(
            total, [row["unrealised_total"] for row in wanted], rtol=1e-9, atol=1e-9 * size
        )


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_equity_changes_by_what_is_gained_and_what_comes_from_outside(seed):
    rng = np.random.default_rng(seed)
    market = made_market(rng, SYMBOLS, 80)
    book = made_book(rng, market, 6)
    found = measure(book, market, analytics=[]).snapshots
    change = found["equity"] - pl.Series(
        found.select(pl.col("equity").shift(1).over("portfolio").fill_null(0.0)).to_series()
    )
    size = 1.0 + found["gross"].max() + found["equity"].abs().max()
    gained = found["pnl"] + found["external"]
    assert_allclose(change.to_numpy(), gained.to_numpy(), rtol=0, atol=1e-12 * size)
    parts = (
        found["realised"]
        + found["unrealised"]
        + found["dividends"]
        + found["interest"]
        - found["fees"]
    )
    assert_allclose(parts.to_numpy(), found["pnl"].to_numpy(), rtol=0, atol=1e-12 * size)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_what_comes_later_changes_nothing_before(seed):
    rng = np.random.default_rng(seed)
    market = made_market(rng, SYMBOLS, 50)
    book = made_book(rng, market, 4)
    cut = int(rng.integers(1, 50))
    changed = market.close.copy()
    changed[:, cut:] *= rng.uniform(0.5, 2, changed[:, cut:].shape)
    other = type(market)(**{**vars_of(market), "close": changed})
    early = pl.col("date") < market.dates[cut].item()
    first, second = (
        measure(book, m, analytics=[]).snapshots.filter(early) for m in (market, other)
    )
    assert first.equals(second)


def vars_of(market):
    return {name: getattr(market, name) for name in market.__dataclass_fields__}


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_trade_cut_into_lots_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    market = made_market(rng, SYMBOLS, 40)
    book = made_book(rng, market, 3)
    halves = book.trades.with_columns(pl.col("quantity") / 2, pl.col("fees") / 2)
    twice = pl.concat([halves, halves]).sort("portfolio", "date", maintain_order=True)
    lots = type(book)(book.portfolios, twice, book.cash_flows, book.instruments, book.calendar)
    first, second = (measure(b, market, analytics=[]).snapshots for b in (book, lots))
    for name in ("equity", "pnl", "long", "short", "cash"):
        scale = 1.0 + first["gross"].max()
        assert_allclose(
            first[name].to_numpy(), second[name].to_numpy(), rtol=1e-9, atol=1e-9 * scale
        )


@pytest.mark.parametrize("left", [-1e-10, 0.0, 1e-10])
def test_a_portfolio_that_all_was_withdrawn_from_goes_on_whatever_rounding_left(left):
    market = made_market(np.random.default_rng(0), SYMBOLS, 12)
    days = market.dates.tolist()
    book = Book.from_frames(
        portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": days[:1], "opening_cash": 100.0}),
        trades=None,
        cash_flows=pl.DataFrame(
            {
                "portfolio": ["p"] * 4,
                "date": [days[1], days[2], days[5], days[6]],
                "kind": ["interest", "withdrawal", "contribution", "interest"],
                "amount": [10.0, 110.0 - left, 50.0, 5.0],
            }
        ),
    )
    found = measure(book, market, analytics=[]).snapshots
    assert found["return"].is_null().to_list() == [False] * 3 + [True] * 2 + [False] * 7
    assert not found["is_stopped"].any()
    assert_allclose(found["cumulative"][-1], 1.1 * 1.1 - 1, rtol=1e-11)


def test_periods_begin_at_the_last_session_before_them_and_water_at_the_last_top():
    rng = np.random.default_rng(1)
    market = made_market(rng, SYMBOLS, 300, gaps=0.0)
    book = made_book(rng, market, 6)
    found = measure(book, market, analytics=[]).snapshots
    periods = {
        "month_to_date": lambda day: (day.year, day.month),
        "quarter_to_date": lambda day: (day.year, (day.month - 1) // 3),
        "year_to_date": lambda day: day.year,
    }
    n_seen = 0
    for name in book.portfolios["portfolio"]:
        own = found.filter(portfolio=name)
        dates, grown = own["date"].to_list(), [1 + (c or 0.0) for c in own["cumulative"]]
        top = peak = -1
        for at, row in enumerate(own.iter_rows(named=True)):
            if row["cumulative"] is None:
                assert [row[column] for column in periods] == [None] * 3
                continue
            n_seen += 1
            for column, period in periods.items():
                before = [i for i in range(at) if period(dates[i]) != period(dates[at])]
                base = grown[before[-1]] if before else 1.0
                assert_allclose(row[column], grown[at] / base - 1, rtol=1e-9, atol=1e-12)
            peak = max(peak, 1.0, grown[at])
            top = at if grown[at] >= peak else top
            assert row["days_under_water"] == at - top
    assert n_seen > 200
