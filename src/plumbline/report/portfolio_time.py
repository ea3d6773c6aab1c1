"""Figures of one portfolio through time."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple, final

import polars as pl

from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, figure
from plumbline.report.portfolio_words import (
    basis,
    definitions,
    figure_table,
    label_of,
    meanings,
    note,
    reason,
    unavailable,
)
from plumbline.report.timeplot import VALUE_BUDGET, Line, TimeAxis, TimePlot, time_plot
from plumbline.report.values import COUNT, RATIO, RETURN, Style, finite_column, with_unit
from plumbline.stages.portfolio_results import PortfolioResults

SERIES: Final = "portfolio"
"""The table of which all series of a page are."""

_N_SERIES: Final = 60  # that a page may draw at most
_SCALES: Final = ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands"))
_BETAS: Final = ("market_beta", "beta_realised", "rate_beta")
_PARTS: Final = (
    *("pnl", "market", "rates", "styles", "trading", "income", "option_convexity", "residual"),
)


@final
class Panel(NamedTuple):
    """One plot: its name, labels of its lines to their values by date, and how they are written."""

    name: str
    lines: Mapping[str, Mapping[int, float | None]]
    style: Style
    dashed: frozenset[str] = frozenset()
    reason: str = ""


def portfolio_axis(results: PortfolioResults) -> TimeAxis:
    """Return the dates that all plots of a page share."""
    frame = results.tables["snapshots"]
    dates = tuple(frame["date"].drop_nulls().unique().sort().dt.epoch("s").to_list())
    step = max(1, ceil(len(dates) * _N_SERIES / VALUE_BUDGET))
    drawn = dates[(len(dates) - 1) % step :: step] if dates else ()
    return TimeAxis(drawn, step, False, {SERIES: drawn}, {SERIES: len(dates)})


def thinned(axis: TimeAxis) -> str:
    """Return the sentence on dates that are not drawn; empty if all are."""
    if axis.step == 1:
        return ""
    shown, of = len(axis.bars), axis.n_bars[SERIES]
    return f" Drawn: {shown:,} of {of:,} dates, every {axis.step}th, counted from the last."


def by_date(frame: pl.DataFrame, column: str) -> dict[int, float | None]:
    """Return a column by date, seconds since 1970 UTC; empty if it is not there."""
    if column not in frame.columns:
        return {}
    days = frame["date"].dt.epoch("s").to_list()
    return dict(zip(days, finite_column(frame, column), strict=True))


def amounts_style(columns: Sequence[Mapping[int, float | None]]) -> tuple[Style, str]:
    """Return a scale in which amounts are short, and its name."""
    sizes = [abs(v) for values in columns for v in values.values() if v is not None]
    most = max(sizes, default=0.0)
    for size, word in _SCALES:
        if most >= 10 * size:
            return Style(1 / size, 1, "currency"), word
    return Style(1.0, 0, "currency"), ""


def time_panels(panels: Sequence[Panel], axis: TimeAxis, kind: str = "panels") -> Html:
    """Return plots side by side; one date is told in words, and what is missing with its reason."""
    boxes = []
    for panel in panels:
        body = _one_date(panel) if len(axis.bars) < 2 else _plot(panel, axis)
        body = body or unavailable(panel.reason or "there is no value on any date")
        boxes.append(tag("div", tag("p", panel.name, class_="name"), body, class_="panel"))
    return tag("div", *boxes, class_=kind)


def _plot(panel: Panel, axis: TimeAxis) -> Html | None:
    lines = [
        Line(label, _colour(panel, at), values, label in panel.dashed)
        for at, (label, values) in enumerate(panel.lines.items())
    ]
    return time_plot(TimePlot(panel.name, SERIES, lines, panel.style), axis)


def _colour(panel: Panel, at: int) -> str:
    """Return the colour of a line; a dashed one has that of the line before it."""
    labels = list(panel.lines)
    solid = [label for label in labels[: at + 1] if label not in panel.dashed]
    return f"--s{(max(len(solid), 1) - 1) % 8 + 1}"


def _one_date(panel: Panel) -> Html | None:
    """Return last values in words, as a single date makes no line."""
    told = [
        f"{label} {with_unit(there[-1], panel.style)}"
        for label, values in panel.lines.items()
        if (there := [v for v in values.values() if v is not None])
    ]
    if not told:
        return None
    return tag("p", f"One date makes no line: {'; '.join(told)}.", class_="told")


def equity_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return equity, cumulative return and drawdown through time."""
    frame = results.tables["snapshots"]
    equity = {"equity": by_date(frame, "equity")}
    style, scale = amounts_style(list(equity.values()))
    stopped = "returns stopped before the first of the dates, or there is no equity"
    panels = [
        Panel(f"Equity, {money(results, scale)}", equity, style),
        Panel(
            "Cumulative return",
            {"return": by_date(frame, "cumulative")},
            RETURN,
            reason=stopped,
        ),
        Panel("Drawdown", {"drawdown": by_date(frame, "drawdown")}, RETURN, reason=stopped),
    ]
    caption = f"At the close of each session.{thinned(axis)}"
    body = time_panels(panels, axis, "panels three")
    shown = figure("", body, caption, meanings("equity", "cumulative", "drawdown"))
    return Section("equity", "Equity", "Equity and drawdown", shown)


