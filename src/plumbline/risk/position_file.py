"""Positions, an entry and perhaps an exit a row, as trades, instruments and portfolios."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from plumbline.core.wording import counted
from plumbline.risk.book_columns import INSTRUMENTS
from plumbline.risk.book_tables import ROW, SHOWN, BookTable, Fault, shown

_FIELDS: Final = tuple(column.name for column in INSTRUMENTS[1:])
_OPTION_UNITS: Final = 100.0  # of the underlying in one option, where nothing else is said


def position_problems(positions: BookTable, listed: BookTable) -> Iterator[Fault]:
    """Yield what is wrong with cells that are right by themselves.

    Parameters
    ----------
    positions : a row each.
    listed : instruments that were given beside them.
    """
    exit_date = pl.col("exit_date")
    yield from positions.problems_of(
        exit_date < pl.col("entry_date"),
        "exit_date",
        "lies before the entry_date of its row; a position ends on or after the day it begins",
    )
    yield from positions.problems_of(
        exit_date.is_not_null() & positions.lacks("exit_price"),
        "exit_date",
        "has no exit_price beside it; state it, 0 for what ended without worth",
    )
    for name in ("exit_price", "exit_quantity", "exit_adjustment"):
        yield from positions.problems_of(
            positions.lacks("exit_date") & pl.col(name).is_not_null(),
            name,
            "has no exit_date beside it; state it, or leave the exit out of a position still held",
        )
    yield from positions.problems_of(
        pl.col("exit_quantity").sign() != pl.col("quantity").sign(),
        "exit_quantity",
        "has not the sign of the quantity of its row; it is what was held, in units of the exit",
    )
    for name in _FIELDS:
        yield from _contradictions(positions, listed, name)


def _contradictions(positions: BookTable, listed: BookTable, field: str) -> Iterator[Fault]:
    """Yield the cells that say other of a symbol than was said of it before."""
    stated = _stated(positions, field)
    firsts = pl.concat([_stated(listed, field), stated])
    known = firsts.select("symbol", first=field, place="place").unique(
        "symbol", keep="first", maintain_order=True
    )
    told = stated.join(known, on="symbol", how="left", maintain_order="left", suffix="=first")
    wrong = told.filter(pl.col(field) != pl.col("first"))
    for row in wrong.head(SHOWN).iter_rows(named=True):
        text = (
            f"{row['place']}, column {field!r}: {shown(row[field])} contradicts "
            f"{shown(row['first'])} of the same symbol {row['symbol']!r} in {row['place=first']}; "
            f"a symbol has one {field}"
        )
        yield Fault(positions.origin.name, row[ROW], text)
    if wrong.height > SHOWN:
        n = wrong.height - SHOWN
        verb = "contradicts" if n == 1 else "contradict"
        more = f"{counted(n, 'more cell')} {verb} what is said of their symbols"
        yield positions.origin.of_many(field, more)


def _stated(table: BookTable, field: str) -> pl.DataFrame:
    """Return the rows of a table that say something of their symbol, and where they stand."""
    place = pl.format("{}, {} {}", pl.lit(table.origin.name), pl.lit(table.origin.word), ROW)
    rows = table.frame.filter(pl.col(field).is_not_null())
    return rows.select("symbol", field, ROW, place.alias("place"))


def filled_instruments(positions: BookTable, listed: BookTable) -> BookTable:
    """Return listed instruments, with what only positions say of them."""
    said = _said_of_symbols(positions)
    told = listed.frame.join(said, on="symbol", how="left", maintain_order="left", suffix="=said")
    filled = told.with_columns(pl.coalesce(name, f"{name}=said") for name in _FIELDS)
    frame = filled.select(listed.frame.columns)
    lost = dict(listed.lost)
    for name, rows in _lost_of_symbols(positions, frame).items():
        lost[name] = pl.concat([lost[name], rows]) if name in lost else rows
    return BookTable(frame, listed.origin, listed.names, lost)


def described_instruments(positions: BookTable, listed: BookTable, *, is_alone: bool) -> BookTable:
    """Return the instruments of positions that are not listed, each at the row that says so first.

    Parameters
    ----------
    positions : a row each.
    listed : instruments that were given beside them.
    is_alone : whether none were given: then a symbol whose class is not said is an equity. Else
        such a symbol is not described.
    """
    said = _said_of_symbols(positions)
    if listed.names is not None:
        said = said.filter(~pl.col("symbol").is_in(listed.names.implode()))
    lost = _lost_of_symbols(positions, said)
    is_lost = pl.col(ROW).is_in(lost["class"].implode()) if "class" in lost else pl.lit(value=False)
    if not is_alone:
        said = said.filter(pl.col("class").is_not_null() | is_lost)
    class_ = pl.when(~is_lost).then(pl.col("class").fill_null("equity"))
    frame = said.with_columns(class_.alias("class")).select(listed.frame.columns)
    names = None if positions.names is None or "symbol" in positions.lost else frame["symbol"]
    return BookTable(frame, positions.origin, names, lost)


def _said_of_symbols(positions: BookTable) -> pl.DataFrame:
    """Return a row for each symbol: what is said first of it, and the first row that says any."""
    said = [pl.col(name).drop_nulls().first() for name in _FIELDS]
    says = pl.any_horizontal(pl.col(name).is_not_null() for name in _FIELDS)
    place = pl.coalesce(pl.col(ROW).filter(says).first(), pl.col(ROW).first())
    named = positions.frame.filter(pl.col("symbol").is_not_null())
    return named.group_by("symbol", maintain_order=True).agg(*said, place.alias(ROW))


def _lost_of_symbols(positions: BookTable, symbols: pl.DataFrame) -> dict[str, pl.Series]:
    """Return field -> rows of the symbols of which a position says it in a cell that is wrong.

    Parameters
    ----------
    symbols : a row each; a field that it has already is not lost.
    """
    found = {}
    for name in _FIELDS:
        if name not in positions.lost:
            continue
        is_wrong = pl.col(ROW).is_in(positions.lost[name].implode())
        of_positions = positions.frame.filter(is_wrong)["symbol"].drop_nulls()
        is_own = pl.col("symbol").is_in(of_positions.implode()) & pl.col(name).is_null()
        found[name] = symbols.filter(is_own)[ROW]
    return found


def opened_portfolios(
    positions: BookTable, instruments: pl.DataFrame, columns: pl.DataFrame, cash: float | None
) -> BookTable:
    """Return the portfolios of positions, opened on their first entries.

    Parameters
    ----------
    positions : a row each.
    instruments : of their symbols.
    columns : a portfolios' table without rows.
    cash : that each opens with; None is what its entries cost, short ones by their size, so that
        no entry needs credit.
    """
    frame = positions.frame.filter(pl.col("portfolio").is_not_null())
    units = instruments.unique("symbol", keep="first").select("symbol", "class", units="multiplier")
    told = frame.join(units, on="symbol", how="left", maintain_order="left", suffix="=listed")
    is_option = (pl.col("class=listed") == "option").fill_null(value=False)
    default = pl.when(is_option).then(_OPTION_UNITS).otherwise(1.0)
    price = pl.col("entry_price") * pl.col("entry_adjustment").fill_null(1.0)
    cost = (pl.col("quantity") * price * pl.col("units").fill_null(default)).abs()
    costs = told.select(cost.alias("cost"))["cost"].to_numpy()
    groups = frame.group_by("portfolio", maintain_order=True)
    is_known = positions.names is not None and "portfolio" not in positions.lost
    is_first = pl.col("entry_date").is_not_null().all() & pl.lit(is_known)  # else any may be
    first = pl.when(is_first).then(pl.col("entry_date").min())
    opened = groups.agg(first.alias("opened_on"), pl.col(ROW).first())
    names = opened["portfolio"].to_list()
    if cash is None:  # added in the order of the rows: a sum of groups has no fixed order
        places = frame["portfolio"].cast(pl.Enum(names)).to_physical().to_numpy()
        opening = np.bincount(places.astype(np.int64), weights=costs, minlength=len(names))
    else:
        opening = np.full(len(names), cash)
    rows = opened.with_columns(
        pl.Series("opening_cash", opening, dtype=pl.Float64),
        pl.lit("USD").alias("currency"),
        pl.lit("").alias("owner"),
        pl.lit("prices").alias("dividends"),
    )
    filled = pl.concat([columns, rows], how="diagonal").select(columns.columns)
    return BookTable(filled, positions.origin, positions.names)


def trades_of(positions: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """Return the trades of positions: an entry each, and an exit of the opposite sign.

    On one day, what was held is sold first, then entries are made, then what was entered on that
    day is sold; in each the order is that of the rows.

    Parameters
    ----------
    positions : a row each.
    columns : a trades' table without rows.
    """
    rows = positions.with_row_index("=place")
    shared = ["portfolio", "symbol", "=place"]
    entries = rows.select(
        *shared,
        pl.lit(1).alias("=turn"),
        date="entry_date",
        quantity="quantity",
        price="entry_price",
        adjustment="entry_adjustment",
    )
    is_of_one_day = pl.col("exit_date") == pl.col("entry_date")
    exits = rows.filter(pl.col("exit_date").is_not_null()).select(
        *shared,
        pl.when(is_of_one_day).then(2).otherwise(0).alias("=turn"),
        date="exit_date",
        quantity=-pl.coalesce("exit_quantity", "quantity"),
        price="exit_price",
        adjustment="exit_adjustment",
    )
    made = pl.concat([entries, exits]).sort("date", "=turn", "=place")
    made = made.with_columns(pl.lit(0.0).alias("fees")).drop("=turn", "=place")
    return pl.concat([columns, made], how="diagonal").select(columns.columns)
