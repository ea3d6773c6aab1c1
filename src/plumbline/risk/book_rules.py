"""What the tables of a book must say of each other."""

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import nearest_names
from plumbline.risk.book_tables import SHOWN, BookTable

_SIZES = ("contribution", "fee", "withdrawal")  # kinds whose direction is said by their name
_TERMS = ("underlying", "strike", "expiry", "right")


def rule_problems(
    tables: Mapping[str, BookTable], calendar: Calendar, latest: date | None
) -> Iterator[str]:
    """Yield what is wrong with rows whose cells are right.

    Parameters
    ----------
    tables : ``portfolios trades cash_flows instruments``.
    calendar : of the sessions.
    latest : no row may be later; None allows any.
    """
    portfolios, trades, flows, instruments = (
        tables[name] for name in ("portfolios", "trades", "cash_flows", "instruments")
    )
    yield from _repeated(portfolios, "portfolio")
    yield from _repeated(instruments, "symbol")
    yield from _repeated(trades, "trade_id")
    for table, column in ((portfolios, "opened_on"), (trades, "date"), (flows, "date")):
        if latest is not None:
            late = pl.col(column) > pl.lit(latest)
            yield from table.problems_of(late, column, f"lies after {latest}, the latest allowed")
    for table in (trades, flows):
        known = portfolios.frame["portfolio"]
        yield from _unknown(table, "portfolio", known, "portfolio")
        yield from _too_early(table, portfolios)
    yield from _unknown(trades, "symbol", instruments.frame["symbol"], "instrument")
    yield from _no_session(trades, calendar)
    yield from _flow_problems(flows, portfolios)
    yield from _option_problems(instruments)


def _repeated(table: BookTable, column: str) -> Iterator[str]:
    again = pl.col(column).is_not_null() & ~pl.col(column).is_first_distinct()
    yield from table.problems_of(again, column, "stands there already; each may stand once")


def _unknown(table: BookTable, column: str, known: pl.Series, what: str) -> Iterator[str]:
    names = sorted(set(known.to_list()))
    is_unknown = ~pl.col(column).is_in(names)
    bad = table.frame.filter(is_unknown)[column].unique(maintain_order=True)
    for name in bad[:SHOWN]:
        hint = nearest_names(name, names)
        yield from table.problems_of(
            pl.col(column) == name, column, f"is no {what} of the book; {hint}"
        )
    if bad.len() > SHOWN:
        yield f"{table.name}, column {column!r}: {bad.len() - SHOWN} more names that are no {what}"


def _too_early(table: BookTable, portfolios: BookTable) -> Iterator[str]:
    opened = portfolios.frame.unique("portfolio", keep="first").select("portfolio", "opened_on")
    frame = table.frame.join(opened, on="portfolio", how="left", maintain_order="left")
    told = BookTable(frame, table.name)
    fault = "lies before the day on which its portfolio opened"
    yield from told.problems_of(pl.col("date") < pl.col("opened_on"), "date", fault)


def _no_session(trades: BookTable, calendar: Calendar) -> Iterator[str]:
    days = trades.frame["date"].unique()
    if not days.len():
        return
    _, is_session = calendar.session_closes(days.to_numpy().astype("datetime64[D]"))
    closed = days.filter(pl.Series(~np.asarray(is_session)))
    fault = f"is no session of {calendar.name}; a trade has the date of the session it was made in"
    yield from trades.problems_of(pl.col("date").is_in(closed.implode()), "date", fault)


def _flow_problems(flows: BookTable, portfolios: BookTable) -> Iterator[str]:
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


def _option_problems(instruments: BookTable) -> Iterator[str]:
    is_option = pl.col("class") == "option"
    for term in _TERMS:
        lacking = is_option & pl.col(term).is_null()
        yield from instruments.problems_of(lacking, "symbol", f"is an option without {term}")
        needless = ~is_option & pl.col(term).is_not_null()
        yield from instruments.problems_of(
            needless, "symbol", f"is no option and has {term}; leave it out, or say class: option"
        )
    symbols = instruments.frame.filter(~is_option)["symbol"].unique().implode()
    unknown = is_option & pl.col("underlying").is_not_null() & ~pl.col("underlying").is_in(symbols)
    fault = "is no instrument of the book that is not itself an option; list it"
    yield from instruments.problems_of(unknown, "underlying", fault)
