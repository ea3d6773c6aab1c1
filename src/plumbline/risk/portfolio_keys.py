"""Keys of portfolio-days: words that change when anything does that their figures depend on.

A portfolio's chain takes in, session by session, its trades and flows and all prices up to then of
what it holds, so a late price or trade changes the keys from the first session that it matters on.
What analytics read beside, and how they are set, enters each day's key but not the chain.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, UInt64

from plumbline.core.digest import digest
from plumbline.kernels.digest_chains import (
    LineWords,
    as_words,
    cell_words,
    chained_words,
    pair_words,
    portfolio_words,
    row_words,
)
from plumbline.kernels.position_accounting import Trades, mark_held, mark_rows
from plumbline.risk.analytic import Analytic
from plumbline.risk.book import Book
from plumbline.risk.flows import sessions_of
from plumbline.risk.market import Market
from plumbline.risk.positions import Lines, lines_of
from plumbline.risk.valuation import Valuation, valued

_AT_ONCE: Final = 128  # portfolios, so that their lines stay in the cache
_THREADS: Final = 4  # kernels give up the interpreter's lock
_PORTFOLIO: Final = ("currency", "opening_cash", "opened_on", "owner", "dividends")
_TRADE: Final = ("quantity", "price", "fees", "adjustment")
_HEX: Final = 16


@final
@dataclass(frozen=True, eq=False)
class PortfolioKeys:
    """Keys of all portfolio-days of a book.

    Parameters
    ----------
    portfolios : sorted.
    dates : (T,) sessions of the prices.
    opened : session on which each portfolio opens; T if none of these.
    words : key of a portfolio-day; 0 before it opens.
    shared : key of each date's tables that belong to no portfolio; 0 before any opens.
    """

    portfolios: tuple[str, ...]
    dates: np.ndarray
    opened: Int[np.ndarray, " portfolios"]
    words: UInt64[np.ndarray, "portfolios sessions"]
    shared: UInt64[np.ndarray, " sessions"]


def portfolio_keys(
    book: Book, prices: Market | Valuation, kinds: Mapping[str, Analytic]
) -> PortfolioKeys:
    """Return the keys of all portfolio-days.

    Parameters
    ----------
    book : whose trades lie within the prices.
    prices : of all symbols, or what they are worth.
    kinds : analytics by name.

    Notes
    -----
    A word of 64 bits is compared with earlier ones of its own cell alone. The code that computes
    is no part of it. Cost: a pass over lines x sessions, on all cores.
    """
    valuation = valued(prices, book)
    market = valuation.market
    names = tuple(book.portfolios["portfolio"].to_list())
    opened = sessions_of(book.portfolios["opened_on"], market)
    since = int(opened.min(initial=market.dates.size))
    known = np.ascontiguousarray(_prices(market)[:, since:])
    work = _Chains(
        valuation,
        lines_of(book.trades, names, market),
        opened,
        since,
        known,
        _terms(book, market),
        _own(book, names, market, since),
    )
    settings = _word([book.conventions, market.is_adjusted, dict(kinds)])
    beside = _beside(known, market, kinds, settings)
    words = np.zeros((len(names), market.dates.size), dtype=np.uint64)
    held = np.zeros(known.shape, dtype=np.bool_)
    starts = range(0, len(names), _AT_ONCE)
    with ThreadPoolExecutor(_THREADS) as threads:
        for first, (own, own_held) in zip(starts, threads.map(work.part, starts), strict=True):
            part = slice(first, first + _AT_ONCE)
            is_open = np.arange(since, market.dates.size) >= opened[part, None]
            words[part, since:] = np.where(is_open, pair_words(own, beside), np.uint64(0))
            held |= own_held
    shared = np.zeros(market.dates.size, dtype=np.uint64)
    shared[since:] = _shared(work.named(market.symbols), known, held, beside)
    return PortfolioKeys(names, market.dates, opened, words, shared)


@final
@dataclass(frozen=True, eq=False)
class _Chains:
    """What the words of all portfolios are made of, from the session on which the first opens.

    Parameters
    ----------
    valuation, lines, opened : counted from the first session of the prices.
    since : session on which the first opens.
    prices, own : words of later sessions.
    terms : words of symbols.
    """

    valuation: Valuation
    lines: Lines
    opened: Int[np.ndarray, " portfolios"]
    since: int
    prices: UInt64[np.ndarray, "symbols later"]
    terms: UInt64[np.ndarray, " symbols"]
    own: UInt64[np.ndarray, "portfolios later"]

    def named(self, symbols: tuple[str, ...]) -> UInt64[np.ndarray, " symbols"]:
        """Return a word of the name of each symbol and of what it is."""
        names = _text_words(pl.Series(symbols, dtype=pl.String))
        return row_words(np.stack([names, self.terms], axis=1))

    def part(
        self, first: int
    ) -> tuple[UInt64[np.ndarray, "some later"], Bool[np.ndarray, "symbols later"]]:
        """Return the words of some portfolios, and what they hold or are exposed to."""
        lines, since = self.lines, self.since
        part = slice(first, min(first + _AT_ONCE, self.opened.size))
        at = slice(lines.start[part.start], lines.start[part.stop])
        symbol = lines.symbol[at]
        trades = lines.trades._replace(start=lines.trades.start[at.start : at.stop + 1])
        days = np.arange(since, since + self.own.shape[1])
        is_held = np.zeros((symbol.size, days.size), dtype=np.bool_)
        rows = np.arange(symbol.size)
        mark_held(symbol, trades, self.valuation.marks, rows, days, is_held)
        exposed = self.valuation.underlying[symbol]
        held = np.zeros(self.prices.shape, dtype=np.bool_)
        for row in (exposed, symbol):
            mark_rows(row, is_held, held)
        read = LineWords(symbol, exposed, self.prices, self.terms)
        start = lines.start[part.start : part.stop + 1] - at.start
        is_read = _with_traded(is_held, trades, since)
        words = portfolio_words(self.opened[part] - since, start, is_read, read, self.own[part])
        return words, held


def _with_traded(
    is_held: Bool[np.ndarray, "lines later"], trades: Trades, since: int
) -> Bool[np.ndarray, "lines later"]:
    """Return what lines hold or trade: what is opened and gone within a session has a price too."""
    own = slice(trades.start[0], trades.start[-1])
    out = is_held.copy()
    out[np.repeat(np.arange(is_held.shape[0]), np.diff(trades.start)), trades.day[own] - since] = 1
    return out


def key_texts(words: UInt64[np.ndarray, " days"], code: str) -> pl.Series:
    """Return keys as text: 16 hex digits of the inputs, 16 of the code."""
    texts = [f"{word:016x}{code[:_HEX]}" for word in words.tolist()]
    return pl.Series("key", texts, dtype=pl.String)


def _word(value: object) -> np.uint64:
    return np.uint64(int(digest(value)[:_HEX], 16))


def _text_words(texts: pl.Series) -> UInt64[np.ndarray, " rows"]:
    """Return a word for each text; null has one too."""
    known = texts.unique().to_list()
    words = pl.DataFrame(
        {"text": known, "word": [int(_word(text)) for text in known]},
        schema={"text": pl.String(), "word": pl.UInt64()},
    )
    joined = (
        texts.rename("text")
        .to_frame()
        .join(words, on="text", how="left", nulls_equal=True, maintain_order="left")
    )
    return joined["word"].to_numpy()


def _prices(market: Market) -> UInt64[np.ndarray, "symbols sessions"]:
    """Return for each symbol and session a word of its prices up to then."""
    fields = [market.close, market.split, market.dividend]
    if market.source is not None:
        names = np.array([_word(name) for name in (*market.sources, None)])
        fields.append(names[market.source].view(np.int64))
    cells = np.stack([as_words(field).ravel() for field in fields], axis=1)
    return chained_words(row_words(cells).reshape(market.close.shape))


def _terms(book: Book, market: Market) -> UInt64[np.ndarray, " symbols"]:
    """Return a word for what an instrument is; of an option, when it was first traded as well."""
    first = book.trades.group_by("symbol").agg(pl.col("date").min().alias("since"))
    is_option = pl.col("class") == "option"
    told = book.instruments.join(first, on="symbol", how="left", maintain_order="left")
    told = told.with_columns(pl.when(is_option).then("since").alias("since"))
    out = np.zeros(len(market.symbols), dtype=np.uint64)
    for row in told.iter_rows():
        out[market.place[row[0]]] = _word(list(row))
    return out


def _own(
    book: Book, names: tuple[str, ...], market: Market, since: int
) -> UInt64[np.ndarray, "portfolios later"]:
    """Return for each portfolio and session a word of what it did and is beside its holdings."""
    shape = (len(names), market.dates.size - since)
    known = pl.Enum(names)
    rows, days, words = [], [], []
    trades = book.trades.sort("symbol", maintain_order=True)  # between symbols, or kinds, the
    flows = book.cash_flows.sort("kind", maintain_order=True)  # order of rows changes no figure
    for table, cells in ((trades, _trade_cells), (flows, _flow_cells)):
        rows.append(table["portfolio"].cast(known).to_physical().to_numpy().astype(np.int64))
        days.append(sessions_of(table["date"], market) - since)
        words.append(row_words(cells(table)))
    row, day, word = (np.concatenate(parts) for parts in (rows, days, words))
    is_there = day < shape[1]
    own = cell_words(row[is_there], day[is_there], word[is_there], shape)
    about = [_column_words(book.portfolios[name]) for name in _PORTFOLIO]
    return pair_words(own, row_words(np.stack(about, axis=1))[:, None])


def _column_words(column: pl.Series) -> UInt64[np.ndarray, " rows"]:
    if column.dtype == pl.String:
        return _text_words(column)
    return as_words(column.to_physical().cast(pl.Float64).to_numpy())


def _trade_cells(trades: pl.DataFrame) -> UInt64[np.ndarray, "trades cells"]:
    return np.stack([_column_words(trades[name]) for name in ("symbol", *_TRADE)], axis=1)


def _flow_cells(flows: pl.DataFrame) -> UInt64[np.ndarray, "flows cells"]:
    return np.stack([_column_words(flows[name]) for name in ("kind", "amount")], axis=1)


def _beside(
    prices: UInt64[np.ndarray, "symbols later"],
    market: Market,
    kinds: Mapping[str, Analytic],
    settings: np.uint64,
) -> UInt64[np.ndarray, " later"]:
    """Return for each session a word of what all portfolios depend on."""
    read = sorted({symbol for kind in kinds.values() for symbol in kind.symbols})
    rows = [market.place[symbol] for symbol in read if symbol in market.place]
    fixed = np.full((prices.shape[1], 1), settings)
    return row_words(np.hstack([fixed, prices[rows].T]))


def _shared(
    symbols: UInt64[np.ndarray, " symbols"],
    prices: UInt64[np.ndarray, "symbols later"],
    held: Bool[np.ndarray, "symbols later"],
    beside: UInt64[np.ndarray, " later"],
) -> UInt64[np.ndarray, " later"]:
    """Return for each session a word of all symbols that any portfolio holds or is exposed to."""
    each = pair_words(symbols[:, None], prices)
    whole = np.where(held, each, np.uint64(0)).sum(axis=0, dtype=np.uint64)
    return row_words(np.stack([beside, whole], axis=1))
