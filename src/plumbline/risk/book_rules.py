"""What the tables of a book must say of each other."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import nearest_names
from plumbline.core.wording import counted
from plumbline.risk.book_tables import SHOWN, BookTable, Fault

_SIZES = ("contribution", "fee", "withdrawal")  # kinds whose direction is said by their name
_TERMS = ("underlying", "strike", "expiry", "right")

MOST_WORTH = 1e15  # of a trade: beyond it, cents are lost in the sums of a portfolio


def rule_problems(
    tables: Mapping[str, BookTable], calendar: Calendar, latest: date | None
) -> Iterator[Fault]:
    """Yield what is wrong with cells that are right by themselves.

    Parameters
    ----------
    tables : ``portfolios trades cash_flows instruments positions``, and ``described``, the
        instruments that positions tell of.
    calendar : of the sessions.
    latest : no row may be later; None allows any.
    """
    portfolios, trades, flows = (tables[name] for name in ("portfolios", "trades", "cash_flows"))
    positions, instruments = tables["positions"], tables["instruments"]
    yield from _repeated(portfolios, "portfolio")
    yield from _repeated(instruments, "symbol")
    yield from _repeated(trades, "trade_id")
    dated = [(trades, "date"), (flows, "date"), (positions, "entry_date")]
    dated.append((positions, "exit_date"))
    if portfolios.origin is not positions.origin:  # else they open on an entry_date
        dated.append((portfolios, "opened_on"))
    for table, column in dated:
        if latest is not None:
            late = pl.col(column) > pl.lit(latest)
            yield from table.problems_of(late, column, f"lies after {latest}, the latest allowed")
    for table, column in ((trades, "date"), (flows, "date"), (positions, "entry_date")):
        yield from _unknown(table, "portfolio", portfolios.names, "portfolio")
        yield from _too_early(table, column, portfolios)
    symbols = _both(instruments.names, tables["described"].names)
    for table in (trades, positions):
        yield from _unknown(table, "symbol", symbols, "instrument")
    for table, price in ((trades, "price"), (positions, "entry_price")):
        worth = (pl.col("quantity") * pl.col(price)).abs() > MOST_WORTH
        fault = f"times the price of the row is more than {MOST_WORTH:g}, which is no amount"
        yield from table.problems_of(worth, "quantity", fault)
    terms = pl.concat([instruments.frame, tables["described"].frame])
    for table, column in (
        (trades, "date"),
        (positions, "entry_date"),
        (positions, "exit_date"),
    ):
        yield from _expired(table, column, terms)
    yield from _no_session(trades, "date", calendar)
    yield from _no_session(positions, "entry_date", calendar)
    yield from _no_session(positions, "exit_date", calendar)
    yield from _flow_problems(flows, portfolios)
    yield from _option_problems(instruments, tables["described"], symbols)
    yield from _option_problems(tables["described"], instruments, symbols)


def _both(names: pl.Series | None, others: pl.Series | None) -> pl.Series | None:
    return None if names is None or others is None else pl.concat([names, others])


def _repeated(table: BookTable, column: str) -> Iterator[Fault]:
    again = pl.col(column).is_not_null() & ~pl.col(column).is_first_distinct()
    yield from table.problems_of(again, column, "stands there already; each may stand once")


def _unknown(table: BookTable, column: str, known: pl.Series | None, what: str) -> Iterator[Fault]:
    """Yield names that are not known, unless what is known could not all be read."""
    if known is None:
        return
    names = sorted(set(known.to_list()))
    is_unknown = ~pl.col(column).is_in(names)
    bad = table.frame.filter(is_unknown)[column].unique(maintain_order=True)
    for name in bad[:SHOWN]:
        hint = nearest_names(name, names)
        yield from table.problems_of(
            pl.col(column) == name, column, f"is no {what} of the book; {hint}"
        )
    if bad.len() > SHOWN:
        more = counted(bad.len() - SHOWN, "more name")
        yield table.origin.of_many(column, f"{more} of no {what} of the book")


def _too_early(table: BookTable, column: str, portfolios: BookTable) -> Iterator[Fault]:
    opened = portfolios.frame.unique("portfolio", keep="first").select("portfolio", "opened_on")
    frame = table.frame.join(opened, on="portfolio", how="left", maintain_order="left")
    fault = "lies before the day on which its portfolio opened"
    told = replace(table, frame=frame)
    yield from told.problems_of(pl.col(column) < pl.col("opened_on"), column, fault)


def _expired(table: BookTable, column: str, instruments: pl.DataFrame) -> Iterator[Fault]:
    """Yield trades in options that are no more: they would open what is never settled."""
    ends = instruments.unique("symbol", keep="first").select("symbol", ends="expiry")
    frame = table.frame.join(ends, on="symbol", how="left", maintain_order="left")
    fault = "lies after the option's expiry, at which it is settled by itself; leave it out"
    told = replace(table, frame=frame)
    yield from told.problems_of(pl.col(column) > pl.col("ends"), column, fault)


def _no_session(table: BookTable, column: str, calendar: Calendar) -> Iterator[Fault]:
    days = table.frame[column].drop_nulls().unique()
    if not days.len():
        return
    _, is_session = calendar.session_closes(days.to_numpy().astype("datetime64[D]"))
    closed = days.filter(pl.Series(~np.asarray(is_session)))
    fault = f"is no session of {calendar.name}; a trade has the date of the session it was made in"
    yield from table.problems_of(pl.col(column).is_in(closed.implode()), column, fault)


def _flow_problems(flows: BookTable, portfolios: BookTable) -> Iterator[Fault]:
    negative = pl.col("kind").is_in(_SIZES) & (pl.col("amount") <= 0)
    fault = f"must be above 0 for a {', '.join(_SIZES)}: the kind says where it goes"
    yield from flows.problems_of(negative, "amount", fault)
    by_prices = portfolios.frame.filter(dividends="prices")["portfolio"]
    twice = (pl.col("kind") == "dividend") & pl.col("portfolio").is_in(by_prices.implode())
    fault = (
        "is not taken, as the portfolio gets its dividends from prices; leave it out, or say "
        "dividends: cash_flows of the portfolio"
    )
    yield from flows.problems_of(twice, "kind", fault)


def _option_problems(
    instruments: BookTable, others: BookTable, known: pl.Series | None
) -> Iterator[Fault]:
    is_option = pl.col("class") == "option"
    for term in _TERMS:
        lacking = is_option & instruments.lacks(term)
        yield from instruments.problems_of(lacking, "symbol", f"is an option without {term}")
        needless = ~is_option & pl.col(term).is_not_null()
        yield from instruments.problems_of(
            needless, "symbol", f"is no option and has {term}; leave it out, or say class: option"
        )
    if known is None:
        return
    options = [table.frame.filter(is_option)["symbol"] for table in (instruments, others)]
    symbols = known.filter(~known.is_in(pl.concat(options).implode()))
    unknown = is_option & pl.col("underlying").is_not_null()
    unknown &= ~pl.col("underlying").is_in(symbols.implode())
    fault = "is no instrument of the book that is not itself an option; list it"
    yield from instruments.problems_of(unknown, "underlying", fault)
