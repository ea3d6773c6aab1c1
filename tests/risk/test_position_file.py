"""Positions become trades that hold them from entry to exit, or every wrong cell is named."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.errors import BookError
from plumbline.kernels.position_accounting import hold
from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.measurement import measure
from plumbline.risk.positions import lines_of
from plumbline.risk.valuation import value_symbols
from tests.oracles.held_positions import held
from tests.risk.made_books import CALENDAR, FIRST

SYMBOLS = ("AAA", "BBB")
TYPES = {
    "portfolio": pl.String,
    "symbol": pl.String,
    "quantity": pl.Float64,
    "entry_price": pl.Float64,
    "entry_date": pl.Date,
    "exit_date": pl.Date,
    "exit_price": pl.Float64,
    "exit_quantity": pl.Float64,
}
POSITIONS = {
    "portfolio": ["a", "a", "b"],
    "symbol": ["X", "C1", "Y"],
    "quantity": [5.0, -2.0, -3.0],
    "entry_price": [10.0, 2.5, 4.0],
    "entry_date": ["2024-01-03", "2024-01-02", "2024-01-04"],
}
OPTION = {
    "class": [None, "option", "etf"],
    "underlying": [None, "X", None],
    "strike": [None, 50.0, None],
    "expiry": [None, "2024-06-21", None],
    "right": [None, "call", None],
}


def refused(positions: dict, **tables) -> list[str]:
    with pytest.raises(BookError) as caught:
        Book.from_positions(pl.DataFrame(positions), **tables)
    return list(caught.value.problems)


def lines_held(book: Book, market: Market) -> dict[tuple[str, str], list[float]]:
    names = tuple(book.portfolios["portfolio"])
    lines = lines_of(book.trades, names, market)
    valuation = value_symbols(market, book.instruments, book.trades, book.calendar)
    pays = np.zeros(lines.symbol.size, dtype=bool)
    found = hold(lines.symbol, lines.trades, valuation.marks, pays)
    keys = [(names[p], market.symbols[s]) for p, s in zip(lines.owner, lines.symbol, strict=True)]
    return dict(zip(keys, found.quantity.tolist(), strict=True))


@st.composite
def histories(draw):
    """Draw sessions, splits, and positions of two portfolios that overlap, reopen and stay."""
    n_days = draw(st.integers(1, 12))
    days = st.integers(0, n_days - 1)
    splits = {s: [1.0] * n_days for s in SYMBOLS}
    for symbol, day, factor in draw(
        st.lists(st.tuples(st.sampled_from(SYMBOLS), days, st.sampled_from([2.0, 0.5])), max_size=3)
    ):
        splits[symbol][day] = factor
    row = st.tuples(
        st.sampled_from(["p", "q"]),
        st.sampled_from(SYMBOLS),
        st.sampled_from([-96.0, -32.0, 32.0, 64.0, 160.0]),
        days,
        st.none() | days,
    )
    rows = draw(st.lists(row, min_size=1, max_size=8))
    return n_days, splits, [(*r[:4], None if r[4] is None else max(r[3:])) for r in rows]


def table(rows, n_days, splits):
    dates = CALENDAR.dates(FIRST, FIRST + n_days - 1).tolist()
    cells = []
    for portfolio, symbol, quantity, entry, leave in rows:
        left = (None, None, None)
        if leave is not None:
            factor = float(np.prod(splits[symbol][entry + 1 : leave + 1]))
            left = (dates[leave], 3.0, None if factor == 1 else quantity * factor)
        cells.append((portfolio, symbol, quantity, 2.0, dates[entry], *left))
    return pl.DataFrame(cells, schema=TYPES, orient="row")


@given(history=histories())
def test_what_is_held_on_every_date_is_the_positions_entered_and_not_yet_left(history):
    n_days, splits, rows = history
    dates = CALENDAR.dates(FIRST, FIRST + n_days - 1)
    split = np.array([splits[s] for s in SYMBOLS])
    close, nothing = np.full(split.shape, 2.0), np.zeros(split.shape)
    market = Market(dates, SYMBOLS, close, split, nothing, False, FIRST)
    book = Book.from_positions(table(rows, n_days, splits))
    assert lines_held(book, market) == held(rows, n_days, splits)


@given(history=histories(), seed=st.integers(0, 9))
def test_rows_in_another_order_hold_the_same(history, seed):
    n_days, splits, rows = history
    given_rows = table(rows, n_days, splits)
    other = given_rows.sample(fraction=1.0, shuffle=True, seed=seed)
    keys = ["portfolio", "date", "symbol", "quantity", "price"]
    book, again = Book.from_positions(given_rows), Book.from_positions(other)
    assert book.trades.sort(keys).equals(again.trades.sort(keys))
    assert book.portfolios.equals(again.portfolios)


@given(history=histories())
@settings(max_examples=25)
def test_a_portfolio_that_opens_with_what_its_entries_cost_never_needs_credit(history):
    n_days, _, rows = history
    flat = {s: [1.0] * n_days for s in SYMBOLS}
    book = Book.from_positions(table(rows, n_days, flat))
    shape = (len(SYMBOLS), n_days)
    dates = CALENDAR.dates(FIRST, FIRST + n_days - 1)
    market = Market(
        dates, SYMBOLS, np.full(shape, 2.0), np.ones(shape), np.zeros(shape), False, FIRST
    )
    found = measure(book, market, analytics=[]).snapshots
    short_losses = sum(abs(r[2]) for r in rows if r[2] < 0 and r[4] is not None)
    assert found["cash"].min() >= -short_losses  # closed short holdings cost 1 a unit here
    assert found["gross"].max() <= book.portfolios["opening_cash"].max()


def test_positions_open_their_portfolios_and_describe_their_instruments():
    left = {"exit_date": ["2024-01-10", None, None], "exit_price": [11.0, None, None]}
    book = Book.from_positions(pl.DataFrame(POSITIONS | OPTION | left))
    assert book.trades.rows() == [
        ("a", date(2024, 1, 2), "C1", -2.0, 2.5, 0.0, None, None),
        ("a", date(2024, 1, 3), "X", 5.0, 10.0, 0.0, None, None),
        ("a", date(2024, 1, 10), "X", -5.0, 11.0, 0.0, None, None),
        ("b", date(2024, 1, 4), "Y", -3.0, 4.0, 0.0, None, None),
    ]
    assert book.portfolios.rows() == [
        ("a", "a", "USD", 5 * 10.0 + 2 * 2.5 * 100, date(2024, 1, 2), "", "prices"),
        ("b", "b", "USD", 12.0, date(2024, 1, 4), "", "prices"),
    ]
    assert book.instruments.rows() == [
        ("C1", "option", 100.0, None, "X", 50.0, date(2024, 6, 21), "call", None),
        ("X", "equity", 1.0, None, None, None, None, None, None),
        ("Y", "etf", 1.0, None, None, None, None, None, None),
    ]
    same = Book.from_frames(
        portfolios=book.portfolios, trades=book.trades, instruments=book.instruments
    )
    for name in ("portfolios", "trades", "cash_flows", "instruments"):
        assert getattr(same, name).equals(getattr(book, name))


def test_an_underlying_that_nobody_holds_becomes_an_instrument_unless_they_are_listed():
    only = {name: cells[1:2] for name, cells in (POSITIONS | OPTION).items()}
    book = Book.from_positions(pl.DataFrame(only))
    assert book.instruments.select("symbol", "class").rows() == [("C1", "option"), ("X", "equity")]
    (problem,) = refused(only, instruments=pl.DataFrame({"symbol": ["Z"]}))
    assert problem == (
        "positions, row 1, column 'underlying': 'X' is no instrument of the book that is not "
        "itself an option; list it"
    )


def test_on_one_day_old_positions_are_left_before_new_ones_are_entered():
    rows = [
        ("p", "AAA", 7.0, 2.0, date(2024, 1, 3), date(2024, 1, 3), 3.0, None),
        ("p", "AAA", 5.0, 2.0, date(2024, 1, 3), None, None, None),
        ("p", "AAA", 1.0, 2.0, date(2024, 1, 2), date(2024, 1, 3), 3.0, None),
    ]
    book = Book.from_positions(pl.DataFrame(rows, schema=TYPES, orient="row"))
    assert book.trades["quantity"].to_list() == [1.0, -1.0, 7.0, 5.0, -7.0]


def test_entries_of_one_day_keep_the_order_of_their_rows():
    rows = [
        ("p", symbol, quantity, price, date(2024, 1, 3), None, None, None)
        for symbol, quantity, price in (("B", 1.0, 9.0), ("A", -2.0, 3.0), ("C", 3.0, 6.0))
    ]
    book = Book.from_positions(pl.DataFrame(rows, schema=TYPES, orient="row"))
    assert book.trades["quantity"].to_list() == [1.0, -2.0, 3.0]


def test_adjustments_of_entry_and_exit_are_those_of_their_trades():
    given_rows = {name: cells[:1] for name, cells in POSITIONS.items()}
    given_rows |= {"exit_date": ["2024-01-05"], "exit_price": [12.0]}
    factors = {"entry_adjustment": [0.5], "exit_adjustment": [0.75]}
    book = Book.from_positions(pl.DataFrame(given_rows | factors))
    assert book.trades["adjustment"].to_list() == [0.5, 0.75]
    assert book.portfolios["opening_cash"].to_list() == [5 * 10 * 0.5]
    (problem,) = refused(POSITIONS | {"exit_adjustment": [0.5, None, None]})
    assert problem.startswith("positions, row 1, column 'exit_adjustment': 0.5 has no exit_date")


def test_stated_portfolios_and_cash_count():
    told = {"portfolio": ["a", "b"], "opened_on": ["2024-01-02"] * 2, "opening_cash": [1.0, 2.0]}
    book = Book.from_positions(
        pl.DataFrame(POSITIONS), portfolios=pl.DataFrame(told), instruments=None
    )
    assert book.portfolios["opening_cash"].to_list() == [1.0, 2.0]
    assert book.portfolios["opened_on"].to_list() == [date(2024, 1, 2)] * 2
    book = Book.from_positions(pl.DataFrame(POSITIONS), opening_cash=7.0)
    assert book.portfolios["opening_cash"].to_list() == [7.0, 7.0]
    (problem,) = refused(POSITIONS, portfolios=pl.DataFrame(told), opening_cash=7.0)
    assert problem.startswith("opening_cash=7.0: is of portfolios that positions open; say ")
    (problem,) = refused(POSITIONS, opening_cash=float("nan"))
    assert problem == "opening_cash=nan: must be a finite number"


def test_trades_and_flows_may_stand_beside_positions():
    trades = {
        "portfolio": ["a"],
        "date": ["2024-01-05"],
        "symbol": ["Z"],
        "quantity": [1.0],
        "price": [2.0],
    }
    flows = {
        "portfolio": ["b"],
        "date": ["2024-01-05"],
        "amount": [1.0],
        "kind": ["interest"],
    }
    given = {"positions": POSITIONS, "trades": trades, "cash_flows": flows}
    book = Book.from_tables({name: pl.DataFrame(cells) for name, cells in given.items()})
    assert book.trades["symbol"].to_list() == ["C1", "X", "Z", "Y"]
    assert book.instruments["symbol"].to_list() == ["C1", "X", "Y", "Z"]
    assert book.cash_flows.height == 1


def test_listed_instruments_are_completed_and_never_contradicted():
    listed = pl.DataFrame({"symbol": ["X", "Y"], "class": ["equity", "etf"]})
    positions = {name: cells[::2] for name, cells in POSITIONS.items()}
    book = Book.from_positions(
        pl.DataFrame(positions | {"sector": ["Oil", None]}), instruments=listed
    )
    assert book.instruments.select("symbol", "class", "sector").rows() == [
        ("X", "equity", "Oil"),
        ("Y", "etf", None),
    ]
    (problem,) = refused(positions | {"class": ["etf", "etf"]}, instruments=listed)
    assert problem == (
        "positions, row 1, column 'class': 'etf' contradicts 'equity' of the same symbol 'X' in "
        "instruments, row 1; a symbol has one class"
    )
    (problem,) = refused(positions, instruments=listed.head(1))
    assert (
        problem == "positions, row 2, column 'symbol': 'Y' is no instrument of the book; known: X"
    )


def test_every_wrong_cell_of_positions_is_named():
    rows = {
        "portfolio": ["a"] * 10,
        "symbol": ["X"] * 7 + ["C1", "C1", "C1"],
        "quantity": ["0", "1", "1", "1", "1", "2", "1", "1", "1", "1"],
        "entry_price": ["1", "-1", "1", "1", "1", "1", "1", "1", "1", "1"],
        "entry_date": ["2024-01-03"] * 6 + ["2024-01-06"] + ["2024-01-03"] * 3,
        "exit_date": ["", "", "2024-01-02", "2024-01-05", "", "2024-01-05", "", "", "", ""],
        "exit_price": ["", "", "1", "", "5", "1", "", "", "", ""],
        "exit_quantity": ["", "", "", "", "", "-2", "", "", "", ""],
        "class": [""] * 7 + ["option", "option", "etf"],
        "underlying": [""] * 7 + ["X", "X", ""],
        "strike": [""] * 7 + ["50", "55", ""],
        "expiry": [""] * 7 + ["2024-06-21"] * 2 + [""],
        "right": [""] * 7 + ["call", "both", ""],
    }
    rows["right"][6] = "put"
    assert refused(rows) == [
        "positions, row 1, column 'quantity': '0' must be a finite number other than 0",
        "positions, row 2, column 'entry_price': '-1' must be a finite number 0 or more",
        (
            "positions, row 3, column 'exit_date': 2024-01-02 lies before the entry_date of its "
            "row; a position ends on or after the day it begins"
        ),
        (
            "positions, row 4, column 'exit_date': 2024-01-05 has no exit_price beside it; state "
            "it, 0 for what ended without worth"
        ),
        (
            "positions, row 5, column 'exit_price': 5.0 has no exit_date beside it; state it, or "
            "leave the exit out of a position still held"
        ),
        (
            "positions, row 6, column 'exit_quantity': -2.0 has not the sign of the quantity of "
            "its row; it is what was held, in units of the exit"
        ),
        (
            "positions, row 7, column 'entry_date': 2024-01-06 is no session of XNYS; a trade has "
            "the date of the session it was made in"
        ),
        (
            "positions, row 7, column 'symbol': 'X' is no option and has right; leave it out, or "
            "say class: option"
        ),
        "positions, row 9, column 'right': 'both' must be one of call, put",
        (
            "positions, row 9, column 'strike': 55.0 contradicts 50.0 of the same symbol 'C1' in "
            "positions, row 8; a symbol has one strike"
        ),
        (
            "positions, row 10, column 'class': 'etf' contradicts 'option' of the same symbol "
            "'C1' in positions, row 8; a symbol has one class"
        ),
    ]


def test_dates_of_positions_keep_to_the_opening_and_the_latest_day():
    told = {"portfolio": ["a"], "opened_on": ["2024-01-03"]}
    given_rows = POSITIONS | {
        "exit_date": [None, None, "2024-01-09"],
        "exit_price": [None, None, 1],
    }
    problems = refused(given_rows, portfolios=pl.DataFrame(told), latest=date(2024, 1, 3))
    assert problems == [
        (
            "positions, row 2, column 'entry_date': 2024-01-02 lies before the day on which its "
            "portfolio opened"
        ),
        (
            "positions, row 3, column 'entry_date': 2024-01-04 lies after 2024-01-03, the latest "
            "allowed"
        ),
        (
            "positions, row 3, column 'exit_date': 2024-01-09 lies after 2024-01-03, the latest "
            "allowed"
        ),
        "positions, row 3, column 'portfolio': 'b' is no portfolio of the book; known: a",
    ]


def test_an_exit_on_a_day_without_a_session_is_refused():
    left = {"exit_date": ["2024-01-06", None, None], "exit_price": [1.0, None, None]}
    (problem,) = refused(POSITIONS | left)
    assert problem.startswith("positions, row 1, column 'exit_date': 2024-01-06 is no session of")


def test_many_contradictions_are_counted():
    many = {name: cells[:1] * 50 for name, cells in POSITIONS.items()}
    told = refused(many | {"sector": ["Oil"] + ["Gas"] * 49})
    assert len(told) == 21
    assert told[-1] == (
        "positions, column 'sector': 29 more cells contradict what is said of their symbols"
    )


def test_a_row_with_a_wrong_cell_still_names_its_portfolio_and_symbol():
    portfolios = {"portfolio": ["a"], "opened_on": ["2024-01-02"], "opening_cash": ["much"]}
    instruments = {"symbol": ["X"], "multiplier": ["none"]}
    rows = {name: cells[:1] for name, cells in POSITIONS.items()}
    told = refused(rows, portfolios=pl.DataFrame(portfolios), instruments=pl.DataFrame(instruments))
    assert told == [
        "portfolios, row 1, column 'opening_cash': 'much' must be a finite number",
        "instruments, row 1, column 'multiplier': 'none' must be a finite number above 0",
    ]


def test_cells_of_another_kind_are_no_numbers_and_no_text():
    rows = pl.DataFrame({name: cells[:1] for name, cells in POSITIONS.items()})
    wrong = rows.with_columns(
        pl.Series("quantity", [True]),
        pl.lit(2**53 + 1).alias("entry_price"),
        pl.Series("symbol", [["X"]]),
    )
    with pytest.raises(BookError) as caught:
        Book.from_positions(wrong)
    assert len(caught.value.problems) == 3
    for problem, column in zip(
        caught.value.problems, ("symbol", "quantity", "entry_price"), strict=True
    ):
        assert problem.startswith(f"positions, row 1, column {column!r}: ")


def test_a_table_that_is_none_of_a_book_is_refused():
    with pytest.raises(BookError) as caught:
        Book.from_tables({"position": pl.DataFrame(POSITIONS)})
    assert list(caught.value.problems) == [
        "no table 'position' is known; did you mean 'positions'?"
    ]


def test_positions_without_a_row_are_a_book_without_a_portfolio():
    empty = pl.DataFrame(POSITIONS).clear()
    book = Book.from_positions(empty)
    assert (book.portfolios.height, book.trades.height, book.instruments.height) == (0, 0, 0)
