"""Portfolios with their trades, flows of cash and instruments, each row checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, final

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import BookError
from plumbline.core.parameters import require_kinds
from plumbline.risk.book_columns import CASH_FLOWS, INSTRUMENTS, PORTFOLIOS, TRADES
from plumbline.risk.book_rules import rule_problems
from plumbline.risk.book_tables import ROW, BookTable, read_table

TABLES: Final = {
    "portfolios": PORTFOLIOS,
    "trades": TRADES,
    "cash_flows": CASH_FLOWS,
    "instruments": INSTRUMENTS,
}


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
            is an equity without a sector.
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
    def from_tables(
        cls,
        given: Mapping[str, Any],
        *,
        calendar: Calendar | str = "XNYS",
        latest: date | None = None,
        places: Mapping[str, tuple[str, int]] | None = None,
    ) -> "Book":
        """Return the book of tables by name, as :meth:`from_frames`.

        Parameters
        ----------
        given : None for a table that is not there.
        places : table -> how messages call it and the number of its first row, such as a file and
            line 2; default: the table's name and row 1.
        """
        grid = Calendar(calendar) if isinstance(calendar, str) else calendar
        problems: list[str] = []
        tables = {}
        for name, columns in TABLES.items():
            place = (places or {}).get(name, (name, 1))
            tables[name] = read_table(given.get(name), columns, place, problems)
        if given.get("instruments") is None:
            tables["instruments"] = _equities(tables)
        problems.extend(rule_problems(tables, grid, latest))
        if problems:
            raise BookError("book", problems)
        frames = _ordered({name: table.frame.drop(ROW) for name, table in tables.items()})
        return cls(
            frames["portfolios"],
            frames["trades"],
            frames["cash_flows"],
            frames["instruments"],
            grid,
        )


def _equities(tables: Mapping[str, BookTable]) -> BookTable:
    """Return instruments of which nothing is known but that they are traded."""
    symbols = tables["trades"].frame["symbol"].unique().sort()
    known = tables["instruments"]
    rows = pl.DataFrame({"symbol": symbols}).with_columns(pl.lit("equity").alias("class"))
    return BookTable(pl.concat([known.frame, rows], how="diagonal"), known.name)


def _ordered(frames: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Return the tables sorted, with what stands for cells that may be empty."""
    multiplier = pl.when(pl.col("class") == "option").then(100.0).otherwise(1.0)
    return {
        "portfolios": frames["portfolios"]
        .with_columns(pl.col("name").fill_null(pl.col("portfolio")))
        .sort("portfolio"),
        "trades": frames["trades"].sort("portfolio", "date", maintain_order=True),
        "cash_flows": frames["cash_flows"].sort("portfolio", "date", maintain_order=True),
        "instruments": frames["instruments"]
        .with_columns(pl.col("multiplier").fill_null(multiplier))
        .sort("symbol"),
    }
