"""What one unit of each symbol is worth on each session, and what it is exposed to."""

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from plumbline.core.calendar import Calendar
from plumbline.kernels.last_prices import last_prices
from plumbline.kernels.position_accounting import Marks
from plumbline.risk.book import Book
from plumbline.risk.market import STALE_SESSIONS, Market
from plumbline.risk.options import DAYS_A_YEAR, Contracts, Greeks, greeks, implied_volatility

Table = Float[np.ndarray, "symbols sessions"]

LINEAR, OPTION, PRIVATE, CASH = range(4)
_KINDS: Final = {
    "equity": LINEAR,
    "etf": LINEAR,
    "option": OPTION,
    "private": PRIVATE,
    "cash": CASH,
}


@final
@dataclass(frozen=True, eq=False)
class Options:
    """Options among the symbols.

    Parameters
    ----------
    rows : of the symbols.
    contracts : their terms and what they are on; a row an option.
    volatility : implied by the last price that is no older than ten sessions, else that of the
        instrument; NaN without either.
    age : sessions since the price that implies it; 0 of the instrument's own.
    greeks : of one option on one unit.
    """

    rows: Int[np.ndarray, " options"]
    contracts: Contracts
    volatility: Float[np.ndarray, "options sessions"]
    age: Int[np.ndarray, "options sessions"]
    greeks: Greeks


@final
@dataclass(frozen=True, eq=False)
class Valuation:
    """Symbols on each session.

    Parameters
    ----------
    market : prices, with a row for every instrument.
    kind : of each symbol: ``LINEAR``, ``OPTION``, ``PRIVATE`` or ``CASH``.
    marks : prices that holdings are valued by.
    age : sessions since the price was made, or the oldest that a model's value rests on; -1 where
        there is none.
    exposure : in currency, of one unit: multiplier x price, of an option delta x multiplier x
        price of the underlying, the last known if it has none; NaN without a price.
    is_exposed : whether the exposure is that of the session.
    underlying : row of the symbol that the exposure is to: its own but for options.
    is_measured : symbols whose returns are those of a market.
    options : those among the symbols.
    """

    market: Market
    kind: Int[np.ndarray, " symbols"]
    marks: Marks
    age: Int[np.ndarray, "symbols sessions"]
    exposure: Table
    is_exposed: Bool[np.ndarray, "symbols sessions"]
    underlying: Int[np.ndarray, " symbols"]
    is_measured: Bool[np.ndarray, " symbols"]
    options: Options


def valued(prices: "Market | Valuation", book: Book) -> "Valuation":
    """Return the value of the symbols of a book, unless it is known."""
    if isinstance(prices, Valuation):
        return prices
    return value_symbols(
        prices, book.instruments, book.trades, book.calendar, book.conventions.risk_free
    )


def value_symbols(
    market: Market,
    instruments: pl.DataFrame,
    trades: pl.DataFrame,
    calendar: Calendar,
    risk_free: float = 0.0,
) -> Valuation:
    """Value one unit of each symbol on each session.

    Parameters
    ----------
    market : prices; instruments that it lacks get a row without any.
    instruments, trades : of a book.
    calendar : of the sessions; the next one may lie behind the prices.
    risk_free : continuously compounded rate a year that options are discounted by.

    Returns
    -------
    A price is the last close, at most ten sessions old; that of a private asset is its last
    appraisal, however old; cash is worth 1. An option is worth its close, else the model's value.
    If its underlying splits after it was first traded, it has no model's value from then on, as
    its new terms are not told. Its price is as old as the older of what the model takes: the
    underlying's price, and the price that implies its volatility. It is settled at the end of the
    last session up to its expiry.

    Notes
    -----
    Cost: a pass over symbols x sessions, and six Black-Scholes values for each price of an option.
    """
    market = _with_symbols(market, instruments["symbol"].to_list())
    rows = _rows(market, instruments["symbol"])
    n_symbols = len(market.symbols)
    kind = np.full(n_symbols, LINEAR)
    kind[rows] = [_KINDS[name] for name in instruments["class"]]
    multiplier = np.ones(n_symbols)
    multiplier[rows] = instruments["multiplier"].to_numpy()
    last, age = market.last_closes
    is_valid = (age >= 0) & ((age <= STALE_SESSIONS) | (kind[:, None] == PRIVATE))
    price = np.where(is_valid, last, np.nan)
    price[kind == CASH], age[kind == CASH] = 1.0, 0
    underlying = np.arange(n_symbols)
    expiry, settlement = np.full(n_symbols, -1), np.full(n_symbols, np.nan)
    exposure = multiplier[:, None] * price
    is_exposed = ~np.isnan(exposure)
    first = trades.group_by("symbol").agg(pl.col("date").min().alias("since"))
    terms = instruments.filter(pl.col("class") == "option").join(
        first, on="symbol", how="left", maintain_order="left"
    )
    options = _options(market, terms, price, risk_free)
    if terms.height:
        own = options.rows
        underlying[own] = _rows(market, terms["underlying"])
        dates = terms["expiry"].to_numpy().astype("datetime64[D]")
        ends = np.searchsorted(market.dates, dates, side="right") - 1
        is_reached = (ends >= 0) & (dates < _next_session(market, calendar))
        expiry[own] = np.where(is_reached, ends, -1)
        spot = price[underlying[own]]
        close = market.close[own]
        price[own] = np.where(np.isnan(close), options.greeks.value, close)
        model_age = np.where(np.isnan(close), np.maximum(options.age, age[underlying[own]]), 0)
        age[own] = np.where(np.isnan(price[own]), -1, model_age)
        worth = _contracts(market, terms, spot, risk_free).intrinsic
        settlement[own] = worth[np.arange(own.size), np.maximum(ends, 0)]
        known = options.greeks.delta * multiplier[own, None] * spot
        exposure[own], _ = last_prices(known, np.ones(known.shape))
        is_exposed[own] = ~np.isnan(known)
    marks = Marks(price, market.split, market.dividend, expiry, settlement, multiplier)
    is_measured = (kind == LINEAR) | (kind == OPTION)
    of_units = (exposure, is_exposed)
    return Valuation(market, kind, marks, age, *of_units, underlying, is_measured, options)


