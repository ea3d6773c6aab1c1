"""Parts of a page on trading a signal: turnover, how long ranks last, capacity."""

import polars as pl

from plumbline.report.axes import drawable
from plumbline.report.curve_figures import Curve, capital_chart, legend
from plumbline.report.figures import bar_chart
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_signal, convention, figure
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import (
    COUNT,
    MISSING,
    PERCENT,
    RATIO,
    capital_text,
    finite,
    finite_column,
    horizons_of,
    rows_of,
)
from plumbline.report.verdict import bars_text


def turnover_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return turnover by quantile and the autocorrelation of ranks, by horizon."""
    del axis  # every section is called alike
    body = [_turnover(results), _autocorrelation(results)]
    return Section("turnover", "Turnover", "Turnover", join(body))


def _turnover(results: StudyResults) -> Html:
    frame = results.tables["turnover"]

    def draw(name: str, colour: str) -> Html:
        charts = [
            _turnover_chart(rows_of(frame, name, h), name, h, colour) for h in horizons_of(frame)
        ]
        return tag("div", *charts, class_="multiples") if any(charts) else Html()

    caption = (
        "Share of a quantile's assets that were not in it the horizon before, %; mean over bars; "
        "each chart has its own scale."
    )
    body = by_signal(results, "turnover", draw)
    return figure("By quantile", body, caption, convention(results, "turnover"))


def _turnover_chart(frame: pl.DataFrame, name: str, horizon: int, colour: str) -> Html:
    if not frame.height:
        return Html()
    ordered = frame.filter(pl.col("quantile").is_not_null()).sort("quantile")
    names = [f"{int(q)}" for q in ordered["quantile"].to_list()]
    bars = dict(zip(names, finite_column(ordered, "mean_turnover"), strict=True))
    if all(value is None for value in bars.values()):
        return Html()
    label = f"Turnover of {name} by quantile over {bars_text(horizon)}"
    heading = tag("p", f"{bars_text(horizon)}, ", tag("small", "%"))
    return tag("div", heading, bar_chart(label, bars, PERCENT, colour))


def _autocorrelation(results: StudyResults) -> Html:
    frame = results.tables["rank_autocorrelation"]
    columns = (
        Column("Horizon, bars", "horizon_bars", COUNT),
        Column("Rank autocorrelation", "mean_autocorrelation", RATIO),
        Column("Bars", "n_bars", COUNT),
    )
    reason = results.unavailable.get("rank_autocorrelation", "")

    def draw(name: str, _colour: str) -> Html:
        mine = rows_of(frame, name)
        caption = f"Rank autocorrelation of {name}"
        return table(caption, columns, {"": mine.to_dicts()}, reason) if mine.height else Html()

    caption = (
        "Correlation of a bar's ranks with those of the horizon before, mean over bars; no unit. "
        "Near 1, ranks last and trading is slow."
    )
    body = by_signal(results, "rank_autocorrelation", draw)
    stated = convention(results, "rank_autocorrelation")
    return figure("Rank autocorrelation", body, caption, stated)


def capacity_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return what the spread returns a year at growing capital."""
    del axis  # every section is called alike
    frame = results.tables["capacity"]
    columns = (
        Column("Capital, USD", "capital"),
        Column("Gross a year", "gross_annual", PERCENT),
        Column("Cost a year", "cost_annual", PERCENT),
        Column("Impact a year", "impact_annual", PERCENT),
        Column("Net a year", "net_annual", PERCENT),
        Column("Participation", "participation", PERCENT),
    )
    reason = results.unavailable.get("capacity", "")

    def draw(name: str, colour: str) -> Html:
        mine = rows_of(frame, name)
        if not mine.height:
            return Html()
        mine = mine.sort("capital_usd")
        curves = _curves(mine, colour)
        chart = capital_chart(f"Capacity of {name}, a year", curves, PERCENT)
        rows = [r | {"capital": capital_text(finite(r["capital_usd"]))} for r in mine.to_dicts()]
        numbers = table(f"Returns of {name} by capital", columns, {"": rows}, reason)
        told = tag("p", zero_crossing(mine), class_="told")
        drawn = [legend(curves), chart] if chart else []
        return join([told, *drawn, numbers])

    caption = (
        "Return of the spread a year, % of the capital of one side, after costs and market "
        "impact that grows with capital. Participation: mean share of an asset's traded value."
    )
    body = by_signal(results, "capacity", draw)
    return Section(
        "capacity",
        "Capacity",
        "Capacity",
        figure("", body, caption, convention(results, "capacity")),
    )


def _curves(frame: pl.DataFrame, colour: str) -> list[Curve]:
    given = {
        "net": ("net_annual", colour, False),
        "gross": ("gross_annual", colour, True),
        "impact": ("impact_annual", "--soft", True),
    }
    capitals = finite_column(frame, "capital_usd")
    found = []
    for name, (column, line, dashed) in given.items():
        pairs = zip(capitals, finite_column(frame, column), strict=True)
        points = [
            (x, y)
            for x, y in pairs
            if x is not None and x > 0 and y is not None and drawable(y, PERCENT.scale) is not None
        ]
        found.append(Curve(name, line, points, dashed))
    return [curve for curve in found if curve.points]


def capacity_of(frame: pl.DataFrame) -> tuple[float | None, float | None]:
    """Return the largest capital up to which net is above zero, and the next one if any.

    The first is 0 if the least capital of the curve has no net return above zero, and None if
    there is no curve.
    """
    pairs = sorted(
        (x, y)
        for x, y in zip(
            finite_column(frame, "capital_usd"), finite_column(frame, "net_annual"), strict=True
        )
        if x is not None and y is not None
    )
    if not pairs:
        return None, None
    good = 0.0
    for capital, net in pairs:
        if net <= 0:
            return good, capital
        good = capital
    return good, None


def zero_crossing(frame: pl.DataFrame) -> str:
    """Return in words between which capitals of the curve net return falls to zero."""
    good, bad = capacity_of(frame)
    if good is None:
        return f"Capacity: {MISSING}."
    if bad is None:
        return f"Net stays above zero up to {capital_text(good)} USD, the largest capital tried."
    if not good:
        return f"Net is not above zero at {capital_text(bad)} USD, the least capital tried."
    return f"Net falls to zero between {capital_text(good)} and {capital_text(bad)} USD."
