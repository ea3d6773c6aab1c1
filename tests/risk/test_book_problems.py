"""Each wrong cell of a book is told once, and hides nothing else that is wrong."""

from datetime import date

import polars as pl
import pytest

from plumbline.core.errors import BookError
from plumbline.risk.book import GIVEN, Book

TABLES = {
    "portfolios": {
        "portfolio": ["a"],
        "name": ["A"],
        "currency": ["USD"],
        "opening_cash": ["5"],
        "opened_on": ["2024-01-03"],
        "owner": ["ann"],
        "dividends": ["cash_flows"],
    },
    "trades": {
        "portfolio": ["a", "a"],
        "date": ["2024-01-03", "2024-01-04"],
        "symbol": ["SPY", "C1"],
        "quantity": ["1", "-2"],
        "price": ["470", "3"],
        "fees": ["1", "1"],
        "adjustment": ["1", "1"],
        "trade_id": ["t1", "t2"],
    },
    "cash_flows": {
        "portfolio": ["a"],
        "date": ["2024-01-03"],
        "amount": ["7"],
        "kind": ["dividend"],
    },
    "instruments": {
        "symbol": ["SPY", "C1"],
        "class": ["etf", "option"],
        "multiplier": ["1", "100"],
        "sector": ["x", "x"],
        "underlying": ["", "SPY"],
        "strike": ["", "480"],
        "expiry": ["", "2024-06-21"],
        "right": ["", "call"],
        "volatility": ["", "0.2"],
    },
    "positions": {
        "portfolio": ["a", "a"],
        "symbol": ["C2", "SPY"],
        "quantity": ["1", "2"],
        "entry_price": ["2", "470"],
        "entry_date": ["2024-01-03", "2024-01-03"],
        "exit_date": ["2024-01-04", ""],
        "exit_price": ["3", ""],
        "exit_quantity": ["1", ""],
        "entry_adjustment": ["1", "1"],
        "exit_adjustment": ["1", ""],
        "class": ["option", "etf"],
        "multiplier": ["100", ""],
        "sector": ["x", ""],
        "underlying": ["SPY", ""],
        "strike": ["480", ""],
        "expiry": ["2024-06-21", ""],
        "right": ["call", ""],
        "volatility": ["0.2", ""],
    },
}
TOGETHER = (tuple(TABLES), ("positions",), ("trades", "portfolios"))
CELLS = [
    (table, column.name, together)
    for together in TOGETHER
    for table in together
    for column in GIVEN[table]
    if column.kind != "text" or column.choices or column.name in ("portfolio", "symbol")
    if (table, column.name) not in {("portfolios", "portfolio"), ("instruments", "symbol")}
]


def refused(tables):
    with pytest.raises(BookError) as caught:
        Book.from_tables({name: pl.DataFrame(rows) for name, rows in tables.items()})
    return list(caught.value.problems)


@pytest.mark.parametrize(("table", "column", "together"), CELLS)
def test_a_wrong_cell_is_told_once(table, column, together):
    tables = {name: TABLES[name] for name in together}
    Book.from_tables({name: pl.DataFrame(rows) for name, rows in tables.items()})
    is_text = column in ("portfolio", "symbol")
    cells = ["" if is_text else "no such", *TABLES[table][column][1:]]
    (problem,) = refused(tables | {table: TABLES[table] | {column: cells}})
    assert problem.startswith(f"{table}, row 1, column {column!r}: ")


def test_a_wrong_cell_hides_nothing_else_of_its_row():
    trades = {
        "portfolio": ["a", "a", "x"],
        "date": ["2023-12-29", "2024-01-04", "2024-01-32"],
        "symbol": ["SPY", "NONE", "NONE"],
        "quantity": ["0", "1", "1"],
        "price": ["1", "x", "1e16"],
        "trade_id": ["t1", "t1", "t2"],
    }
    assert [problem.split(": ")[0] for problem in refused(TABLES | {"trades": trades})] == [
        "trades, row 1, column 'quantity'",
        "trades, row 1, column 'date'",
        "trades, row 2, column 'price'",
        "trades, row 2, column 'trade_id'",
        "trades, row 2, column 'symbol'",
        "trades, row 3, column 'date'",
        "trades, row 3, column 'portfolio'",
        "trades, row 3, column 'symbol'",
        "trades, row 3, column 'quantity'",
    ]


def test_a_wrong_column_hides_no_wrong_cell():
    trades = TABLES["trades"] | {"date": ["2024-01-32", "2024-01-06"], "qty": ["1", "2"]}
    del trades["quantity"]
    told = refused(TABLES | {"trades": trades})
    assert [problem.split(": ")[0] for problem in told] == [
        "trades",
        "trades",
        "trades, row 1, column 'date'",
        "trades, row 2, column 'date'",
    ]


def test_a_column_that_may_be_a_misspelt_one_accuses_no_cell():
    instruments = dict(TABLES["instruments"])
    instruments["clas"] = instruments.pop("class")
    (problem,) = refused(TABLES | {"instruments": instruments})
    assert problem == "instruments: no column 'clas' is known; did you mean 'class'?"


def test_positions_with_a_wrong_entry_accuse_no_trade_of_being_early():
    trades = {
        "portfolio": ["a"],
        "date": ["2024-01-02"],
        "symbol": ["SPY"],
        "quantity": [1],
        "price": [1],
    }
    positions = TABLES["positions"] | {"entry_date": ["2024-01-32", "2024-01-03"]}
    (problem,) = refused({"trades": trades, "positions": positions})
    assert problem.startswith("positions, row 1, column 'entry_date'")


def test_a_position_from_the_future_is_told_by_the_column_that_it_has():
    positions = {name: TABLES["positions"][name][1:] for name in TABLES["positions"]}
    with pytest.raises(BookError) as caught:
        Book.from_positions(pl.DataFrame(positions), latest=date(2023, 12, 29))
    (problem,) = caught.value.problems
    assert "column 'entry_date'" in problem
