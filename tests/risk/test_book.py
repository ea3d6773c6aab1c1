"""Tables of a book are taken whole, or refused with every row that is wrong."""

from datetime import date

import pandas as pd
import polars as pl
import pytest

from plumbline.core.errors import BookError
from plumbline.risk.book import Book

PORTFOLIOS = {
    "portfolio": ["b", "a"],
    "opened_on": ["2024-01-02", "2024-01-03"],
    "opening_cash": [1e6, 5.0],
}
TRADES = {
    "portfolio": ["a", "b", "b"],
    "date": ["2024-01-05", "2024-01-04", "2024-01-03"],
    "symbol": ["SPY", "AAPL", "SPY"],
    "quantity": [1.0, -2.5, 3.0],
    "price": [470.1, 180.0, 468.0],
}


def refused(**tables) -> list[str]:
    given = {"portfolios": pl.DataFrame(PORTFOLIOS), "trades": pl.DataFrame(TRADES)} | tables
    with pytest.raises(BookError) as caught:
        Book.from_frames(**given)
    return list(caught.value.problems)


def test_a_book_is_sorted_and_says_what_was_left_out():
    book = Book.from_frames(portfolios=PORTFOLIOS_OF["polars"], trades=pl.DataFrame(TRADES))
    assert book.portfolios.rows() == [
        ("a", "a", "USD", 5.0, date(2024, 1, 3), "", "prices"),
        ("b", "b", "USD", 1e6, date(2024, 1, 2), "", "prices"),
    ]
    assert book.trades["symbol"].to_list() == ["SPY", "SPY", "AAPL"]
    assert book.trades["fees"].to_list() == [0.0, 0.0, 0.0]
    assert book.instruments.select("symbol", "class", "multiplier").rows() == [
        ("AAPL", "equity", 1.0),
        ("SPY", "equity", 1.0),
    ]
    assert book.cash_flows.height == 0


PORTFOLIOS_OF = {
    "polars": pl.DataFrame(PORTFOLIOS),
    "pandas": pd.DataFrame(PORTFOLIOS).assign(opened_on=lambda t: pd.to_datetime(t["opened_on"])),
    "arrow": pl.DataFrame(PORTFOLIOS).with_columns(pl.col("opened_on").str.to_date()).to_arrow(),
}


@pytest.mark.parametrize("kind", PORTFOLIOS_OF)
def test_tables_of_any_library_are_read_alike(kind):
    book = Book.from_frames(portfolios=PORTFOLIOS_OF[kind], trades=pl.DataFrame(TRADES))
    assert book.portfolios["opened_on"].to_list() == [date(2024, 1, 3), date(2024, 1, 2)]


def test_every_wrong_cell_of_every_table_is_named():
    trades = {
        "portfolio": ["a", "c", "b", "b", "b", "b", ""],
        "date": [
            "2024-01-02",
            "2024-01-04",
            "2024-01-06",
            "04.01.2024",
            "2024-01-04",
            "2024-01-04",
            "2024-01-04",
        ],
        "symbol": ["SPY"] * 4 + ["AAPL", "SPY", "SPY"],
        "quantity": ["1", "2", "3", "4", "0", "inf", "1"],
        "price": ["1", "1", "1", "1", "-1", "1", "1"],
        "trade_id": ["t1", "t2", "t3", "t3", "t4", "t5", "t1"],
    }
    instruments = {
        "symbol": ["SPY", "SPY", "X1"],
        "class": ["etf", "fund", "option"],
        "strike": ["", "", "-5"],
    }
    flows = {
        "portfolio": ["a", "b"],
        "date": ["2024-01-04"] * 2,
        "amount": [-5.0, 3.0],
        "kind": ["fee", "dividend"],
    }
    told = refused(
        trades=pl.DataFrame(trades),
        instruments=pl.DataFrame(instruments),
        cash_flows=pl.DataFrame(flows),
    )
    assert told == [
        (
            "trades, row 1, column 'date': 2024-01-02 lies before the day on which its portfolio "
            "opened"
        ),
        "trades, row 2, column 'portfolio': 'c' is no portfolio of the book; known: a, b",
        (
            "trades, row 3, column 'date': 2024-01-06 is no session of XNYS; a trade has the date "
            "of the session it was made in"
        ),
        "trades, row 4, column 'date': '04.01.2024' must be a date such as 2024-01-31",
        "trades, row 4, column 'trade_id': 't3' stands there already; each may stand once",
        "trades, row 5, column 'quantity': '0' must be a finite number other than 0",
        "trades, row 5, column 'price': '-1' must be a finite number 0 or more",
        "trades, row 5, column 'symbol': 'AAPL' is no instrument of the book; known: SPY, X1",
        "trades, row 6, column 'quantity': 'inf' must be a finite number other than 0",
        "trades, row 7, column 'portfolio': nothing must be a text that is not empty",
        "trades, row 7, column 'trade_id': 't1' stands there already; each may stand once",
        (
            "cash_flows, row 1, column 'amount': -5.0 must be above 0 for a contribution, fee, "
            "withdrawal: the kind says where it goes"
        ),
        (
            "cash_flows, row 2, column 'kind': 'dividend' is not taken, as the portfolio gets its "
            "dividends from prices; leave it out, or say dividends: cash_flows of the portfolio"
        ),
        (
            "instruments, row 2, column 'class': 'fund' must be one of cash, equity, etf, option, "
            "private"
        ),
        "instruments, row 2, column 'symbol': 'SPY' stands there already; each may stand once",
        "instruments, row 3, column 'strike': '-5' must be a finite number above 0",
        "instruments, row 3, column 'symbol': 'X1' is an option without underlying",
        "instruments, row 3, column 'symbol': 'X1' is an option without expiry",
        "instruments, row 3, column 'symbol': 'X1' is an option without right",
    ]


