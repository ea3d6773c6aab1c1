"""Return parts of a page: quantiles and the spread after costs."""

import polars as pl

from plumbline.report import figures as fig
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_bar, by_signal, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import Line, TimeAxis, TimePlot, time_plot
from plumbline.report.values import (
    BPS,
    COUNT,
    P_VALUE,
    PERCENT,
    RATIO,
    finite_column,
    horizons_of,
    rows_of,
)
from plumbline.report.verdict import bars_text, horizon_colour, signal_colour


def quantile_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return quantile returns as bars, a small chart for each horizon, and as a table."""
    del axis  # every section is called alike
    return Section("quantiles", "Quantiles", "Returns by quantile", quantile_figure(results, ""))


def quantile_figure(results: StudyResults, title: str) -> Html:
    """Return quantile returns as bars and as a table under a title."""
    frame = results.tables["quantiles"]
    horizons = horizons_of(frame)

    def draw(name: str, colour: str) -> Html:
        charts = [_quantile_chart(rows_of(frame, name, h), name, h, colour) for h in horizons]
        return tag("div", *charts, class_="multiples") if any(charts) else Html()

    body = by_signal(results, "quantiles", draw)
    columns = (
        Column("Quantile", "quantile", COUNT),
        Column("Horizon, bars", "horizon_bars", COUNT),
        Column("Mean return", "mean_return", BPS),
        Column("Demeaned", "mean_return_demeaned", BPS),
        Column("Observations", "n", COUNT),
    )
    if frame.height:
        order = ["horizon_bars", "quantile"]
        groups = {name: rows_of(frame, name).sort(order).to_dicts() for name in results.signals}
        reason = results.unavailable.get("quantiles", "")
        numbers = table("Forward returns by quantile", columns, groups, reason)
        body = join([body, tag("details", tag("summary", "Numbers"), numbers)])
    caption = (
        "Demeaned mean forward return of each quantile (1 holds the lowest signals), basis points "
        "over the horizon; each chart has its own scale."
    )
    return figure(title, body, caption, convention(results, "quantiles"))


def quantile_history_figure(results: StudyResults, axis: TimeAxis) -> Html:
    """Return the cumulative return of each quantile over time."""
    frame = results.tables["quantile_history"]

    def draw(name: str, _colour: str) -> Html:
        mine = rows_of(frame, name)
        quantiles = sorted({int(q) for q in mine["quantile"].drop_nulls()}) if mine.height else []
        lines = [
            Line(
                f"quantile {q}",
                horizon_colour(i, len(quantiles)),
                by_bar(mine.filter(pl.col("quantile") == q), "cumulative_return"),
            )
            for i, q in enumerate(quantiles)
        ]
        label = f"Cumulative return of each quantile of {name}"
        return time_plot(TimePlot(label, "quantile_history", lines, PERCENT), axis) or Html()

    caption = (
        "Cumulative return of each quantile less that of all, %, before costs. "
        f"{axis.note('quantile_history')}"
    )
    body = by_signal(results, "quantile_history", draw)
    stated = convention(results, "quantile_history")
    return figure("Cumulative return by quantile", body, caption, stated)


def _quantile_chart(frame: pl.DataFrame, name: str, horizon: int, colour: str) -> Html:
    if not frame.height:
        return Html()
    ordered = frame.filter(pl.col("quantile").is_not_null()).sort("quantile")
    names = [f"{int(q)}" for q in ordered["quantile"].to_list()]
    bars = dict(zip(names, finite_column(ordered, "mean_return_demeaned"), strict=True))
    if all(value is None for value in bars.values()):
        return Html()
    label = f"Demeaned mean return of {name} by quantile at {bars_text(horizon)}"
    heading = tag("p", f"{bars_text(horizon)}, ", tag("small", "bps"))
    return tag("div", heading, fig.bar_chart(label, bars, BPS, colour))


def spread_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the spread's statistics, its cumulative return and its drawdown."""
    frame = results.tables["spread_summary"]
    columns = (
        Column("Signal", "signal"),
        Column("Gross a year", "gross_annual", PERCENT),
        Column("Cost a year", "cost_annual", PERCENT),
        Column("Net a year", "net_annual", PERCENT),
        Column("Volatility", "volatility_annual", PERCENT),
        Column("Sharpe, net", "sharpe_net", RATIO),
        Column("HAC t", "t_hac", RATIO),
        Column("p", "p_value", P_VALUE),
        Column("Max drawdown", "max_drawdown", PERCENT),
        Column("Turnover a bar", "mean_turnover", PERCENT),
        Column("Bars", "n_bars", COUNT),
    )
    body = unavailable(results, "spread_summary")
    if frame.height:
        reason = results.unavailable.get("spread_summary", "")
        body = table("Spread of each signal", columns, {"": frame.to_dicts()}, reason)
    caption = (
        "Top against bottom quantile. Returns, costs and volatility are per year, turnover per bar."
    )
    stated = convention(results, "spread_summary")
    shown = figure("By signal", body, caption, stated)
    return Section(
        "spread",
        "Spread",
        "Spread after costs",
        join([shown, _cumulative(results, axis), _drawdown(results, axis)]),
    )


def _cumulative(results: StudyResults, axis: TimeAxis) -> Html:
    frame = results.tables["spread"]
    lines = []
    for index, name in enumerate(results.signals):
        mine, colour = rows_of(frame, name), signal_colour(index)
        lines.append(Line(f"{name}, net", colour, by_bar(mine, "net_cumulative")))
        lines.append(Line(f"{name}, gross", colour, by_bar(mine, "gross_cumulative"), dashed=True))
    plot = time_plot(TimePlot("Cumulative return of the spread", "spread", lines, PERCENT), axis)
    body = plot or unavailable(results, "spread")
    caption = (
        f"Cumulative return, %: net of costs (solid) and gross (dashed). {axis.note('spread')}"
    )
    return figure("Cumulative return", body, caption, convention(results, "spread"))


def _drawdown(results: StudyResults, axis: TimeAxis) -> Html:
    lines = [
        Line(name, signal_colour(i), by_bar(rows_of(results.tables["spread"], name), "drawdown"))
        for i, name in enumerate(results.signals)
    ]
    plot = time_plot(TimePlot("Drawdown of the net spread", "spread", lines, PERCENT), axis)
    body = plot or unavailable(results, "spread")
    caption = f"Fall of the net spread below its highest point so far, %. {axis.note('spread')}"
    return figure("Drawdown", body, caption, convention(results, "drawdown"))
