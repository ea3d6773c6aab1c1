"""IC parts of a page: statistics, over time, distribution, years, decay."""

from collections.abc import Sequence

import polars as pl

from plumbline.report import figures as fig
from plumbline.report.distribution_figures import bins_of, histogram_chart, normal_chart
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_bar, by_signal, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, missing_note, number_cell, scrolling, table
from plumbline.report.timeplot import Line, TimeAxis, TimePlot, time_plot
from plumbline.report.values import (
    COUNT,
    IC,
    MEAN_COUNT,
    P_VALUE,
    PERCENT,
    RATIO,
    finite,
    finite_column,
    first_row,
    horizons_of,
    rows_of,
)
from plumbline.report.verdict import bars_text, horizon_colour


def summary_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the table of IC statistics, the trailing means and the distribution of IC by bar."""
    body = [summary_figure(results), rolling_figure(results, axis), distribution_figure(results)]
    return Section("ic", "IC", "Information coefficient", join(body))


_STATISTICS = (
    Column("Horizon, bars", "horizon_bars", COUNT),
    Column("Mean IC", "mean_ic", IC),
    Column("SD", "sd_ic", IC),
    Column("ICIR", "icir", RATIO),
    Column("HAC t", "t_hac", RATIO),
    Column("± critical", "critical_5pct", RATIO),
    Column("p", "p_value", P_VALUE),
    Column("Lag, bars", "lag_bars", COUNT),
)
_BARS = Column("Bars", "n_bars", COUNT)


def summary_figure(results: StudyResults) -> Html:
    """Return the statistics of the rank IC by horizon."""
    columns = (
        *_STATISTICS,
        Column("Hit rate", "hit_rate", PERCENT),
        _BARS,
        Column("Assets a bar", "mean_n_assets", MEAN_COUNT),
    )
    shown = ("Rank IC of each signal at each horizon", columns)
    body = statistics(results, "summary", shown, results.tables["summary"])
    caption = (
        "IC: Spearman rank correlation, no unit. Hit rate: share of bars with an IC above zero."
    )
    return figure("By horizon", body, caption, convention(results, "summary"))


def pearson_figure(results: StudyResults) -> Html:
    """Return the statistics of the Pearson IC by horizon."""
    shown = ("Pearson IC of each signal at each horizon", (*_STATISTICS, _BARS))
    body = statistics(results, "pearson", shown, results.tables["pearson"])
    caption = "The same for the Pearson correlation of values, which large ones weigh on; no unit."
    return figure("Pearson IC by horizon", body, caption, convention(results, "pearson"))


def statistics(
    results: StudyResults, part: str, shown: tuple[str, Sequence[Column]], frame: pl.DataFrame
) -> Html:
    """Return a table of one part under a caption, its rows by signal; without rows, why."""
    if not frame.height:
        return unavailable(results, part)
    groups = {name: rows_of(frame, name).to_dicts() for name in results.signals}
    if len(groups) == 1:
        groups = {"": next(iter(groups.values()))}
    return table(*shown, groups, results.unavailable.get(part, ""))


def bars_figure(results: StudyResults, axis: TimeAxis) -> Html:
    """Return the rank IC of every bar at the headline horizon under its trailing means."""
    ic, rolling = results.tables["ic"], results.tables["ic_rolling"]

    def draw(name: str, colour: str) -> Html:
        horizon = results.headline(name)
        mine, means = rows_of(ic, name, horizon), rows_of(rolling, name, horizon)
        lines = [
            Line("each bar", "--faint", by_bar(mine, "rank_ic")),
            Line("trailing mean", colour, by_bar(means, "mean_ic")),
            Line("of Pearson IC", colour, by_bar(means, "mean_pearson_ic"), dashed=True),
        ]
        shown = [line for line in lines if any(v is not None for v in line.values.values())]
        plot = TimePlot(f"Rank IC of {name} at {horizon} bars", "ic", shown, IC)
        return time_plot(plot, axis) or Html()

    caption = (
        "Rank IC of each bar at the headline horizon (faint), its trailing mean and that of the "
        f"Pearson IC (dashed); no unit. {axis.note('ic')}"
    )
    body = by_signal(results, "ic", draw)
    return figure("By bar", body, caption, convention(results, "ic"))


def rolling_figure(results: StudyResults, axis: TimeAxis) -> Html:
    """Return the trailing mean of the rank IC, a line for each horizon."""
    frame = results.tables["ic_rolling"]
    horizons = horizons_of(frame)

    def draw(name: str, _colour: str) -> Html:
        lines = [
            Line(
                bars_text(h),
                horizon_colour(i, len(horizons)),
                by_bar(rows_of(frame, name, h), "mean_ic"),
            )
            for i, h in enumerate(horizons)
        ]
        plot = TimePlot(f"Trailing mean rank IC of {name}", "ic_rolling", lines, IC)
        return time_plot(plot, axis) or Html()

    body = by_signal(results, "ic_rolling", draw)
    caption = f"Trailing mean of rank IC, one line a horizon; no unit. {axis.note('ic_rolling')}"
    return figure("Over time", body, caption, convention(results, "ic_rolling"))


def distribution_figure(results: StudyResults) -> Html:
    """Return the histogram of the rank IC by bar at the headline horizon."""
    frame = results.tables["ic_histogram"]

    def draw(name: str, colour: str) -> Html:
        horizon = results.headline(name)
        mean = first_row(rows_of(results.tables["summary"], name, horizon)).get("mean_ic")
        label = f"Rank IC of {name} by bar at {horizon} bars"
        return histogram_chart(label, bins_of(rows_of(frame, name, horizon)), mean, colour)

    caption = (
        "Number of bars by rank IC at the headline horizon. The upright line is the mean IC of "
        "the table above."
    )
    body = by_signal(results, "ic_histogram", draw)
    return figure("Distribution by bar", body, caption, convention(results, "ic_histogram"))


def normality_figure(results: StudyResults) -> Html:
    """Return the distribution of the rank IC against the normal one."""
    frame = results.tables["ic_histogram"]

    def draw(name: str, colour: str) -> Html:
        horizon = results.headline(name)
        row = first_row(rows_of(results.tables["summary"], name, horizon))
        label = f"Rank IC of {name} against a normal distribution at {horizon} bars"
        bins = bins_of(rows_of(frame, name, horizon))
        return normal_chart(label, bins, row.get("mean_ic"), row.get("sd_ic"), colour)

    caption = (
        "Share of bars with a rank IC below each edge of the bins above, on normal probability "
        "paper: a normal distribution is a straight line. Dashed: the normal distribution of the "
        "mean and SD of the table above."
    )
    body = by_signal(results, "ic_histogram", draw)
    return figure("Against the normal distribution", body, caption, Html())


def year_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the heat tables of IC by year."""
    del axis  # every section is called alike
    return Section("years", "Years", "IC by year", year_figure(results, ""))


