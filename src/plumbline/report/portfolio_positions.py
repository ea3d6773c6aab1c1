"""What a portfolio holds, and what each position gained."""

from typing import Any, Final

import polars as pl

from plumbline.report.figures import cell_bar
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, figure
from plumbline.report.portfolio_time import attribution_figure, money
from plumbline.report.portfolio_words import (
    adds_up,
    label_of,
    last_date,
    last_row,
    meanings,
    note,
    unavailable,
)
from plumbline.report.tables import Column, Row, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import AMOUNT, COUNT, RETURN, finite, number_text
from plumbline.stages.portfolio_results import PortfolioResults

MOST_POSITIONS: Final = 500
"""Positions that a page lists, largest by exposure."""
MOST_GAINS: Final = 100
"""Positions whose gains a page lists, largest by size."""

_TOTALS: Final = ("sum", "pnl")
_NO_GAINS: Final = "the session before is not among the dates, so what was gained is not known"


def position_section(results: PortfolioResults) -> Section:
    """Return the positions of the last date."""
    return Section("positions", "Positions", f"Positions on {_day(results)}", _positions(results))


def _day(results: PortfolioResults) -> str:
    return str(last_date(results) or "the last date")


def _positions(results: PortfolioResults) -> Html:
    frame, unit = results.tables["positions"], money(results)
    if not frame.height:
        return unavailable(_nothing_held(results))
    columns = (
        Column("Symbol", "symbol"),
        Column("Class", "class"),
        Column("Sector", "sector"),
        Column("Quantity", "quantity", AMOUNT),
        Column(f"Value, {unit}", "value", AMOUNT),
        Column(f"Exposure, {unit}", "exposure", AMOUNT),
        Column("Weight", "weight", RETURN),
        Column("Price age, sessions", "price_age", COUNT),
        Column("Price", "flag"),
        Column(f"P&L of the day, {unit}", "pnl_day", AMOUNT),
        Column(f"Unrealised, {unit}", "unrealised", AMOUNT),
        Column(f"P&L of the dates, {unit}", "pnl_period", AMOUNT),
    )
    rows = [_position(row) for row in frame.head(MOST_POSITIONS).iter_rows(named=True)]
    reasons = {"pnl_day": _NO_GAINS, "weight": "equity is not above 0, so there are no weights"}
    lacking = [text for name, text in reasons.items() if frame[name].null_count()]
    why = "; ".join(lacking) or "the book or the results do not say"
    drawn = table("Positions", columns, {"": rows}, why, "sortable")
    seen = last_row(results, "snapshots")
    told = ", ".join(
        f"{name} {number_text(finite(seen.get(name)), AMOUNT)}"
        for name in ("long", "short", "net", "cash", "equity")
    )
    shown = _listed(len(rows), frame.height, "positions", "largest by exposure")
    caption = f"{shown} Together, {unit}: {told}. Select a heading to order the rows."
    words = meanings("exposure", "weight", "price age", "carried", "pnl", "unrealised")
    return figure("", drawn, caption, words)


def _position(row: dict[str, Any]) -> Row:
    quantity = finite(row["quantity"])
    text = None if quantity is None else Html(_quantity_text(quantity))
    named = {key: row[key] or "unknown" for key in ("class", "sector")}
    return row | named | {"quantity": text, "flag": _flag(row)}


def _flag(row: dict[str, Any]) -> str:
    if row["is_carried"]:
        return "none, carried"
    return "stale" if row["is_stale"] else "current"


def _quantity_text(quantity: float) -> str:
    """Return a quantity without decimals that say nothing."""
    text = f"{quantity:,.4f}".rstrip("0").rstrip(".") if abs(quantity) < 1e15 else f"{quantity:.3g}"
    return ("0" if text == "-0" else text).replace("-", "\N{MINUS SIGN}")


def _listed(n: int, of: int, what: str, how: str) -> str:
    if of == 1:
        return "There is one."
    if n == of:
        return f"All {of:,} {what}, {how} first."
    return f"The {n:,} of {of:,} {what} that are {how}; the JSON twin has all."


