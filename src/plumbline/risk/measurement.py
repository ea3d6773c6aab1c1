"""Every figure of every portfolio on every date, in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any, Final, final

import numpy as np
import polars as pl
from jaxtyping import Int
from threadpoolctl import threadpool_limits

from plumbline.core.errors import BookError, MissingDataError, ParameterError
from plumbline.core.failure import Failure, attempt
from plumbline.core.panel import Panel
from plumbline.core.parameters import shown
from plumbline.core.wording import counted, named
from plumbline.kernels.position_accounting import hold, mark_held
from plumbline.risk.accounts import Accounts
from plumbline.risk.analytic import (
    Analytic,
    MarketDays,
    Measures,
    PortfolioDays,
    Prepared,
    chosen_analytics,
)
from plumbline.risk.book import Book
from plumbline.risk.equity import roll_forward
from plumbline.risk.exposures import expose
from plumbline.risk.flows import flows_of
from plumbline.risk.market import Market, market_of
from plumbline.risk.option_table import option_rows
from plumbline.risk.performance import performance
from plumbline.risk.positions import lines_of
from plumbline.risk.result import Block, RiskResult, frames_of, joined
from plumbline.risk.valuation import Valuation, valued

Attempt = Callable[[Callable[[], Any]], Any]


BLOCK: Final = 64
"""Portfolios that are measured together; none of their bits depends on it."""
_WIDEST: Final = 8  # blocks that become one on few dates, where each costs more than its days
_THREADS: Final = 4  # kernels give up the interpreter's lock


def measure(
    book: Book,
    prices: Panel | pl.DataFrame | Market,
    *,
    dates: Sequence[date] | date | None = None,
    analytics: str | Sequence[str] | Mapping[str, Analytic | Mapping[str, Any] | None] = "all",
    benchmark: str = "SPY",
    rates: str = "TLT",
) -> RiskResult:
    """Value and measure all portfolios of a book on some dates.

    Parameters
    ----------
    book : portfolios, trades, flows, instruments.
    prices : ``close``, and ``split`` and ``dividend`` if there are any, of all symbols that are
        held and that analytics read: a panel, a long table of ``symbol`` and ``date``, or a
        :class:`~plumbline.risk.market.Market`, which also says whether closes are adjusted.
    dates : sessions, or one; default: all of the prices on which a portfolio is open.
    analytics : ``all``, names of :data:`plumbline.risk.analytic.analytics`, or by name an analytic,
        its parameters, such as ``{"window_bars": 120}``, or None for its defaults.
    benchmark, rates : symbols of the market and of long bonds, of all that are not given made.

    Returns
    -------
    Frames keyed by portfolio and date. A cell that cannot be computed is missing and stands among
    the failures with its reason; the others are there.

    Raises
    ------
    BookError
        If trades lie outside the prices, or need an adjustment that they do not state, or
        dividends are paid that closes hold already.
    ParameterError
        If a date is no session of the prices, there is no analytic of a name, or it does not take a
        parameter.
    """
    market = _market(prices, book)
    kinds = chosen_analytics(analytics, benchmark=benchmark, rates=rates)
    measurement = Measurement.of(book, market, kinds, dates)
    found = measurement.part(0, book.portfolios.height)
    return replace(found, **measurement.shared_tables())


@final
@dataclass(frozen=True, eq=False)
class Measurement:
    """Portfolios that are ready to be measured: what belongs to symbols is computed.

    Parameters
    ----------
    book : of the portfolios that are measured.
    whole : of all portfolios: options have the terms that their first trade was made at.
    view : the market on the dates.
    kinds : analytics by name.
    prepared : what each has computed of symbols, or why it could not.
    attempt : calls a computation; returns what it gave, or why it gave nothing.
    """

    book: Book
    whole: Book
    view: MarketDays
    kinds: Mapping[str, Analytic]
    prepared: Mapping[str, Prepared | Failure]
    attempt: Attempt

    @classmethod
    def of(
        cls,
        book: Book,
        prices: Market | Valuation,
        kinds: Mapping[str, Analytic],
        dates: Sequence[date] | date | None = None,
        only: Sequence[str] | None = None,
        attempt: Attempt = attempt,
    ) -> "Measurement":
        """Return the measurement of a book on some dates; arguments as of :func:`measure`.

        Parameters
        ----------
        prices : of all symbols, or what they are worth.
        only : portfolios that are measured; default: all.

        Raises
        ------
        BookError, ParameterError
            As :func:`measure`.
        """
        market = prices.market if isinstance(prices, Valuation) else prices
        days = _sessions(dates, market, book)
        refuse_outside(book, market)
        valuation = valued(prices, book)
        chosen = book if only is None else book.only(only)
        view = MarketDays(
            valuation, days, *_held(chosen, valuation, days), _sectors(book, valuation.market)
        )
        _ = view.returns  # made before threads share it
        with _one_blas_thread(), ThreadPoolExecutor(_THREADS) as threads:
            calls = [partial(_prepared, kind, view) for kind in kinds.values()]
            prepared = dict(zip(kinds, threads.map(attempt, calls), strict=True))
        return cls(chosen, book, view, kinds, prepared, attempt)

    @property
    def dates(self) -> list[date]:
        """Return the dates."""
        found: list[date] = self.view.market.dates[self.view.days].tolist()
        return found

    def part(self, first: int, stop: int) -> RiskResult:
        """Return the frames of the portfolios from one place to another."""
        size = BLOCK * max(1, min(_WIDEST, BLOCK // max(1, self.view.days.size)))
        starts = range(first, stop, size)
        unprepared = self._unprepared()

        def frames(start: int) -> RiskResult:
            blocks = self._blocks(start, min(start + size, stop))
            return joined([frames_of(block, self.kinds, unprepared) for block in blocks], {})

        with _one_blas_thread(), ThreadPoolExecutor(_THREADS) as threads:
            return joined(list(threads.map(frames, starts)), unprepared)

    def shared_tables(self, dates: slice = slice(None)) -> dict[str, pl.DataFrame]:
        """Return the tables that belong to no portfolio; rows by date, then in analytics' order.

        Parameters
        ----------
        dates : places of those whose rows are made; all have the same bits in parts.
        """
        found = {"options": [option_rows(self.view.part(dates))]}
        for name, known in self.prepared.items():
            if not isinstance(known, Failure):
                made = self.kinds[name].shared_tables(known, self.view, dates)
                for table, rows in made.items():
                    found.setdefault(table, []).append(rows)
        return {
            table: rows[0] if len(rows) == 1 else pl.concat(rows).sort("date", maintain_order=True)
            for table, rows in found.items()
        }

    def _unprepared(self) -> dict[str, Failure]:
        """Return the analytics that fail on all portfolios."""
        return {name: known for name, known in self.prepared.items() if isinstance(known, Failure)}

    def _blocks(self, first: int, stop: int) -> list[Block]:
        """Measure portfolios together; those of an analytic that fails by themselves, then dates.

        None of the bits depends on what is measured together.
        """
        block = self._block(first, stop)
        if not block.failing.keys() - self._unprepared().keys():
            return [block]
        if stop - first > 1:
            return [found for at in range(first, stop) for found in self._blocks(at, at + 1)]
        if self.view.days.size == 1:
            return [block]
        valuation, name = self.view.valuation, self.book.portfolios["portfolio"][first]
        alone = [
            Measurement.of(self.whole, valuation, self.kinds, [day], [name], self.attempt)
            for day in self.dates
        ]
        return [one._block(0, 1) for one in alone]

    def _block(self, first: int, stop: int) -> Block:
        """Measure the portfolios from one place to another."""
        valuation, days = self.view.valuation, self.view.days
        market = valuation.market
        book = self.book.part(first, stop)
        names = tuple(book.portfolios["portfolio"].to_list())
        lines = lines_of(_adjusted(book.trades), names, market)
        flows = flows_of(book, market)
        first = min(flows.first, int(lines.trades.day.min(initial=flows.first)))
        by_prices = (book.portfolios["dividends"] == "prices").to_numpy()
        holdings = hold(
            lines.symbol,
            lines.trades,
            valuation.marks,
            by_prices[lines.owner],
            by_lots=book.conventions.by_lots,
            first=first,
        )
        equity = roll_forward(holdings, lines.start, lines.fees, flows)
        sessions = np.arange(market.dates.size)
        opening = np.where(sessions == flows.opened[:, None], flows.opening[:, None], 0.0)
        gained = performance(equity, flows.contributions + opening, market.dates)
        accounts = Accounts(lines, holdings, equity, first)
        exposures = expose(accounts, valuation, days)
        view = PortfolioDays(self.view, accounts, exposures, gained.returns)
        measures = {name: self._measured(name, view) for name in self.kinds}
        return Block(names, accounts, gained, exposures, measures, self.view)

    def _measured(self, name: str, view: PortfolioDays) -> Measures | Failure:
        known = self.prepared[name]
        if isinstance(known, Failure):
            return known
        found: Measures | Failure = self.attempt(partial(self.kinds[name].compute, known, view))
        return found


def _one_blas_thread() -> threadpool_limits:
    """Keep BLAS to one thread: its bits depend on the number, and ours would wait for its."""
    return threadpool_limits(limits=1, user_api="blas")


def _prepared(analytic: Analytic, view: MarketDays) -> Prepared:
    lacking = sorted(s for s in analytic.symbols if _has_no_price(s, view.market))
    if lacking:
        raise MissingDataError(f"there are no prices of {', '.join(lacking)}")
    return analytic.prepare(view)


def _held(
    book: Book, valuation: Valuation, days: Int[np.ndarray, " days"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which symbols any portfolio is exposed to on each date, and which options it holds."""
    names = tuple(book.portfolios["portfolio"].to_list())
    lines = lines_of(book.trades, names, valuation.market)
    shape = (len(valuation.market.symbols), days.size)
    found = []
    for row in (valuation.underlying[lines.symbol], lines.symbol):
        held = np.zeros(shape, dtype=np.bool_)
        mark_held(lines.symbol, lines.trades, valuation.marks, row, days, held)
        found.append(held)
    return found[0], found[1][valuation.options.rows]


