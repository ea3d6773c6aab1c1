"""What the page of a portfolio says of its figures: what they rest on, or why they are missing."""

from collections.abc import Mapping, Sequence
from datetime import date
from math import isclose
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from plumbline.report.markup import Html, join, tag
from plumbline.report.tables import Column, Row, table
from plumbline.report.values import (
    AMOUNT,
    BPS,
    MISSING,
    PERCENT,
    RETURN,
    Style,
    finite,
    number_text,
    with_unit,
)
from plumbline.stages.portfolio_results import PortfolioResults

FIGURE: Final = Style(1.0, 3)

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "equity": "Cash and market value.",
        "pnl": (
            "Change of value less the net cost of trades, with dividends and interest, less fees."
        ),
        "return": "P&L over the equity of the session before and what was contributed.",
        "to date": (
            "Time-weighted, since the last session of the month, quarter or year before, or since "
            "the portfolio opened."
        ),
        "cumulative": "Time-weighted, since the portfolio opened.",
        "drawdown": "Below the highest cumulative return up to the date, 0 or negative.",
        "gross": "Long less short market value.",
        "net": "Long and short market value together.",
        "leverage": "Gross over equity.",
        "exposure": "Value, of an option delta times the value of what it is on.",
        "weight": "Exposure over equity, signed.",
        "price age": "Sessions since the last price; up to ten it is stale.",
        "carried": "Kept at the last value, as there is no price to value by.",
        "unrealised": "Value less what was paid for what is held.",
    }
)
"""One line for each quantity that no analytic defines."""

_SAME: Final = 1e-6
_LABELS: Final = {"sum": "sum of the parts"}
_NAMES: Final = {"pnl": "P&L", "ewma": "EWMA", "har": "HAR"}
_SHORT: Final = {"var": "VaR", "es": "ES"}
_OF_THE_WINDOW: Final = frozenset({"beta_realised"})
_COUNTED: Final = {"sector": "symbols", "correlation": "symbols"}
_OF_A_SERIES: Final = frozenset({"tail", "volatility"})
_SEEN_AS_WHOLE: Final = 0.9995


def last_date(results: PortfolioResults) -> date | None:
    """Return the last date of the results; None if the portfolio is open on none."""
    return max(dates_of(results), default=None)


def dates_of(results: PortfolioResults) -> list[date]:
    """Return the dates of the results, rising."""
    found: list[date] = results.tables["snapshots"]["date"].drop_nulls().to_list()
    return found


def last_row(results: PortfolioResults, name: str) -> Mapping[str, object]:
    """Return the row of a table on the last date; empty if it has none."""
    found = last_rows(results, name)
    return found.row(0, named=True) if found.height else {}


def last_rows(results: PortfolioResults, name: str) -> pl.DataFrame:
    """Return the rows of a table on the last date."""
    return results.tables[name].filter(pl.col("date") == pl.lit(last_date(results), dtype=pl.Date))


def analytic_of(results: PortfolioResults, figure: str) -> str | None:
    """Return the analytic of a figure; None if no analytic has it."""
    return next((name for name, words in results.words.items() if figure in words.units), None)


def label_of(figure: str) -> str:
    """Return a figure's name in words."""
    if figure in _LABELS:
        return _LABELS[figure]
    first, *rest = figure.split("_")
    if first in _SHORT and rest:
        kind = ", ".join(["", *rest[1:]])
        return f"{_SHORT[first]} {rest[0]} %{kind}"
    return " ".join(_NAMES.get(word, word) for word in [first, *rest])


def style_of(unit: str) -> Style:
    """Return how a figure of a unit is written."""
    if unit.startswith("currency"):
        return AMOUNT
    if unit.startswith("return of equity a day"):
        return BPS
    if "fraction" in unit or unit.startswith(("share", "P&L over equity")):
        return RETURN
    return FIGURE


def covered_text(share: float | None) -> str:
    """Return what of gross exposure a figure rests on, for the eye."""
    if share is not None and share >= 1.0 - 1e-9:
        return "the whole book"
    return f"{share_text(share)} of gross exposure"


def share_text(share: float | None) -> str:
    """Return a coverage in per cent; one that only rounds to the whole does not look whole."""
    if share is None:
        return MISSING
    if _SEEN_AS_WHOLE <= share < 1.0 - 1e-9:
        return "over 99.9 %"
    return with_unit(min(share, 1.0), PERCENT)


def is_part(results: PortfolioResults, analytic: str) -> bool:
    """Return whether an analytic's figures of the last date rest on part of the book alone."""
    share = finite(last_row(results, "measures").get(f"{analytic}_coverage"))
    is_of_book = analytic not in _OF_THE_WINDOW
    return is_of_book and share is not None and share < 1.0 - 1e-9


def basis(results: PortfolioResults, analytic: str) -> str:
    """Return what the figures of an analytic rest on, on the last date."""
    row = last_row(results, "measures")
    share, count = (row.get(f"{analytic}_{kind}") for kind in ("coverage", "n_obs"))
    told = []
    if finite(share) is not None:
        of_window = f"{share_text(finite(share))} of the window's returns"
        told = [of_window if analytic in _OF_THE_WINDOW else covered_text(finite(share))]
    n = finite(count)
    if n is not None:
        told.append(f"{n:,.0f} {_COUNTED.get(analytic, 'observations')}")
    return ", ".join(told) or "coverage is not available"