def year_figure(results: StudyResults, title: str) -> Html:
    """Return the heat tables of IC by year under a title."""
    frame = results.tables["ic_by_year"]
    sizes = [abs(v) for v in finite_column(frame, "mean_ic") if v is not None]
    largest = max(sizes, default=0.0)

    def draw(name: str, _colour: str) -> Html:
        mine = rows_of(frame, name)
        return _heat_table(results, name, mine, largest) if mine.height else Html()

    caption = (
        "Mean rank IC of the bars of a year, no unit; shaded by sign and size, darkest at the "
        "largest of all signals. The last column counts the bars of the first horizon."
    )
    body = by_signal(results, "ic_by_year", draw)
    return figure(title, body, caption, convention(results, "ic_by_year"))


def _heat_table(results: StudyResults, name: str, frame: pl.DataFrame, largest: float) -> Html:
    horizons = horizons_of(frame)
    cells = {(row["year"], row["horizon_bars"]): row for row in frame.to_dicts()}
    years = sorted({int(year) for year in frame["year"].drop_nulls().to_list()})
    heads = [f"{horizon}" for horizon in horizons]
    head = [tag("th", text, scope="col", class_="num") for text in (*heads, "bars")]
    lines = []
    for year in years:
        row = [cells.get((year, horizon), {}) for horizon in horizons]
        means = [finite(cell.get("mean_ic")) for cell in row]
        shaded = [number_cell(mean, IC, **fig.heat_style(mean, largest)) for mean in means]
        counted = number_cell(finite(row[0].get("n_bars")) if row else None, COUNT)
        lines.append(tag("tr", tag("th", f"{year}", scope="row"), *shaded, counted))
    caption = f"Mean rank IC of {name} by year and horizon in bars"
    drawn = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("th", "Year", scope="col"), *head)),
        tag("tbody", *lines),
    )
    note = missing_note(drawn, results.unavailable.get("ic_by_year", ""))
    return join([scrolling(drawn, caption), note])


def decay_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return mean IC with intervals over horizons."""
    del axis  # every section is called alike
    frame, bootstrap = results.tables["decay"], results.tables["bootstrap"]
    ends = [v for key in ("mean_ic", "lower", "upper") for v in finite_column(frame, key)]
    ends += [v for key in ("lower", "upper") for v in finite_column(bootstrap, key)]
    span = (
        min((v for v in ends if v is not None), default=0.0),
        max((v for v in ends if v is not None), default=0.0),
    )

    def draw(name: str, colour: str) -> Html:
        points = intervals(rows_of(frame, name), rows_of(bootstrap, name))
        if all(point.mean is None for point in points):
            return Html()
        label = f"Mean rank IC of {name} over horizons with 95 % intervals"
        return fig.interval_chart(label, points, span, colour)

    body = by_signal(results, "decay", draw)
    caption = (
        "Mean rank IC (dot) with its 95 % interval at each horizon; no unit, one scale for all "
        "signals. "
    )
    if bootstrap.height:
        caption += "Grey, to the left: the bootstrap interval."
    else:
        body = join([body, unavailable(results, "bootstrap")])
    stated = join([convention(results, "decay"), convention(results, "bootstrap")])
    shown = figure("", body, caption, stated)
    return Section("decay", "Decay", "Decay over horizons", shown)


def intervals(decay: pl.DataFrame, bootstrap: pl.DataFrame) -> list[fig.Interval]:
    """Return the intervals by horizon in rising order, those of the bootstrap beside."""
    others = {row["horizon_bars"]: row for row in bootstrap.to_dicts()}
    found = []
    for row in decay.to_dicts():
        if row["horizon_bars"] is not None:
            mean, lower, upper = (finite(row[key]) for key in ("mean_ic", "lower", "upper"))
            other = others.get(row["horizon_bars"], {})
            ends = finite(other.get("lower")), finite(other.get("upper"))
            found.append(fig.Interval(row["horizon_bars"], mean, lower, upper, *ends))
    return sorted(found, key=lambda point: point.horizon_bars)
