"""Parts of a page on whether a signal could be chance: null suite and structural break."""

from collections.abc import Iterable

import polars as pl

from plumbline.report.axes import drawable
from plumbline.report.curve_figures import Band, null_chart
from plumbline.report.ic_sections import statistics
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_bar, by_signal, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import Line, TimeAxis, TimePlot, time_plot
from plumbline.report.values import (
    COUNT,
    IC,
    P_VALUE,
    PLAIN,
    RATIO,
    dates,
    epoch_seconds,
    finite,
    first_row,
    number_text,
    rows_of,
)

_NINETY_FIVE = 1.96  # standard deviations of a normal law to each side


def null_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the observed mean IC against what each null gives."""
    del axis  # every section is called alike
    frame, summary = results.tables["null_suite"], results.tables["summary"]

    def draw(name: str, colour: str) -> Html:
        horizon = results.headline(name)
        observed = drawable(first_row(rows_of(summary, name, horizon)).get("mean_ic"))
        bands = _bands(rows_of(frame, name, horizon))
        if observed is None or not bands:
            return Html()
        label = f"Mean rank IC of {name} at {horizon} bars against its nulls"
        return null_chart(label, bands, observed, colour)

    columns = (
        Column("Horizon, bars", "horizon_bars", COUNT),
        Column("Null", "null"),
        Column("Observed", "observed", IC),
        Column("Mean under the null", "mean", IC),
        Column("SD under the null", "sd", IC),
        Column("p", "p_value", P_VALUE),
        Column("Draws", "n_draws", COUNT),
        Column("Seed", "seed", PLAIN),
    )
    body = by_signal(results, "null_suite", draw)
    if frame.height:
        groups = {n: _null_rows(rows_of(frame, n), rows_of(summary, n)) for n in results.signals}
        reason = results.unavailable.get("null_suite", "")
        numbers = table("Mean rank IC against its nulls", columns, groups, reason)
        body = join([body, tag("details", tag("summary", "Numbers"), numbers)])
    caption = (
        "Mean rank IC at the headline horizon (dot) and what a signal of no worth gives: the mean "
        "under each null plus and minus 1.96 standard deviations (band); no unit."
    )
    shown = figure("", body, caption, convention(results, "null_suite"))
    return Section("nulls", "Nulls", "Against chance", shown)


def null_name(name: object) -> str:
    """Return the name of a null in words."""
    return str(name).replace("_", " ")


def _bands(frame: pl.DataFrame) -> list[Band]:
    found = []
    for row in frame.to_dicts():
        mean, sd = finite(row["mean"]), finite(row["sd"])
        if mean is not None and sd is not None:
            half = _NINETY_FIVE * sd
            beside = f"p {number_text(finite(row['p_value']), P_VALUE)}"
            found.append(Band(null_name(row["null"]), mean - half, mean + half, beside))
    return [b for b in found if drawable(b.low) is not None and drawable(b.high) is not None]


def _null_rows(frame: pl.DataFrame, summary: pl.DataFrame) -> list[dict[str, object]]:
    observed = {row["horizon_bars"]: row["mean_ic"] for row in summary.to_dicts()}
    return [
        row | {"null": null_name(row["null"]), "observed": observed.get(row["horizon_bars"])}
        for row in frame.to_dicts()
    ]


def break_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return where the mean IC is most likely to have changed, and how much."""
    frame = results.tables["breaks"]

    def draw(name: str, colour: str) -> Html:
        horizon = results.headline(name)
        means = by_bar(rows_of(results.tables["ic_rolling"], name, horizon), "mean_ic")
        levels = _levels(means, rows_of(frame, name, horizon))
        if not levels:
            return Html()
        lines = [
            Line("trailing mean", colour, means),
            Line("before and after", "--ink", levels, dashed=True),
        ]
        label = f"Mean rank IC of {name} before and after a break at {horizon} bars"
        return time_plot(TimePlot(label, "ic_rolling", lines, IC), axis) or Html()

    columns = (
        Column("Horizon, bars", "horizon_bars", COUNT),
        Column("Statistic", "statistic", RATIO),
        Column("p", "p_value", P_VALUE),
        Column("Furthest at", "date"),
        Column("Mean IC before", "mean_before", IC),
        Column("after", "mean_after", IC),
        Column("Bars", "n_bars", COUNT),
    )
    body = unavailable(results, "breaks")
    if frame.height:
        dated = frame.with_columns(pl.Series("date", dates(frame["bar_close"]), dtype=pl.String))
        numbers = statistics(results, "breaks", ("Breaks of the mean IC", columns), dated)
        body = join([by_signal(results, "breaks", draw), numbers])
    caption = (
        "Trailing mean of the rank IC at the headline horizon, and its mean before and after the "
        "bar where the path of the test is furthest from zero (dashed); no unit. A mean that is "
        f"the same throughout is rejected where p is small. {axis.note('ic_rolling')}"
    )
    drawn = figure("", body, caption, convention(results, "breaks"))
    return Section("break", "Break", "Does it last", drawn)


def _levels(bars: Iterable[int], frame: pl.DataFrame) -> dict[int, float | None]:
    """Return the mean of the side of the break on which each bar lies; empty without a break."""
    moments, row = epoch_seconds(frame), first_row(frame)
    before, after = row.get("mean_before"), row.get("mean_after")
    if not moments or before is None or after is None:
        return {}
    return {bar: before if bar <= moments[0] else after for bar in bars}
