"""The page of one portfolio: one self-contained HTML text that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Final

from plumbline.report.document import Document, document
from plumbline.report.figures import cell_bar
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, figure
from plumbline.report.portfolio_pairs import pair_section
from plumbline.report.portfolio_positions import gain_section, position_section
from plumbline.report.portfolio_summary import headline_section, quality_section
from plumbline.report.portfolio_time import (
    beta_section,
    equity_section,
    exposure_section,
    money,
    portfolio_axis,
    risk_section,
)
from plumbline.report.portfolio_words import (
    basis,
    covered_text,
    dates_of,
    definitions,
    figure_table,
    last_date,
    last_rows,
    no_rows,
    unavailable,
)
from plumbline.report.risk_figures import row_bars
from plumbline.report.tables import Column, Row, table
from plumbline.report.values import AMOUNT, RETURN, finite
from plumbline.stages.portfolio_results import PortfolioResults, ResultOrigin

_SIDES: Final = ("net", "long", "short", "gross", "tilt")
_IN_SECTIONS: Final = (
    *("market_beta", "beta_realised", "rate_beta", "style_ridge", "style_spread"),
    *("tail", "volatility", "correlation", "sector", "stress"),
)
_NOT_RECORDED: Final = "not recorded"


def portfolio_page(results: PortfolioResults, twin: str = "", index: str = "") -> str:
    """Return the report of a portfolio as HTML: equal results give equal text.

    Parameters
    ----------
    results : the portfolio; see ``PortfolioResults`` for units.
    twin : name of the file with its JSON twin, if there is one beside it.
    index : address of the page of all portfolios, to which the page then leads.

    Returns
    -------
    One HTML document, as :func:`plumbline.report.document.document` makes it. Numbers are rounded
    for the eye and missing ones are said to be missing; the twin has them at full precision.
    """
    axis = portfolio_axis(results)
    sections = [headline_section(results)]
    if last_date(results) is not None:
        sections += [
            equity_section(results, axis),
            exposure_section(results, axis),
            position_section(results),
            gain_section(results, axis),
            beta_section(results, axis),
            _sector_section(results),
            pair_section(results),
            risk_section(results, axis),
            _stress_section(results),
            *_rest(results),
            quality_section(results, axis),
        ]
    facts = [*_facts(results)]
    if index:
        facts.append(tag("a", "all portfolios", href=index))
    page = Document("Portfolio", results.name, facts, sections, _footer(results, twin))
    return document(page, axis.block())


def _facts(results: PortfolioResults) -> list[str]:
    dates = dates_of(results)
    span = [f"{dates[0]} to {dates[-1]}, {len(dates):,} dates"] if dates else []
    if len(dates) == 1:
        span = [f"{dates[0]}, one date"]
    named = [results.portfolio] if results.portfolio != results.name else []
    owner = [f"owner {results.owner}"] if results.owner else []
    return [*named, *owner, *([results.currency] if results.currency else []), *span]


def _sector_section(results: PortfolioResults) -> Section:
    rows = last_rows(results, "sectors").to_dicts()
    day = last_date(results)
    words = definitions(results, ["sector"])
    units = results.words["sector"].units if "sector" in results.words else {}
    listed = figure_table(results, "Concentration", list(units)) if units else Html()
    told = figure("Concentration", listed, f"On {day}.", Html())
    if not rows:
        why = unavailable(no_rows(results, "herfindahl"))
        body = figure("", why, "", words)
    else:
        body = figure("", _sectors(rows), _sector_caption(results, rows), words)
    return Section("sectors", "Sectors", f"Sectors on {day}", join([body, told]))


def _sectors(rows: Sequence[Row]) -> Html:
    net = {str(row["sector"]): finite(row["net"]) for row in rows}
    label = "Net weight of each sector, of equity"
    drawn = tag("div", row_bars(label, "net weight, %", net, RETURN), class_="panel by-row")
    columns = [Column("Sector", "sector"), *(Column(side.title(), side, RETURN) for side in _SIDES)]
    cells = [
        {"sector": row["sector"]} | {side: finite(row[side]) for side in _SIDES} for row in rows
    ]
    why = "no weights of a benchmark's sectors were given, so there is no tilt"
    shaded = table("Weights by sector", columns, {"": cells}, why)
    return tag("div", drawn, tag("div", shaded, class_="panel"), class_="panels")


def _sector_caption(results: PortfolioResults, rows: Sequence[Row]) -> str:
    return (
        f"Weights of {len(rows)} sectors, of equity; options on their underlying. Tilt is net less "
        f"the benchmark's weight. They rest on {basis(results, 'sector')}."
    )


def _stress_section(results: PortfolioResults) -> Section:
    frame = last_rows(results, "stress").sort("pnl", nulls_last=True, maintain_order=True)
    words = definitions(results, ["stress"])
    listed = figure_table(results, "Worst scenario", ["stress_worst"])
    if not frame.height:
        shown = figure("", unavailable(no_rows(results, "stress_worst")), "", words)
        return Section("stress", "Stress", "Stress", shown)
    sizes = [finite(value) for value in frame["pnl"]]
    largest = max((abs(v) for v in sizes if v is not None), default=0.0)
    columns = (
        Column("Scenario", "scenario"),
        Column(f"P&L, {money(results)}", "pnl", AMOUNT),
        Column("P&L of equity", "share", RETURN),
        Column("", "bar"),
        Column("Coverage", "covered"),
    )
    rows = [
        row
        | {
            "bar": cell_bar(finite(row["pnl"]), largest),
            "covered": covered_text(finite(row["coverage"])),
        }
        for row in frame.to_dicts()
    ]
    drawn = table("P&L in scenarios", columns, {"": rows}, no_rows(results, "stress_worst"))
    caption = (
        f"On {last_date(results)}, worst first. Coverage is the share of gross exposure that has "
        "slopes or a value in the scenario; the rest stands still."
    )
    body = join([figure("", drawn, caption, words), listed])
    return Section("stress", "Stress", "Stress", body)


def _rest(results: PortfolioResults) -> list[Section]:
    """Return the figures of analytics that no part before shows."""
    names = [name for name in results.words if name not in (*_IN_SECTIONS, "attribution")]
    if not names:
        return []
    shown = [
        figure(
            name,
            figure_table(results, name, list(results.words[name].units)),
            f"On {last_date(results)}.",
            definitions(results, [name]),
        )
        for name in names
    ]
    return [Section("further", "Further", "Further figures", join(shown))]


def _footer(results: PortfolioResults, twin: str) -> Html:
    return result_footer(results.provenance, twin, _span(results))


def _span(results: PortfolioResults) -> Mapping[str, str]:
    dates = dates_of(results)
    if not dates:
        return {"Dates": "none"}
    return {"Dates": f"{dates[0]} to {dates[-1]}, {len(dates):,} sessions measured"}


def result_footer(origin: ResultOrigin | None, twin: str, facts: Mapping[str, str]) -> Html:
    """Return run, store, code and versions, and where the numbers stand at full precision.

    Parameters
    ----------
    origin : None for results that no run made.
    twin : name of the file with the JSON twin, or an empty text.
    facts : what else is told, by name.
    """
    place = f", {twin} beside it," if twin else ""
    told = tag("p", f"The JSON twin of this page{place} holds every table at full precision.")
    if origin is None:
        given = {"Run": "measured in memory: no run is recorded"}
    else:
        versions = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
        given = {
            "Run": origin.run_id or _NOT_RECORDED,
            "Finished": origin.finished or _NOT_RECORDED,
            "Store": origin.store or _NOT_RECORDED,
            "Code": origin.code or _NOT_RECORDED,
            "Versions": versions or _NOT_RECORDED,
        }
    terms = [
        tag("div", tag("dt", key), tag("dd", text)) for key, text in {**facts, **given}.items()
    ]
    listed = tag("dl", *terms, class_="facts-list")
    return tag("footer", tag("h2", "Provenance"), listed, told, id="provenance")
