"""What a nightly run does not count, cannot value or does not convert: sentences for its reader."""

from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import date

import numpy as np
import polars as pl
from jaxtyping import Bool

from plumbline.core.errors import nearest_names
from plumbline.core.wording import counted, named
from plumbline.risk.analytic import Analytic
from plumbline.risk.analytics.stress import Stress
from plumbline.risk.book import Book
from plumbline.risk.market import Market


def book_warnings(book: Book, market: Market, priced: Set[str]) -> Iterator[str]:
    """Yield what of a book lies behind the prices, has none, or is of several currencies.

    Parameters
    ----------
    book : with what lies behind the last price.
    priced : symbols that have a close.
    """
    last = market.dates[-1].item()
    yield from _behind(book, last)
    yield from _unpriced(book, priced)
    yield from _unvalued(book, priced)
    yield from _currencies(book.until(last))


def _behind(book: Book, last: date) -> Iterator[str]:
    tables = {
        ("portfolio opens", "portfolios open"): book.portfolios["opened_on"],
        ("trade lies", "trades lie"): book.trades["date"],
        ("flow lies", "flows lie"): book.cash_flows["date"],
    }
    for (one, many), dates in tables.items():
        n = int((dates > last).sum())
        if n:
            told = f"{one} behind {last}" if n == 1 else f"{many} behind {last}"
            verb = "is" if n == 1 else "are"
            yield f"{n} {told}, the last date that has prices, and {verb} not counted yet"


def _unpriced(book: Book, priced: Set[str]) -> Iterator[str]:
    """Yield which symbols are traded, are no options, and have no price in any data set."""
    kinds = dict(book.instruments.select("symbol", "class").iter_rows())
    lacking = [
        symbol
        for symbol in book.trades["symbol"].unique().sort()
        if symbol not in priced and kinds.get(symbol) not in ("option", "cash")
    ]
    if lacking:
        verb = "has" if len(lacking) == 1 else "have"
        yield (
            f"{counted(len(lacking), 'traded symbol')} {verb} no price in any data set, so that "
            f"what is held of {_them(lacking)} is carried at its cost: {named(lacking)}; "
            f"{nearest_names(lacking[0], priced)}"
        )


def _unvalued(book: Book, priced: Set[str]) -> Iterator[str]:
    """Yield which traded options have no close, and what else their value cannot come from."""
    traded = pl.col("symbol").is_in(book.trades["symbol"].unique().implode())
    options = book.instruments.filter(traded & (pl.col("class") == "option")).sort("symbol")
    options = options.filter(~pl.col("symbol").is_in(sorted(priced)))
    bare = options.filter(pl.col("volatility").is_null())
    yield from _cost(
        bare["symbol"].to_list(),
        ("has neither a close nor a volatility", "have neither a close nor a volatility"),
        "add closes to a data set, or volatility to instruments",
    )
    modelled = options.filter(pl.col("volatility").is_not_null())
    lost = modelled.filter(~pl.col("underlying").is_in(sorted(priced)))
    under = ", ".join(lost["underlying"].unique().sort())
    yield from _cost(
        lost["symbol"].to_list(),
        ("has no close and is on what has none", "have no close and are on what has none"),
        f"add closes of {under}, or of the options, to a data set",
    )


def _cost(options: list[str], verbs: tuple[str, str], advice: str) -> Iterator[str]:
    if options:
        one = len(options) == 1
        yield (
            f"{counted(len(options), 'traded option')} {verbs[0] if one else verbs[1]}, so that "
            f"{'it' if one else 'they'} cannot be valued and what is held of {_them(options)} is "
            f"carried at its cost: {named(options)}; {advice}"
        )


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _currencies(book: Book) -> Iterator[str]:
    found = book.portfolios["currency"].unique().sort().to_list()
    if len(found) > 1:
        yield (
            f"portfolios are of {len(found)} currencies, {named(found)}: each is a label, prices, "
            "trades and flows are taken to be in it, and nothing is converted; amounts of "
            "portfolios of different currencies do not add up"
        )


def stress_warnings(
    kinds: Iterable[Analytic], market: Market, wanted: Bool[np.ndarray, " sessions"]
) -> Iterator[str]:
    """Yield which replays have no figures on any date, as the prices lack what comes again.

    Parameters
    ----------
    kinds : analytics; those that are no stress are passed over.
    market : that has a price of all symbols that they read.
    wanted : sessions that are asked for; at least one.
    """
    for kind in kinds:
        if isinstance(kind, Stress) and any(scenario.replay for scenario in kind.scenarios):
            yield from _unreplayed(kind, market, int(np.flatnonzero(wanted)[-1]))


def _unreplayed(stress: Stress, market: Market, last: int) -> Iterator[str]:
    funds = sorted(stress.symbols)
    returns = market.returns[[market.place[symbol] for symbol in funds], : last + 1]
    is_known = np.isfinite(returns).all(axis=0)
    lacking: Mapping[str, tuple[date, date]] = {
        scenario.name: scenario.replay
        for scenario in stress.scenarios
        if scenario.replay is not None
        and not _has_all(scenario.replay, market.dates[: last + 1], is_known)
    }
    if not lacking:
        return
    told = [f"{name!r} ({first} to {end})" for name, (first, end) in lacking.items()]
    known = np.flatnonzero(is_known)
    have = "none"
    if known.size:
        first, end = market.dates[known[[0, -1]]]
        n_gaps = int(known[-1] - known[0] + 1 - known.size)
        gaps = f", {counted(n_gaps, 'session')} between left out" if n_gaps else ""
        have = f"those from {first} to {end}{gaps}"
    verb = "replays" if len(told) == 1 else "replay"
    yield (
        f"{counted(len(told), 'scenario')} of stress {verb} dates that the prices lack, and "
        f"{'has' if len(told) == 1 else 'have'} no figures on any date that is asked for: "
        f"{named(told)}; of the returns of {', '.join(funds)} up to {market.dates[last]} there are "
        f"{have}"
    )


def _has_all(
    replay: tuple[date, date], dates: np.ndarray, is_known: Bool[np.ndarray, " sessions"]
) -> bool:
    first, last = (np.datetime64(moment, "D") for moment in replay)
    own = (dates >= first) & (dates <= last)
    is_inside = first >= dates[0] and last <= dates[-1]
    return bool(is_inside and own.any() and is_known[own].all())