def exposure_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return gross, net, long and short value, and leverage, through time."""
    frame = results.tables["snapshots"]
    lines = {name: by_date(frame, name) for name in ("gross", "net", "long", "short")}
    style, scale = amounts_style(list(lines.values()))
    counts = {
        "held": by_date(frame, "n_positions"),
        "stale": by_date(frame, "n_stale"),
        "unpriced": by_date(frame, "n_unpriced"),
    }
    panels = [
        Panel(f"Market value, {money(results, scale)}", lines, style),
        Panel(
            "Leverage",
            {"leverage": by_date(frame, "leverage")},
            RATIO,
            reason="equity is not above 0 on any date",
        ),
        Panel("Positions", counts, COUNT),
    ]
    caption = (
        "Positions are counted; a stale one has a price of an earlier session, an unpriced one is "
        f"carried at an old value.{thinned(axis)}"
    )
    body = time_panels(panels, axis, "panels three")
    shown = figure("", body, caption, meanings("gross", "net", "leverage", "carried"))
    return Section("exposures", "Exposures", "Exposures through time", shown)


def beta_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return betas to market, rates and styles through time and on the last date."""
    styles = _figures_of(results, "style_ridge")
    spreads = _figures_of(results, "style_spread")
    panels = [
        _betas_with_bands(results),
        _figures_panel(results, "Style funds, all at once", styles, "style_"),
        _figures_panel(results, "Spreads, one at a time", spreads, "spread_"),
    ]
    caption = (
        "Solid: betas; dashed: two standard errors up and down, where there is one. Style funds "
        f"hold the market too: never add them to a market beta.{thinned(axis)}"
    )
    analytics = ["market_beta", "beta_realised", "rate_beta", "style_ridge", "style_spread"]
    shown = figure(
        "", time_panels(panels, axis, "panels three"), caption, definitions(results, analytics)
    )
    listed = figure_table(results, "Betas on the last date", [*_BETAS, *styles, *spreads])
    told = figure("On the last date", listed, "Ratios of returns.", Html())
    return Section("betas", "Betas", "Betas", join([shown, told]))


def risk_section(results: PortfolioResults, axis: TimeAxis) -> Section:
    """Return value at risk, expected shortfall and volatility, through time and at the end."""
    tails = [n for n in _figures_of(results, "tail") if n.startswith(("var_", "es_"))]
    volatilities = [
        n for n in _figures_of(results, "volatility") if not n.endswith(("percentile", "trend"))
    ]
    panels = [
        _figures_panel(results, "Loss of a day, of equity", tails, "", RETURN),
        _figures_panel(
            results, "Volatility a year, of equity", volatilities, "volatility_", RETURN
        ),
    ]
    caption = (
        "Of the returns that the weights of each date would have had over the window before it: "
        "VaR is the loss that 5 % or 1 % of days exceed, ES the mean of those, both positive."
        f"{thinned(axis)}"
    )
    words = definitions(results, ["tail", "volatility"])
    shown = figure("", time_panels(panels, axis), caption, words)
    names = [*_figures_of(results, "tail"), *_figures_of(results, "volatility")]
    listed = figure_table(results, "Risk on the last date", names)
    told = figure("On the last date", listed, "Losses are positive.", Html())
    return Section("risk", "Risk", "VaR, expected shortfall, volatility", join([shown, told]))


