"""Headline numbers of a portfolio, and what a reader must know before using them."""

from collections.abc import Mapping
from typing import NamedTuple, final

import polars as pl

from plumbline.core.wording import counted
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, figure
from plumbline.report.portfolio_time import coverage_figure, money
from plumbline.report.portfolio_words import (
    analytic_of,
    basis,
    is_part,
    last_date,
    last_row,
    meanings,
    reason,
    share_text,
    unavailable,
)
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import AMOUNT, COUNT, RATIO, RETURN, Style, finite, with_unit
from plumbline.stages.portfolio_results import PortfolioResults


@final
class Card(NamedTuple):
    """A headline number with its name and what stands below it."""

    name: str
    value: float | None
    style: Style
    below: str


def headline_section(results: PortfolioResults) -> Section:
    """Return the headline numbers of the last date, with notices above them."""
    day = last_date(results)
    if day is None:
        why = unavailable("the portfolio is open on none of the dates of the results")
        return Section("headline", "Headline", "Headline", why)
    cards = [_card(card) for card in _cards(results)]
    drawn = tag("dl", *cards, class_="cards wide")
    words = meanings("equity", "pnl", "to date", "drawdown", "leverage")
    body = [*notices(results), figure("", drawn, f"At the close of {day}.", words)]
    return Section("headline", "Headline", f"At the close of {day}", join(body))


def _cards(results: PortfolioResults) -> list[Card]:
    seen, unit = last_row(results, "snapshots"), money(results)

    def of(name: str) -> float | None:
        return finite(seen.get(name))

    stopped = _no_return(seen)
    carried = of("carried")
    held = (
        f"{with_unit(carried, AMOUNT)} carried at old values" if carried else "nothing is carried"
    )
    gained = ", ".join(f"{n} {with_unit(of(n), AMOUNT)}" for n in ("realised", "unrealised"))
    water = of("days_under_water")
    below = f"{water:,.0f} sessions under water" if water is not None and water >= 0 else ""
    return [
        Card(f"Equity, {unit}", of("equity"), AMOUNT, held),
        Card(f"P&L of the day, {unit}", of("pnl"), AMOUNT, gained),
        Card("Return of the day", of("return"), RETURN, stopped),
        Card("Month to date", of("month_to_date"), RETURN, stopped),
        Card("Quarter to date", of("quarter_to_date"), RETURN, stopped),
        Card("Year to date", of("year_to_date"), RETURN, stopped),
        Card("Since it opened", of("cumulative"), RETURN, stopped),
        Card("Drawdown", of("drawdown"), RETURN, stopped or below),
        Card("Leverage", of("leverage"), RATIO, "gross over equity"),
        _measured(results, "Market beta", "market_beta", RATIO),
        _measured(results, "VaR of a day, 95 %", "var_95", RETURN),
        Card("Positions", of("n_positions"), COUNT, _prices(seen)),
    ]


def _measured(results: PortfolioResults, name: str, figure_name: str, style: Style) -> Card:
    value = finite(last_row(results, "measures").get(figure_name))
    if value is None:
        return Card(name, None, style, reason(results, figure_name))
    return Card(name, value, style, basis(results, analytic_of(results, figure_name) or ""))


def _no_return(seen: Mapping[str, object]) -> str:
    if seen.get("is_stopped"):
        return "returns stopped"
    return "" if finite(seen.get("return")) is not None else "no equity to gain on"


def _prices(seen: Mapping[str, object]) -> str:
    stale, unpriced = (finite(seen.get(name)) for name in ("n_stale", "n_unpriced"))
    return f"{stale or 0:,.0f} stale, {unpriced or 0:,.0f} unpriced"


def _card(card: Card) -> Html:
    missing = card.value is None
    text = with_unit(card.value, card.style)
    value = tag("dd", text, class_="value missing" if missing else "value")
    below = tag("dd", card.below, class_="beside") if card.below else Html()
    return tag("div", tag("dt", card.name), value, below)


def notices(results: PortfolioResults) -> list[Html]:
    """Return what a reader must know: nothing held, returns that stopped, old prices, gaps."""
    seen, failures = last_row(results, "snapshots"), results.tables["failures"]
    told: list[Html | str] = []
    if not finite(seen.get("n_positions")):
        told.append("Nothing is held: figures of weights are not available.")
    equity = finite(seen.get("equity"))
    if equity is not None and equity <= 0:
        told.append("Equity is not above 0: there are no weights, no leverage and no returns.")
    if seen.get("is_stopped"):
        told.append(_stopped(results))
    stale, unpriced = (finite(seen.get(name)) or 0 for name in ("n_stale", "n_unpriced"))
    if stale:
        told.append(f"Positions with a price of an earlier session: {stale:,.0f}.")
    if unpriced:
        told.append(
            f"Positions carried at an old value, for want of a recent price: {unpriced:,.0f}, "
            f"together {with_unit(finite(seen.get('carried')), AMOUNT)} {money(results)}."
        )
    partial = [
        f"{name} {share_text(finite(last_row(results, 'measures').get(f'{name}_coverage')))}"
        for name in results.words
        if is_part(results, name)
    ]
    if partial:
        told.append(f"Figures that rest on part of the book: {', '.join(partial)}.")
    if failures.height:
        where = tag("a", "Coverage and failures", href="#quality")
        kinds = f"{counted(failures.height, 'kind')} of failures: see "
        told.append(join([kinds, where, "."]))
    return [tag("p", text, class_="notice") for text in told]


def _stopped(results: PortfolioResults) -> str:
    frame = results.tables["snapshots"]
    first = frame.filter(pl.col("is_stopped"))["date"].to_list()[0]
    return (
        f"Returns stopped on or before {first}: equity of the session before and what was "
        "contributed were 0 or less, so there was nothing to gain on. Cumulative returns and "
        "drawdown are not available from then on."
    )


def quality_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return coverage through time and what failed."""
    body = join([coverage_figure(results, axis), _failures(results)])
    return Section("quality", "Coverage", "Coverage and failures", body)


def _failures(results: PortfolioResults) -> Html:
    frame = results.tables["failures"]
    caption = "An analytic that fails on a date leaves its figures of that date missing."
    if not frame.height:
        none = tag("p", "Nothing failed.", class_="told")
        return figure("Failures", none, caption, Html())
    columns = (
        Column("Analytic", "analytic"),
        Column("Dates", "dates"),
        Column("Reason", "reason"),
    )
    rows = [
        {"analytic": row["analytic"], "reason": row["reason"], "dates": _dates(row)}
        for row in frame.iter_rows(named=True)
    ]
    return figure("Failures", table("What failed", columns, {"": rows}), caption, Html())


def _dates(row: Mapping[str, object]) -> str:
    n = finite(row["n_dates"])
    if n is None:
        return "all"
    return f"{row['first']}" if n == 1 else f"{n:,.0f}, {row['first']} to {row['last']}"
