"""Cash that comes and goes by itself, laid on sessions."""

from typing import Final

import numpy as np
import polars as pl

from plumbline.risk.book import Book
from plumbline.risk.equity import Flows
from plumbline.risk.market import Market

_TABLES: Final = {
    "contribution": "contributions",
    "withdrawal": "withdrawals",
    "dividend": "dividends",
    "interest": "interest",
    "fee": "fees",
}


def flows_of(book: Book, market: Market) -> Flows:
    """Return the flows of all portfolios of a book; one between sessions counts on the next.

    Parameters
    ----------
    book : with the flows.
    market : whose sessions they are laid on; what lies behind the last is not there yet.
    """
    portfolios, rows = book.portfolios, book.cash_flows
    names = portfolios["portfolio"].to_list()
    shape = (len(names), market.dates.size)
    tables = {name: np.zeros(shape) for name in _TABLES.values()}
    owner = rows["portfolio"].cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
    day = sessions_of(rows["date"], market)
    for kind, name in _TABLES.items():
        own = (rows["kind"] == kind).to_numpy() & (day < shape[1])
        np.add.at(tables[name], (owner[own], day[own]), rows["amount"].to_numpy()[own])
    opened = sessions_of(portfolios["opened_on"], market)
    return Flows(portfolios["opening_cash"].to_numpy(), opened, **tables)


def sessions_of(dates: pl.Series, market: Market) -> np.ndarray:
    """Return the place of the first session on or after each date; as many as there are if none."""
    days = dates.to_numpy().astype("datetime64[D]")
    return np.searchsorted(market.dates, days, side="left")