def _nothing_held(results: PortfolioResults) -> str:
    day = last_date(results)
    return f"nothing is held on {day}" if day else "the portfolio is open on none of the dates"


def gain_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return P&L by position and by factor."""
    body = [_by_position(results), attribution_figure(results, axis), _parts(results)]
    return Section("pnl", "P&L", "Where the P&L comes from", join(body))


def _by_position(results: PortfolioResults) -> Html:
    frame, unit = results.tables["position_pnl"], money(results)
    words = meanings("pnl")
    if not frame.height:
        return figure("By position", unavailable(_nothing_traded(results)), "", words)
    chosen = frame.head(MOST_GAINS)
    largest = max((abs(v) for v in (finite(x) for x in frame["pnl"]) if v is not None), default=0.0)
    columns = (
        Column("Symbol", "symbol"),
        Column(f"P&L, {unit}", "pnl", AMOUNT),
        Column("", "bar"),
        Column(f"Dividends, {unit}", "dividends", AMOUNT),
        Column("Dates", "n_dates", COUNT),
        Column("First", "first"),
        Column("Last", "last"),
        Column("Held", "held"),
    )
    rows = [
        row
        | {
            "bar": cell_bar(finite(row["pnl"]), largest),
            "held": "at the end" if row["is_held"] else "no longer",
        }
        for row in chosen.iter_rows(named=True)
    ]
    drawn = table("P&L by position", columns, {"": rows}, _NO_GAINS, "sortable")
    caption = _listed(len(rows), frame.height, "symbols", "largest by P&L")
    body = join([drawn, tag("h4", "Together"), _sources(results)])
    return figure("By position", body, f"{caption} {_skipped(results)}", words)


def _sources(results: PortfolioResults) -> Html:
    rows: list[Row] = [
        {"source": label_of(row["source"]), "pnl": row["pnl"]}
        for row in results.tables["pnl_sources"].iter_rows(named=True)
    ]
    columns = (Column("Source", "source"), Column(f"P&L, {money(results)}", "pnl", AMOUNT))
    drawn = table("Positions and the rest of the P&L", columns, {"": rows}, _NO_GAINS, "narrow")
    return join([drawn, adds_up(results.tables["pnl_sources"])])


def _skipped(results: PortfolioResults) -> str:
    """Return on how many dates gains of positions are not known."""
    known = max(results.tables["pnl_sources"]["n_dates"].to_list(), default=0)
    dates = results.tables["snapshots"].height
    if known >= dates:
        return ""
    return f"Gains are known on {known:,} of {dates:,} dates. Of the others, {_NO_GAINS}."


def _nothing_traded(results: PortfolioResults) -> str:
    if last_date(results) is None:
        return "the portfolio is open on none of the dates"
    return "nothing was held or traded on any of the dates"


def _parts(results: PortfolioResults) -> Html:
    frame = results.tables["attribution_total"]
    if not frame["pnl"].count() if frame.height else True:
        return note("Parts over all dates: not available.")
    sizes = frame.filter(~pl.col("part").is_in(_TOTALS))["pnl"]
    largest = max((abs(v) for v in (finite(x) for x in sizes) if v is not None), default=0.0)
    rows = [
        {
            "part": label_of(row["part"]),
            "pnl": row["pnl"],
            "bar": Html() if row["part"] in _TOTALS else cell_bar(finite(row["pnl"]), largest),
        }
        for row in frame.iter_rows(named=True)
    ]
    columns = (
        Column("Part", "part"),
        Column(f"P&L, {money(results)}", "pnl", AMOUNT),
        Column("", "bar"),
    )
    drawn = table("P&L by factor over all dates", columns, {"": rows}, "", "narrow")
    body = join([drawn, adds_up(frame)])
    caption = "Over the dates that have parts."
    return figure("Parts over all dates", body, caption, Html())