def _sectors(book: Book, market: Market) -> tuple[str | None, ...]:
    known = dict(book.instruments.select("symbol", "sector").iter_rows())
    return tuple(known.get(symbol) for symbol in market.symbols)


def _market(prices: Panel | pl.DataFrame | Market, book: Book) -> Market:
    if isinstance(prices, Market):
        return prices
    if not isinstance(prices, Panel):
        prices = Panel.from_frame(prices, calendar=book.calendar)
    return market_of(prices, book.calendar)


def _sessions(dates: object, market: Market, book: Book) -> Int[np.ndarray, " days"]:
    """Return the places of the dates among the sessions of the prices."""
    if dates is None:
        opened = book.portfolios["opened_on"].to_numpy().astype("datetime64[D]")
        return np.flatnonzero(market.dates >= opened.min(initial=market.dates[-1]))
    wanted = _dates(dates)
    wrong = wanted[~np.isin(wanted, market.dates)]
    if wrong.size:
        told = counted(wrong.size, "date")
        raise ParameterError(
            f"{told} of no session of the prices, which have those of {book.calendar.name} from "
            f"{market.dates[0]} to {market.dates[-1]}: {named([str(day) for day in wrong])}"
        )
    return np.searchsorted(market.dates, wanted)


def _dates(given: object) -> np.ndarray:
    """Return dates, sorted, each once; one date stands for itself."""
    listed: list[Any] = [given]
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        listed = list(given)
    elif not isinstance(given, (date, np.datetime64)):
        listed = []
    try:
        found = np.unique(np.array(listed, dtype="datetime64[D]"))
    except (TypeError, ValueError):
        found = np.array(["NaT"], dtype="datetime64[D]")
    if not found.size or np.isnat(found).any():
        raise ParameterError(
            f"dates={shown(given)} must be a date or at least one in a row, such as "
            "[date(2024, 1, 31)]; leave it out for all on which a portfolio is open"
        )
    return found


