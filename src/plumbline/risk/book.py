"""Portfolios with their trades, flows of cash and instruments, each row checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import isfinite
from typing import Any, Final, final

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import BookError, ParameterError, nearest_names
from plumbline.core.parameters import require_kinds
from plumbline.risk.book_columns import CASH_FLOWS, INSTRUMENTS, PORTFOLIOS, POSITIONS, TRADES
from plumbline.risk.book_rules import rule_problems
from plumbline.risk.book_tables import ROW, WHOLE, BookTable, Fault, Origin, in_order, read_table
from plumbline.risk.position_file import (
    described_instruments,
    filled_instruments,
    opened_portfolios,
    position_problems,
    trades_of,
)

TABLES: Final = {
    "portfolios": PORTFOLIOS,
    "trades": TRADES,
    "cash_flows": CASH_FLOWS,
    "instruments": INSTRUMENTS,
}
GIVEN: Final = TABLES | {"positions": POSITIONS}
"""The tables that a book is made of: those that it has, and one that becomes some of them."""


@final
@dataclass(frozen=True)
class Conventions:
    """How a book is kept.

    Parameters
    ----------
    by_lots : gains are realised from the oldest lots; default: at average cost.
    risk_free : continuously compounded rate a year that options are discounted by.
    """

    by_lots: bool = False
    risk_free: float = 0.0

    def __post_init__(self) -> None:
        require_kinds(self)


@final
@dataclass(frozen=True, eq=False)
class Book:
    """Everything that is known of portfolios but prices.

    Parameters
    ----------
    portfolios : sorted by ``portfolio``; ``name currency opening_cash opened_on owner dividends``.
        The currency is a label: prices, trades and flows are taken to be in it, and nothing is
        converted.
    trades : sorted by portfolio and date, those of a day in the order given; ``symbol quantity
        price fees adjustment trade_id``.
    cash_flows : sorted by portfolio and date; ``amount kind``.
    instruments : sorted by ``symbol``; ``class multiplier sector underlying strike expiry right``.
    calendar : of the sessions.
    conventions : how it is kept.
    """

    portfolios: pl.DataFrame = field(repr=False)
    trades: pl.DataFrame = field(repr=False)
    cash_flows: pl.DataFrame = field(repr=False)
    instruments: pl.DataFrame = field(repr=False)
    calendar: Calendar = field(default_factory=lambda: Calendar("XNYS"))
    conventions: Conventions = Conventions()

    def part(self, first: int, stop: int) -> "Book":
        """Return the book of the portfolios from one place to another; instruments stay."""
        portfolios = self.portfolios[first:stop]
        names = portfolios["portfolio"]

        def own(table: pl.DataFrame) -> pl.DataFrame:
            sorted_names = table["portfolio"]
            start = sorted_names.search_sorted(names[0], "left")
            return table[start : sorted_names.search_sorted(names[-1], "right")]

        trades, cash_flows = own(self.trades), own(self.cash_flows)
        return replace(self, portfolios=portfolios, trades=trades, cash_flows=cash_flows)

    def until(self, last: date) -> "Book":
        """Return the book as it was on a date: without later portfolios, trades and flows."""
        known = self.portfolios.filter(pl.col("opened_on") <= last)
        trades, flows = (t.filter(pl.col("date") <= last) for t in (self.trades, self.cash_flows))
        return replace(self, portfolios=known, trades=trades, cash_flows=flows)

    def only(self, portfolios: Sequence[str]) -> "Book":
        """Return the book of some portfolios; instruments stay.

        Raises
        ------
        ParameterError
            If there is none of a name; all such are named.
        """
        names = set(portfolios)
        known = self.portfolios["portfolio"].to_list()
        unknown = sorted(names.difference(known))
        if unknown:
            raise ParameterError(
                "; ".join(f"no portfolio {n!r}; {nearest_names(n, known)}" for n in unknown)
            )
        is_own = pl.col("portfolio").is_in(sorted(names))
        tables = ("portfolios", "trades", "cash_flows")
        return replace(self, **{name: getattr(self, name).filter(is_own) for name in tables})

    @classmethod
    def from_frames(
        cls,
        *,
        portfolios: Any,
        trades: Any,
        cash_flows: Any = None,
        instruments: Any = None,
        calendar: Calendar | str = "XNYS",
        latest: date | None = None,
    ) -> "Book":
        """Return the book of tables.

        Parameters
        ----------
        portfolios, trades, cash_flows, instruments : polars, pandas or pyarrow tables; columns as
            in :mod:`plumbline.risk.book_columns`. Without instruments, every symbol that is traded
            is an equity without a sector. All but portfolios may be None: there is none of them.
        calendar : of the sessions.
        latest : no row may be of a later date; default: any may.

        Raises
        ------
        BookError
            If a row or column is wrong; all problems of all tables are listed.
        """
        given = {
            "portfolios": portfolios,
            "trades": trades,
            "cash_flows": cash_flows,
            "instruments": instruments,
        }
        return cls.from_tables(given, calendar=calendar, latest=latest)

    @classmethod
    def from_positions(
        cls,
        positions: Any,
        *,
        portfolios: Any = None,
        instruments: Any = None,
        opening_cash: float | None = None,
        calendar: Calendar | str = "XNYS",
        latest: date | None = None,
    ) -> "Book":
        """Return the book of positions, each of which is entered and perhaps left.

        Parameters
        ----------
        positions : ``portfolio symbol quantity entry_price entry_date``; of those that were left
            ``exit_date exit_price``, and ``exit_quantity`` where a split came between; where closes
            are adjusted, ``entry_adjustment exit_adjustment``; and what instruments have, such as
            ``class`` or ``strike``, the same wherever a symbol stands.
        portfolios : default: those that are named, opened on the first entry.
        instruments : default: those that are named, and the underlyings of options.
        opening_cash : of each portfolio, where none are given; default: what its entries cost,
            short ones by their size.
        calendar, latest : as in :meth:`from_frames`.

        Raises
        ------
        BookError
            If a row or column is wrong; all problems of all tables are listed.
        """
        given = {"positions": positions, "portfolios": portfolios, "instruments": instruments}
        return cls.from_tables(given, calendar=calendar, latest=latest, opening_cash=opening_cash)

    @classmethod
    def from_tables(
        cls,
        given: Mapping[str, Any],
        *,
        calendar: Calendar | str = "XNYS",
        latest: date | None = None,
        origins: Mapping[str, Origin] | None = None,
        opening_cash: float | None = None,
        adds_equities: bool = False,
    ) -> "Book":
        """Return the book of tables by name, as :meth:`from_frames` and :meth:`from_positions`.

        Parameters
        ----------
        given : ``portfolios trades cash_flows instruments positions``; None for a table that is
            not there. What positions become is added to trades and instruments.
        calendar, latest : as in :meth:`from_frames`.
        origins : table -> where its rows come from; default: the table's name, rows from 1.
        opening_cash : as in :meth:`from_positions`.
        adds_equities : whether symbols that the instruments lack are equities without a sector, as
            they are where no instruments are given.

        Raises
        ------
        BookError
            If a row or column is wrong; all problems of all tables are listed.
        """
        grid = Calendar(calendar) if isinstance(calendar, str) else calendar
        problems = [
            Fault("", WHOLE, f"no table {name!r} is known; {nearest_names(name, GIVEN)}")
            for name in given
            if name not in GIVEN
        ]
        places = {name: (origins or {}).get(name, Origin(name)) for name in GIVEN}
        is_given = {n: given.get(n) is not None or bool(places[n].faults) for n in GIVEN}
        if not problems:  # a table that is not known may be one of these
            problems.extend(_lacking_problems(is_given))
        problems.extend(_cash_problems(opening_cash, is_given))
        tables = {
            name: read_table(given.get(name), columns, places[name], problems)
            for name, columns in GIVEN.items()
        }
        if not (is_given["portfolios"] or is_given["positions"]):  # no trade is accused of that
            tables["portfolios"] = replace(tables["portfolios"], names=None)
        listed = tables["instruments"]
        is_alone = adds_equities or not is_given["instruments"]
        tables |= _with_positions(tables, is_given, opening_cash, is_alone=is_alone)
        problems.extend(rule_problems(tables, grid, latest))
        problems.extend(position_problems(tables["positions"], listed))
        if problems:
            named = [place.name for place in places.values()]
            raise BookError("book", in_order(problems, named))
        return cls(*_ordered({name: table.frame for name, table in tables.items()}), grid)


def _lacking_problems(is_given: Mapping[str, bool]) -> Iterator[Fault]:
    if not (is_given["portfolios"] or is_given["positions"]):
        told = "there are no portfolios: give a table of portfolios, or positions, which open them"
        yield Fault("", WHOLE, told)


def _cash_problems(opening_cash: float | None, is_given: Mapping[str, bool]) -> Iterator[Fault]:
    if opening_cash is None:
        return
    if not isfinite(opening_cash):
        yield Fault("", WHOLE, f"opening_cash={opening_cash}: must be a finite number")
    if is_given["portfolios"] or not is_given["positions"]:
        advice = "say opening_cash of each portfolio in the table of portfolios"
        told = f"opening_cash={opening_cash}: is of portfolios that positions open; {advice}"
        yield Fault("", WHOLE, told)


def _with_positions(
    tables: Mapping[str, BookTable],
    is_given: Mapping[str, bool],
    opening_cash: float | None,
    *,
    is_alone: bool,
) -> dict[str, BookTable]:
    """Return instruments and portfolios, with those that positions and trades tell of."""
    positions = tables["positions"]
    listed = filled_instruments(positions, tables["instruments"])
    described = described_instruments(positions, listed, is_alone=is_alone)
    if is_alone:
        listed = _equities(tables["trades"], described, listed)
    made = {"instruments": listed, "described": described}
    if is_given["positions"] and not is_given["portfolios"]:
        known = pl.concat([listed.frame, described.frame])
        columns = tables["portfolios"].frame
        made["portfolios"] = opened_portfolios(positions, known, columns, opening_cash)
    return made


def _equities(trades: BookTable, described: BookTable, known: BookTable) -> BookTable:
    """Return the known instruments, with those of which a trade or an option tells and no more."""
    of_options = described.frame["underlying"].drop_nulls()
    traded = trades.frame["symbol"].drop_nulls()
    symbols = pl.concat([traded, of_options]).unique().sort()
    said = pl.concat([described.frame["symbol"], known.frame["symbol"]])
    symbols = symbols.filter(~symbols.is_in(said.implode()))
    rows = pl.DataFrame({"symbol": symbols}).with_columns(pl.lit("equity").alias("class"))
    frame = pl.concat([known.frame, rows], how="diagonal")
    return BookTable(frame, known.origin, frame["symbol"], known.lost)


def _ordered(
    frames: Mapping[str, pl.DataFrame],
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the tables of a book, sorted, with what stands for cells that may be empty."""
    made = trades_of(frames["positions"], frames["trades"].clear())
    trades = pl.concat([frames["trades"], made])
    instruments = pl.concat([frames["instruments"], frames["described"]])
    multiplier = pl.when(pl.col("class") == "option").then(100.0).otherwise(1.0)
    return (
        frames["portfolios"]
        .with_columns(pl.col("name").fill_null(pl.col("portfolio")))
        .sort("portfolio")
        .drop(ROW),
        trades.sort("portfolio", "date", maintain_order=True).drop(ROW),
        frames["cash_flows"].sort("portfolio", "date", maintain_order=True).drop(ROW),
        instruments.with_columns(pl.col("multiplier").fill_null(multiplier))
        .sort("symbol")
        .drop(ROW),
    )