def attribution_figure(results: PortfolioResults, axis: TimeAxis) -> Html:
    """Return cumulative P&L by factor; parts add up to the P&L."""
    frame = results.tables["attribution"]
    lines = {
        label_of(part): by_date(own, "cumulative")
        for part in _PARTS
        if (own := frame.filter(pl.col("part") == part)).height
    }
    style, scale = amounts_style(list(lines.values()))
    dates = frame["date"].n_unique() if frame.height else 0
    all_dates = results.tables["snapshots"].height
    left = f" {all_dates - dates:,} of {all_dates:,} dates have no parts, and are in no sum."
    panel = Panel(
        f"Cumulative P&L, {money(results, scale)}",
        lines,
        style,
        reason=reason(results, "from_market"),
    )
    caption = (
        "Exposure at the close before, times slope, times the factor's return; styles are all "
        "factors beside market and rates, income is dividends and interest less fees."
        f"{left if dates < all_dates else ''}{thinned(axis)}"
    )
    body = join(
        [
            time_panels([panel], axis),
            note(f"Slopes on the last date: {basis(results, 'attribution')}."),
        ]
    )
    return figure("By factor", body, caption, definitions(results, ["attribution"]))


def coverage_figure(results: PortfolioResults, axis: TimeAxis) -> Html:
    """Return the coverage of every analytic through time."""
    frame = results.tables["measures"]
    lines = {name: by_date(frame, f"{name}_coverage") for name in results.words}
    half = (len(lines) + 1) // 2
    names = list(lines)
    panels = [
        Panel(
            "Coverage",
            {name: lines[name] for name in chosen},
            RETURN,
            reason="nothing was measured",
        )
        for chosen in (names[:half], names[half:])
        if chosen
    ]
    caption = (
        "Share of gross exposure that had the data of an analytic; of beta_realised, of the "
        f"window's returns.{thinned(axis)}"
    )
    return figure("Coverage through time", time_panels(panels, axis), caption, Html())


def money(results: PortfolioResults, scale: str = "") -> str:
    """Return the unit of amounts in words."""
    unit = results.currency or "currency"
    return f"{unit} {scale}" if scale else unit


def _figures_of(results: PortfolioResults, analytic: str) -> list[str]:
    return list(results.words[analytic].units) if analytic in results.words else []


def _figures_panel(
    results: PortfolioResults, name: str, figures: Sequence[str], prefix: str, style: Style = RATIO
) -> Panel:
    frame = results.tables["measures"]
    lines = {_line_name(f.removeprefix(prefix)): by_date(frame, f) for f in figures}
    why = reason(results, figures[0]) if figures else "it was not measured"
    return Panel(name, lines, style, reason=why)


def _line_name(figure_name: str) -> str:
    return f"{figure_name} sessions" if figure_name.isdigit() else label_of(figure_name)


def _betas_with_bands(results: PortfolioResults) -> Panel:
    frame, found = results.tables["measures"], results.tables["bands"]
    lines: dict[str, Mapping[int, float | None]] = {}
    dashed: set[str] = set()
    for name in _BETAS:
        lines[label_of(name)] = by_date(frame, name)
        own = found.filter(pl.col("figure") == name)
        for end in ("low", "high") if own.height else ():
            label = f"{label_of(name)}, {end}"
            lines[label] = by_date(own, end)
            dashed.add(label)
    why = reason(results, "market_beta")
    return Panel("Market and rates", lines, RATIO, frozenset(dashed), why)
