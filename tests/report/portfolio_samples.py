"""Measured portfolios for tests of their pages: usual ones, and odd ones."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from plumbline.risk import Load, measure, synthesize
from plumbline.risk.book import Book
from plumbline.risk.result import RiskResult
from plumbline.stages.portfolio_results import (
    PortfolioFacts,
    PortfolioResults,
    ResultOrigin,
    portfolio_results,
)
from tests.risk.made_books import FUNDS, made_history

HOSTILE = "</script><img src=x onerror=\"alert('1')\">&amp;<!--"
ORIGIN = ResultOrigin(
    "run-20261201-7", "2026-12-01T06:00:00Z", "results of the desk", "c0de", {"plumbline": "0.9"}
)
N_ODD = 12


@cache
def usual() -> tuple[RiskResult, pl.DataFrame, pl.DataFrame]:
    """Return the measurement of a made load, its portfolios and instruments."""
    book, market = synthesize(Load(portfolios=4, positions=12, dates=30, symbols=60), seed=1)
    result = measure(book, market, dates=market.dates[-30:].tolist())
    return result, book.portfolios, book.instruments


@cache
def usual_results(at: int = 0) -> PortfolioResults:
    """Return what the page of one of them shows."""
    result, portfolios, instruments = usual()
    row = portfolios.row(at, named=True)
    facts = PortfolioFacts(row["portfolio"], row["name"], row["owner"], row["currency"])
    return portfolio_results(result, facts, instruments, ORIGIN)


@cache
def odd() -> tuple[RiskResult, pl.DataFrame]:
    """Return the measurement of odd portfolios, and their instruments.

    ``empty`` holds nothing, ``private`` appraised assets alone, ``ruined`` lost more than it had,
    ``one`` holds one share, and a portfolio, its symbol, owner and sector have hostile names.
    """
    market = made_history(3, gaps=0.0)
    close = market.close.copy()
    close[market.place["AAA"]] = np.linspace(100, 100, close.shape[1])
    close[market.place["AAA"], -6:] = 5.0
    symbols = (*market.symbols, "house")
    order = sorted(range(len(symbols)), key=lambda i: symbols[i])
    house = np.full((1, close.shape[1]), np.nan)
    house[0, 10] = 250.0
    tables = {
        "close": np.vstack([close, house])[order],
        "split": np.vstack([market.split, np.ones_like(house)])[order],
        "dividend": np.vstack([market.dividend, np.zeros_like(house)])[order],
    }
    names = tuple(HOSTILE if symbols[i] == "BBB" else symbols[i] for i in order)
    place = sorted(range(len(names)), key=lambda i: names[i])
    market = replace(
        market,
        symbols=tuple(names[i] for i in place),
        **{name: table[place] for name, table in tables.items()},
    )
    first, last = market.dates[-40].item(), market.dates[-8].item()
    rows = [("private", "house", 4.0, 240.0), ("ruined", "AAA", 30.0, 100.0)]
    rows += [("one", "SPY", 2.0, 60.0), (HOSTILE, HOSTILE, -3.0, 50.0), (HOSTILE, "CCC", 2.0, 50.0)]
    kinds = ("empty", "private", "ruined", "one", HOSTILE)
    book = Book.from_frames(
        portfolios=pl.DataFrame(
            {
                "portfolio": kinds,
                "opened_on": [first] * 5,
                "opening_cash": [1000.0] * 5,
                "name": [f"the {name}" for name in kinds],
                "owner": [HOSTILE] * 5,
            }
        ),
        trades=pl.DataFrame(
            {
                "portfolio": [row[0] for row in rows],
                "date": [first] * 3 + [last] * 2,
                "symbol": [row[1] for row in rows],
                "quantity": [row[2] for row in rows],
                "price": [row[3] for row in rows],
            }
        ),
        instruments=pl.DataFrame(
            {
                "symbol": ["house", HOSTILE, "AAA", "CCC", *FUNDS],
                "class": ["private", *["equity"] * 3, *["etf"] * len(FUNDS)],
                "sector": ["homes", HOSTILE, None, None, *[None] * len(FUNDS)],
            }
        ),
    )
    result = measure(book, market, dates=market.dates[-N_ODD:].tolist())
    return result, book.instruments


def odd_results(portfolio: str, result: RiskResult | None = None) -> PortfolioResults:
    """Return what the page of one of them shows."""
    measured, instruments = odd()
    facts = PortfolioFacts(portfolio, f"the {portfolio}", HOSTILE, "USD")
    return portfolio_results(result or measured, facts, instruments, ORIGIN)


def on_dates(result: RiskResult, first: int, stop: int | None) -> RiskResult:
    """Return a result of some of its dates alone."""
    dates = result.snapshots["date"].unique().sort()[first:stop].implode()
    frames = {
        name: getattr(result, name).filter(pl.col("date").is_in(dates))
        for name in ("snapshots", "exposures", "measures", "sectors", "correlations", "stress")
    }
    return replace(result, **frames)
