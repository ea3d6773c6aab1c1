"""Greeks of options are slopes of a slow value, of what is held, and the same bits in parts."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from polars.testing import assert_frame_equal

from plumbline.risk.book import Book, Conventions
from plumbline.risk.measurement import Measurement, measure
from plumbline.risk.option_table import OPTIONS
from tests.oracles.black_scholes import value_of
from tests.risk.made_books import made_history

RATE = 0.03
DAYS = (499, 500, 520, 530, 559)


@pytest.fixture(scope="module")
def book_and_market():
    market = made_history(3)
    expiry = market.dates[-1].item()
    instruments = pl.DataFrame(
        {
            "symbol": ["C", "P", "N", "U", "AAA", "BBB"],
            "class": [*["option"] * 4, *["equity"] * 2],
            "underlying": ["AAA", "BBB", "AAA", "AAA", None, None],
            "strike": [40.0, 60.0, 40.0, 40.0, None, None],
            "expiry": [*[expiry] * 4, None, None],
            "right": ["call", "put", "call", "put", None, None],
            "volatility": [0.3, 0.5, None, 0.4, None, None],
        }
    )
    opened = market.dates[500].item()
    trades = pl.DataFrame(
        {
            "portfolio": ["p", "q", "p", "p", "p"],
            "date": [opened, opened, opened, opened, market.dates[525].item()],
            "symbol": ["C", "P", "N", "AAA", "C"],
            "quantity": [-2.0, 1.0, 1.0, 5.0, 2.0],
            "price": [5.0, 6.0, 4.0, 40.0, 5.0],
        }
    )
    portfolios = pl.DataFrame(
        {"portfolio": ["p", "q"], "opened_on": [opened] * 2, "opening_cash": [1e4] * 2}
    )
    conventions = Conventions(risk_free=RATE)
    frames = {"portfolios": portfolios, "trades": trades, "instruments": instruments}
    return replace(Book.from_frames(**frames), conventions=conventions), market


def found_of(book, market):
    dates = [market.dates[day].item() for day in DAYS]
    return measure(book, market, dates=dates, analytics=["sector"]).options


def test_greeks_are_slopes_of_the_discounted_mean_of_what_is_paid(book_and_market):
    book, market = book_and_market
    terms = {row["symbol"]: row for row in book.instruments.iter_rows(named=True)}
    rows = found_of(book, market).drop_nulls("volatility")
    assert set(rows["symbol"]) == {"C", "P"}
    n_compared = 0
    for row in rows.iter_rows(named=True):
        own = terms[row["symbol"]]
        day = int(np.searchsorted(market.dates, np.datetime64(row["date"])))
        spot = market.close[market.place[own["underlying"]], day]
        years = (own["expiry"] - row["date"]).days / 365
        if not years > 0.02:
            continue  # slopes of the integral are too steep to be taken by differences
        n_compared += 1

        def value(spot=spot, years=years, rate=RATE, volatility=row["volatility"], own=own):
            is_call = own["right"] == "call"
            return value_of(spot, own["strike"], years, rate, 0.0, volatility, is_call=is_call)

        h = 1e-3 * spot
        up, middle, down = value(spot=spot + h), value(), value(spot=spot - h)
        rates, vols = (
            [value(**{name: centre + step}) for step in (1e-4, -1e-4)]
            for name, centre in (("rate", RATE), ("volatility", row["volatility"]))
        )
        days = [value(years=years + step) for step in (-1e-4, 1e-4)]
        assert_allclose(row["value"], middle, rtol=1e-9, atol=1e-9)
        assert_allclose(row["delta"], (up - down) / (2 * h), rtol=1e-5, atol=1e-7)
        assert_allclose(row["gamma"], (up - 2 * middle + down) / h**2, rtol=1e-3, atol=1e-5)
        assert_allclose(row["vega"], (vols[0] - vols[1]) / 2e-4 / 100, rtol=1e-5, atol=1e-7)
        assert_allclose(row["rho"], (rates[0] - rates[1]) / 2e-4 / 100, rtol=1e-5, atol=1e-7)
        assert_allclose(row["theta"], (days[0] - days[1]) / 2e-4 / 365, rtol=1e-4, atol=1e-7)
    assert n_compared >= 4


def test_only_options_that_are_held_have_a_row_and_what_is_not_known_is_null(book_and_market):
    book, market = book_and_market
    rows = found_of(book, market)
    by_day = rows.group_by("date", maintain_order=True).agg("symbol")
    held = [["C", "N", "P"], ["C", "N", "P"], ["N", "P"]]  # the call is bought back
    assert by_day["symbol"].to_list() == held  # none before, none once they have expired
    assert by_day["date"].to_list() == [market.dates[day].item() for day in DAYS[1:4]]
    unknown = rows.filter(symbol="N").select(pl.exclude("date", "symbol"))
    assert unknown.null_count().sum_horizontal().item() == unknown.height * unknown.width > 0
    shares = book.trades.filter(symbol="AAA")
    plain = Book.from_frames(portfolios=book.portfolios, trades=shares)
    none = found_of(plain, market)
    assert (none.height, none.schema) == (0, OPTIONS)


def test_parts_of_the_dates_and_portfolios_have_the_same_bits(book_and_market):
    book, market = book_and_market
    rows = found_of(book, market)
    dates = [market.dates[day].item() for day in DAYS]
    whole = Measurement.of(book, market, {}, dates)
    parts = [whole.shared_tables(slice(at, at + 2))["options"] for at in range(0, len(DAYS), 2)]
    assert_frame_equal(pl.concat(parts), rows, check_exact=True)
    alone = found_of(book.only(["q"]), market)
    assert_frame_equal(alone, rows.filter(symbol="P"), check_exact=True)