def _rows(market: Market, symbols: pl.Series) -> Int[np.ndarray, " symbols"]:
    return np.array([market.place[symbol] for symbol in symbols], dtype=np.int64)


def _next_session(market: Market, calendar: Calendar) -> np.datetime64:
    """Return the session after the last: what expires before it is settled, whether known or not.

    The last of the prices alone would settle what expires on a weekend only once there is a later
    price, and change a day that had been told.
    """
    last = calendar.numbers(calendar.session_closes(market.dates[-1:])[0])[0]
    found: np.datetime64 = calendar.dates(int(last) + 1, int(last) + 1)[0]
    return found


def _with_symbols(market: Market, symbols: list[str]) -> Market:
    """Return the market with a row for each symbol, without any price where it had none."""
    lacking = sorted(set(symbols) - set(market.symbols))
    if not lacking:
        return market
    joined = (*market.symbols, *lacking)
    order = np.argsort(np.array(joined, dtype=object), kind="stable")
    shape = (len(lacking), market.dates.size)

    def extended(table: np.ndarray, value: float) -> np.ndarray:
        return np.asarray(np.vstack([table, np.full(shape, value)])[order])

    return replace(
        market,
        symbols=tuple(joined[i] for i in order),
        close=extended(market.close, np.nan),
        split=extended(market.split, 1.0),
        dividend=extended(market.dividend, 0.0),
        source=None if market.source is None else extended(market.source, -1).astype(np.int64),
    )


def _options(market: Market, terms: pl.DataFrame, price: Table, risk_free: float) -> Options:
    """Return volatilities and sensitivities of all options on all sessions."""
    rows = _rows(market, terms["symbol"])
    spot = price[_rows(market, terms["underlying"])]
    contracts = _contracts(market, terms, spot, risk_free)
    implied = implied_volatility(contracts, market.close[rows])
    last, age = last_prices(implied, np.ones(implied.shape))
    stated = terms["volatility"].to_numpy()[:, None]
    is_fresh = (age >= 0) & (age <= STALE_SESSIONS)
    volatility = np.where(is_fresh, last, stated)
    implied_age = np.where(is_fresh, age, 0)
    return Options(rows, contracts, volatility, implied_age, greeks(contracts, volatility))


def _contracts(market: Market, terms: pl.DataFrame, spot: Table, risk_free: float) -> Contracts:
    rows = _rows(market, terms["underlying"])
    dates = terms["expiry"].to_numpy().astype("datetime64[D]")[:, None]
    days = (dates - market.dates).astype(np.int64)
    since = terms["since"].to_numpy().astype("datetime64[D]")[:, None]
    splits = (market.split[rows] != 1.0) & (market.dates > since)
    is_split = np.cumsum(splits, axis=1) > 0
    return Contracts(
        spot=np.where(is_split | (days < 0), np.nan, spot),
        strike=terms["strike"].to_numpy()[:, None],
        years=np.maximum(days, 0) / DAYS_A_YEAR,
        rate=np.array(risk_free),
        dividend_yield=np.array(0.0),
        is_call=(terms["right"] == "call").to_numpy()[:, None],
    )