def refuse_outside(book: Book, market: Market) -> None:
    """Refuse trades outside the prices or of another adjustment, and dividends told twice.

    Raises
    ------
    BookError
        With all of them.
    """
    trades = book.trades
    first, last = (pl.lit(market.dates[at].item()) for at in (0, -1))
    outside = trades.filter((pl.col("date") < first) | (pl.col("date") > last))
    problems = [
        f"trade of {row['portfolio']} in {row['symbol']} on {row['date']}: prices go from "
        f"{market.dates[0]} to {market.dates[-1]}"
        for row in outside.head(20).iter_rows(named=True)
    ]
    if outside.height > 20:
        problems.append(f"{counted(outside.height - 20, 'more trade')} outside the prices")
    stated = trades["adjustment"].is_not_null()
    if market.is_adjusted and not stated.all():
        lacking = trades.filter(~stated)
        first_one = f"{lacking['symbol'][0]} on {lacking['date'][0]}"
        problems.append(
            f"{counted(lacking.height, 'trade')} without an adjustment, the first of {first_one}: "
            "closes are adjusted, so a price as it was traded would gain or lose what the "
            "adjustment is; say adjustment, the adjusted close over the traded one"
        )
    if not market.is_adjusted and stated.any():
        problems.append(
            f"{counted(int(stated.sum()), 'trade')} with an adjustment, and closes are not "
            "adjusted: leave it out, or say that closes are adjusted"
        )
    paid = int((book.cash_flows["kind"] == "dividend").sum())
    if market.is_adjusted and paid:
        problems.append(
            f"{counted(paid, 'dividend')} among the cash flows, and closes are adjusted, which "
            "hold dividends already: leave them out, or give closes as they were traded"
        )
    if problems:
        raise BookError("book", problems)


def _adjusted(trades: pl.DataFrame) -> pl.DataFrame:
    return trades.with_columns(pl.col("price") * pl.col("adjustment").fill_null(1.0))


def _has_no_price(symbol: str, market: Market) -> bool:
    place = market.place.get(symbol)
    return place is None or bool(np.isnan(market.close[place]).all())
