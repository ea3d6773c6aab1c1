"""Ragged books and markets: gaps, splits, dividends, shorts, late openings, flows, no prices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.valuation import Valuation, value_symbols

CALENDAR = Calendar("XNYS")
FIRST = 16_000  # a session of 2023
FUNDS = ("IWM", "MTUM", "QUAL", "SPY", "TLT", "USMV", "VTV", "VUG")
HELD = ("AAA", "BBB", "CCC", "DDD", "EEE")
N_DAYS = 560


def made_market(
    rng: np.random.Generator, symbols: tuple[str, ...], n_days: int, gaps: float = 0.1
) -> Market:
    shape = (len(symbols), n_days)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=1))
    close[rng.random(shape) < gaps] = np.nan
    for row in close:
        if rng.random() < 0.3:
            start = rng.integers(0, n_days)
            row[start : start + rng.integers(5, 20)] = np.nan
    split = np.where(rng.random(shape) < 0.03, rng.choice([2.0, 3.0, 0.1, 1.5], shape), 1.0)
    dividend = np.where(rng.random(shape) < 0.05, rng.random(shape), 0.0)
    return Market(
        CALENDAR.dates(FIRST, FIRST + n_days - 1), symbols, close, split, dividend, False, FIRST
    )


def made_book(rng: np.random.Generator, market: Market, n_portfolios: int) -> Book:
    dates, n_days = market.dates, market.dates.size
    names = [f"p{i}" for i in range(n_portfolios)]
    opened = rng.integers(0, n_days, n_portfolios)
    portfolios = pl.DataFrame(
        {
            "portfolio": names,
            "opened_on": dates[opened],
            "opening_cash": rng.choice([0.0, 1e3, 1e6], n_portfolios),
            "dividends": rng.choice(["prices", "cash_flows"], n_portfolios),
        }
    )
    trades = {name: [] for name in ("portfolio", "date", "symbol", "quantity", "price", "fees")}
    flows = {name: [] for name in ("portfolio", "date", "amount", "kind")}
    for i, name in enumerate(names):
        for _ in range(rng.integers(0, 12)):
            day = rng.integers(opened[i], n_days)
            cells = (
                name,
                dates[day],
                rng.choice(market.symbols),
                rng.choice([-2.5, -1, 1, 3, 100]),
            )
            for column, cell in zip(
                trades, (*cells, 50 * np.exp(rng.normal(0, 0.3)), rng.choice([0, 1.5])), strict=True
            ):
                trades[column].append(cell)
        kinds = ["contribution", "withdrawal", "interest", "fee"]
        kinds += ["dividend"] * (portfolios["dividends"][i] == "cash_flows")
        for _ in range(rng.integers(0, 5)):
            cells = (
                name,
                dates[rng.integers(opened[i], n_days)],
                rng.random() * 100 + 1,
                rng.choice(kinds),
            )
            for column, cell in zip(flows, cells, strict=True):
                flows[column].append(cell)
    types = {"portfolio": pl.String, "date": pl.Date, "symbol": pl.String, "kind": pl.String}

    def table(columns: dict) -> pl.DataFrame:
        plain = {
            name: [c.item() if isinstance(c, np.generic) else c for c in cells]
            for name, cells in columns.items()
        }
        return pl.DataFrame(plain, schema={n: types.get(n, pl.Float64) for n in columns})

    return Book.from_frames(portfolios=portfolios, trades=table(trades), cash_flows=table(flows))


def valued(market: Market) -> Valuation:
    """Return the valuation of a market without any instrument of a book."""
    book = Book.from_frames(
        portfolios=pl.DataFrame({"portfolio": ["p"], "opened_on": [market.dates[0].item()]}),
        trades=None,
    )
    return value_symbols(market, book.instruments, book.trades, book.calendar)


def made_history(seed: int, gaps: float = 0.002) -> Market:
    """Return two years of a market with late listings and gaps."""
    rng = np.random.default_rng(seed)
    symbols = tuple(sorted((*FUNDS, *HELD)))
    shape = (len(symbols), N_DAYS)
    returns = rng.normal(0, 0.01, N_DAYS) * rng.uniform(0.3, 1.5, (shape[0], 1)) + rng.normal(
        0, 0.01, shape
    )
    close = 50 * np.exp(np.cumsum(returns, axis=1))
    for row, symbol in enumerate(symbols):
        if symbol in HELD:
            close[row, rng.random(N_DAYS) < gaps] = np.nan
            if rng.random() < 0.4:
                close[row, : rng.integers(0, N_DAYS)] = np.nan
    ones, zeros = np.ones(shape), np.zeros(shape)
    return Market(
        CALENDAR.dates(FIRST, FIRST + N_DAYS - 1), symbols, close, ones, zeros, False, FIRST
    )


def among(market: Market, symbols: Sequence[str]) -> Market:
    """Return the market of some of its symbols, which are sorted."""
    rows = [market.place[symbol] for symbol in symbols]
    tables = {name: getattr(market, name)[rows] for name in ("close", "split", "dividend")}
    return replace(market, symbols=tuple(symbols), **tables)