@pytest.mark.parametrize("text", ["usd", "US", "USDX", "U5D", "Dollar", "€"])
def test_a_currency_is_three_capital_letters(text):
    (told,) = refused(portfolios=pl.DataFrame(PORTFOLIOS | {"currency": ["USD", text]}))
    assert told == (
        f"portfolios, row 2, column 'currency': {text!r} must be three capital letters such as USD"
    )


def test_an_empty_currency_is_the_usual_one_and_others_are_kept():
    table = pl.DataFrame(PORTFOLIOS | {"currency": ["", " EUR "]})
    book = Book.from_frames(portfolios=table, trades=pl.DataFrame(TRADES))
    assert sorted(book.portfolios["currency"]) == ["EUR", "USD"]


def test_a_volatility_of_more_than_1000_percent_is_refused_with_what_it_is():
    table = {"symbol": ["SPY", "A", "B"], "volatility": [20.0, 10.0, 0.2]}
    (told,) = refused(
        trades=pl.DataFrame(TRADES).with_columns(symbol=pl.lit("SPY")),
        instruments=pl.DataFrame(table),
    )
    assert told == (
        "instruments, row 1, column 'volatility': 20.0 must be a finite number above 0, 10 at "
        "most: it is a fraction a year, 0.2 is 20 %"
    )


def test_wrong_columns_are_named_with_what_is_known():
    (unknown, lacking) = refused(
        trades=pl.DataFrame({"portfolio": ["a"], "qty": [1.0], "date": ["2024-01-05"]})
    )
    assert unknown.startswith("trades: no column 'qty' is known; ")
    assert lacking == (
        "trades: the columns symbol, quantity, price are missing; it has portfolio, qty, "
        "date, and may have portfolio, date, symbol, quantity, price, fees, adjustment, "
        "trade_id"
    )


def test_rows_after_the_latest_day_are_refused():
    given = {"portfolios": pl.DataFrame(PORTFOLIOS), "trades": pl.DataFrame(TRADES)}
    with pytest.raises(BookError) as caught:
        Book.from_frames(**given, latest=date(2024, 1, 4))
    assert list(caught.value.problems) == [
        "trades, row 1, column 'date': 2024-01-05 lies after 2024-01-04, the latest allowed"
    ]


def test_options_need_their_terms_and_only_they_have_them():
    instruments = {
        "symbol": ["SPY", "AAPL", "C1", "C2"],
        "class": ["etf", "equity", "option", "option"],
        "underlying": [None, "SPY", "SPY", "C1"],
        "strike": [None, None, 100.0, 5.0],
        "expiry": [None, None, date(2024, 6, 21), date(2024, 6, 21)],
        "right": [None, None, "call", "put"],
    }
    told = refused(instruments=pl.DataFrame(instruments))
    assert told == [
        (
            "instruments, row 2, column 'symbol': 'AAPL' is no option and has underlying; leave "
            "it out, or say class: option"
        ),
        (
            "instruments, row 4, column 'underlying': 'C1' is no instrument of the book that is "
            "not itself an option; list it"
        ),
    ]


def test_options_are_not_traded_after_their_expiry():
    first, last = date(2024, 6, 21), date(2024, 6, 24)
    terms = {"underlying": "X", "strike": 10.0, "expiry": first, "right": "call"}
    rows = [{"symbol": "X", "class": "equity"}, {"symbol": "C", "class": "option", **terms}]
    named = {"portfolio": "a", "symbol": "C", "quantity": 1.0}
    traded = [named | {"date": day, "price": 2.0} for day in (first, last)]
    held = {"entry_price": 2.0, "entry_date": first, "exit_price": 0.0, "exit_date": last}
    with pytest.raises(BookError) as caught:
        Book.from_tables(
            {
                "portfolios": pl.DataFrame({"portfolio": ["a"], "opened_on": [first]}),
                "trades": pl.DataFrame(traded),
                "positions": pl.DataFrame([named | held]),
                "instruments": pl.DataFrame(rows, infer_schema_length=None),
            }
        )
    told = "2024-06-24 lies after the option's expiry, at which it is settled by itself"
    assert list(caught.value.problems) == [
        f"trades, row 2, column 'date': {told}; leave it out",
        f"positions, row 1, column 'exit_date': {told}; leave it out",
    ]


def test_of_many_wrong_cells_twenty_are_named_and_the_rest_counted():
    many = {name: cells[:1] * 50 for name, cells in TRADES.items()} | {"quantity": ["x"] * 50}
    told = refused(trades=pl.DataFrame(many))
    assert len(told) == 21
    assert told[-1] == "trades, column 'quantity': 30 more cells like these, the last in row 50"