def reason(results: PortfolioResults, figure: str) -> str:
    """Return why a figure is missing on the last date, as the failures say or by what is seen."""
    measures, day = results.tables["measures"], last_date(results)
    analytic = analytic_of(results, figure)
    if day is None:
        return "the portfolio is open on none of the dates"
    for row in results.tables["failures"].iter_rows(named=True):
        if row["analytic"] == analytic and _includes(row, day):
            return f"{analytic} failed: {row['reason']}"
    if figure not in measures.columns:
        return "it was not measured"
    if analytic in _OF_THE_WINDOW:
        return "the portfolio has fewer returns of its own in the window than the fit needs"
    seen = last_row(results, "snapshots")
    if not finite(seen.get("n_positions")):
        return f"nothing is held on {day}"
    equity = finite(seen.get("equity"))
    if equity is None or equity <= 0:
        return "equity is not above 0, so there are no weights"
    return _too_little(results, analytic)


def no_rows(results: PortfolioResults, figure: str) -> str:
    """Return why a table of the last date has no rows, from a figure of the same analytic."""
    if finite(last_row(results, "measures").get(figure)) is None:
        return reason(results, figure)
    return f"the results have no rows of it on {last_date(results)}"


def _too_little(results: PortfolioResults, analytic: str | None) -> str:
    """Return what the data of an analytic lack."""
    row = last_row(results, "measures")
    share = finite(row.get(f"{analytic}_coverage"))
    count = finite(row.get(f"{analytic}_n_obs"))
    if analytic in _OF_A_SERIES and not count:
        return "on too few sessions does 95 % of gross exposure have a return"
    if share == 0:
        return "no part of what is held has the data that it needs"
    if count is not None:
        word = _COUNTED.get(str(analytic), "observations")
        return f"{count:,.0f} {word} are fewer than it needs"
    return "the value is missing or not finite in the results"


def _includes(row: Mapping[str, Any], day: date) -> bool:
    return row["n_dates"] is None or bool(row["first"] <= day <= row["last"])


def figure_table(results: PortfolioResults, caption: str, figures: Sequence[str]) -> Html:
    """Return figures of the last date with standard error, unit, and what they rest on.

    A figure that is missing has the reason in place of what it rests on.
    """
    row = last_row(results, "measures")
    columns = [
        Column("Figure", "figure"),
        Column("Value", "value", FIGURE),
        Column("Unit", "unit"),
        Column("Rests on", "basis"),
    ]
    if any(f"{figure}_stderr" in row for figure in figures):
        columns.insert(2, Column("Standard error", "stderr", FIGURE))
    rows = [_figure_row(results, figure, row) for figure in figures]
    return table(caption, columns, {"": rows}, "the reason stands beside it")


def _figure_row(results: PortfolioResults, figure: str, row: Mapping[str, object]) -> Row:
    analytic = analytic_of(results, figure) or ""
    unit = results.words[analytic].units[figure] if analytic else ""
    style, value = style_of(unit), finite(row.get(figure))
    name = label_of(figure)
    error = finite(row.get(f"{figure}_stderr"))
    made = {"figure": name, "unit": _unit_text(unit, style)}
    if value is None:
        why = f"{MISSING}: {reason(results, figure)}"
        return made | {"value": None, "stderr": Html(), "basis": why}
    given = with_unit(value, style)
    told = Html() if error is None else Html(number_text(error, style))
    return made | {"value": Html(given), "stderr": told, "basis": basis(results, analytic)}


def _unit_text(unit: str, style: Style) -> str:
    return unit.replace(", as a fraction", "") if style is RETURN else unit


def definitions(results: PortfolioResults, analytics: Sequence[str]) -> Html:
    """Return the one line in which each analytic says what it is."""
    given = [
        join([tag("code", name), " ", results.words[name].definition])
        for name in analytics
        if name in results.words
    ]
    return tag("p", join(given, " "), class_="convention")


def meanings(*names: str) -> Html:
    """Return the lines of quantities that no analytic defines."""
    given = [join([tag("code", name), " ", MEANINGS[name]]) for name in names]
    return tag("p", join(given, " "), class_="convention")


def adds_up(frame: pl.DataFrame) -> Html:
    """Return whether the parts of a table add up to its P&L, as a line below it.

    Parameters
    ----------
    frame : ``pnl`` of parts, then of their sum, then the P&L itself.
    """
    whole, pnl = (finite(value) for value in frame["pnl"].to_list()[-2:])
    if whole is None or pnl is None:
        return Html()
    if isclose(whole, pnl, rel_tol=_SAME, abs_tol=_SAME):
        return note("The parts add up to the P&L.")
    told = f"The parts do not add up to the P&L: {with_unit(whole, AMOUNT)} and not "
    return tag("p", f"{told}{with_unit(pnl, AMOUNT)}.", class_="notice")


def unavailable(text: str) -> Html:
    """Return the line that stands where something cannot be shown."""
    return tag("p", f"Not available: {text}.", class_="unavailable")


def note(text: str) -> Html:
    """Return a line below a figure that says on what part of the book it rests."""
    return tag("p", text, class_="note") if text else Html()
