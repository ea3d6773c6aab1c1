"""The columns of a book's tables: their kinds, what is allowed, what stands where none is given."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, final

INSTRUMENT_CLASSES: Final = ("cash", "equity", "etf", "option", "private")
FLOW_KINDS: Final = ("contribution", "dividend", "fee", "interest", "withdrawal")
DIVIDEND_SOURCES: Final = ("cash_flows", "prices")
RIGHTS: Final = ("call", "put")


@final
@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : as it is written.
    kind : text, date, or a finite number.
    default : of a cell that is empty, and of a column that is not there; None refuses both.
    is_optional : whether a cell may stay empty, without a default.
    choices : allowed texts; empty allows any.
    least : of a number: ``any``, ``above 0``, ``0 or more``, ``not 0``.
    most : of a number, the largest that is allowed; None allows any.
    pattern : of a text, all of it; empty allows any.
    hint : in messages, after what is allowed; of a pattern it is what is allowed.
    """

    name: str
    kind: Literal["text", "date", "number"]
    default: Any = None
    is_optional: bool = False
    choices: tuple[str, ...] = ()
    least: Literal["any", "above 0", "0 or more", "not 0"] = "any"
    most: float | None = None
    pattern: str = ""
    hint: str = ""


PORTFOLIOS: Final = (
    Column("portfolio", "text"),
    Column("name", "text", is_optional=True),
    Column("currency", "text", "USD", pattern="[A-Z]{3}", hint="three capital letters such as USD"),
    Column("opening_cash", "number", 0.0),
    Column("opened_on", "date"),
    Column("owner", "text", ""),
    Column("dividends", "text", "prices", choices=DIVIDEND_SOURCES),
)
TRADES: Final = (
    Column("portfolio", "text"),
    Column("date", "date"),
    Column("symbol", "text"),
    Column("quantity", "number", least="not 0"),
    Column("price", "number", least="0 or more"),
    Column("fees", "number", 0.0, least="0 or more"),
    Column("adjustment", "number", is_optional=True, least="above 0"),
    Column("trade_id", "text", is_optional=True),
)
CASH_FLOWS: Final = (
    Column("portfolio", "text"),
    Column("date", "date"),
    Column("amount", "number"),
    Column("kind", "text", choices=FLOW_KINDS),
)
INSTRUMENTS: Final = (
    Column("symbol", "text"),
    Column("class", "text", "equity", choices=INSTRUMENT_CLASSES),
    Column("multiplier", "number", is_optional=True, least="above 0"),
    Column("sector", "text", is_optional=True),
    Column("underlying", "text", is_optional=True),
    Column("strike", "number", is_optional=True, least="above 0"),
    Column("expiry", "date", is_optional=True),
    Column("right", "text", is_optional=True, choices=RIGHTS),
    Column(
        "volatility",
        "number",
        is_optional=True,
        least="above 0",
        most=10.0,
        hint="it is a fraction a year, 0.2 is 20 %",
    ),
)
POSITIONS: Final = (
    Column("portfolio", "text"),
    Column("symbol", "text"),
    Column("quantity", "number", least="not 0"),
    Column("entry_price", "number", least="0 or more"),
    Column("entry_date", "date"),
    Column("exit_date", "date", is_optional=True),
    Column("exit_price", "number", is_optional=True, least="0 or more"),
    Column("exit_quantity", "number", is_optional=True, least="not 0"),
    Column("entry_adjustment", "number", is_optional=True, least="above 0"),
    Column("exit_adjustment", "number", is_optional=True, least="above 0"),
    *(replace(column, default=None, is_optional=True) for column in INSTRUMENTS[1:]),
)
