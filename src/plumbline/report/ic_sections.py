"""IC parts of the factor-research page: statistics, over time, distribution, years, decay."""

import polars as pl

from plumbline.report import figures as fig
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_bar, convention, figure, panels, unavailable
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
from plumbline.report.verdict import bars_text, horizon_colour, signal_colour


def summary_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the table of IC statistics and the distribution of IC by bar."""
    columns = (
        Column("Horizon, bars", "horizon_bars", COUNT),
        Column("Mean IC", "mean_ic", IC),
        Column("SD", "sd_ic", IC),
        Column("ICIR", "icir", RATIO),
        Column("HAC t", "t_hac", RATIO),
        Column("± critical", "critical_5pct", RATIO),
        Column("p", "p_value", P_VALUE),
        Column("Lag, bars", "lag_bars", COUNT),
        Column("Hit rate", "hit_rate", PERCENT),
        Column("Bars", "n_bars", COUNT),
        Column("Assets a bar", "mean_n_assets", MEAN_COUNT),
    )
    frame = results.tables["summary"]
    groups = {name: rows_of(frame, name).to_dicts() for name in results.signals if frame.height}
    if groups:
        caption = "Rank IC of each signal at each horizon"
        body = table(caption, columns, groups, results.unavailable.get("summary", ""))
    else:
        body = unavailable(results, "summary")
    caption = (
        "IC: Spearman rank correlation, no unit. Hit rate: share of bars with an IC above zero."
    )
    shown = figure("By horizon", body, caption, convention(results, "summary"))
    return Section(
        "ic",
        "IC",
        "Information coefficient",
        join([shown, _rolling(results, axis), _distribution(results)]),
    )


def _rolling(results: StudyResults, axis: TimeAxis) -> Html:
    frame = results.tables["ic_rolling"]
    horizons = horizons_of(frame)
    drawn = []
    for name in results.signals:
        lines = [
            Line(
                bars_text(h),
                horizon_colour(i, len(horizons)),
                by_bar(rows_of(frame, name, h), "mean_ic"),
            )
            for i, h in enumerate(horizons)
        ]
        plot = time_plot(
            TimePlot(f"Trailing mean rank IC of {name}", "ic_rolling", lines, IC), axis
        )
        drawn.append((name, plot or unavailable(results, "ic_rolling", name)))
    body = panels(drawn) if drawn else unavailable(results, "ic_rolling")
    caption = f"Trailing mean of rank IC, one line a horizon; no unit. {axis.note('ic_rolling')}"
    return figure("Over time", body, caption, convention(results, "ic_rolling"))


def _distribution(results: StudyResults) -> Html:
    drawn = []
    widths: dict[str, list[str]] = {}
    for index, name in enumerate(results.signals):
        horizon = results.headline(name)
        values = finite_column(rows_of(results.tables["ic"], name, horizon), "rank_ic")
        present = [value for value in values if value is not None]
        if not present:
            drawn.append((name, unavailable(results, "ic", name)))
            continue
        bins = fig.histogram(present)
        widths.setdefault(f"{bins.width:g}", []).append(name)
        mean = first_row(rows_of(results.tables["summary"], name, horizon)).get("mean_ic")
        label = f"Rank IC of {name} by bar at {horizon} bars"
        drawn.append((name, fig.histogram_chart(label, bins, mean, signal_colour(index))))
    body = panels(drawn) if drawn else unavailable(results, "ic")
    told = [f"{w} ({', '.join(of)})" if len(widths) > 1 else w for w, of in widths.items()]
    binned = f" in bins of {', '.join(told)}" if told else ""
    caption = (
        f"Number of bars by rank IC at the headline horizon, counted for display{binned}. "
        "The upright line is the mean IC of the table above."
    )
    return figure("Distribution by bar", body, caption, convention(results, "ic"))


def year_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the heat tables of IC by year."""
    del axis  # every section is called alike
    frame = results.tables["ic_by_year"]
    sizes = [abs(v) for v in finite_column(frame, "mean_ic") if v is not None]
    largest = max(sizes, default=0.0)
    drawn = [
        (name, _heat_table(results, name, rows_of(frame, name), largest))
        for name in results.signals
    ]
    body = panels(drawn) if drawn else unavailable(results, "ic_by_year")
    caption = (
        "Mean rank IC of the bars of a year, no unit; shaded by sign and size, darkest at the "
        "largest of all signals. The last column counts the bars of the first horizon."
    )
    shown = figure("", body, caption, convention(results, "ic_by_year"))
    return Section("years", "Years", "IC by year", shown)


def _heat_table(results: StudyResults, name: str, frame: pl.DataFrame, largest: float) -> Html:
    if not frame.height:
        return unavailable(results, "ic_by_year", name)
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
    frame = results.tables["decay"]
    ends = [v for key in ("mean_ic", "lower", "upper") for v in finite_column(frame, key)]
    span = (
        min((v for v in ends if v is not None), default=0.0),
        max((v for v in ends if v is not None), default=0.0),
    )
    drawn = []
    for index, name in enumerate(results.signals):
        mine = rows_of(frame, name)
        rows = zip(
            mine["horizon_bars"].to_list() if mine.height else [],
            *(finite_column(mine, key) for key in ("mean_ic", "lower", "upper")),
            strict=True,
        )
        points = sorted(
            (fig.Interval(*row) for row in rows if row[0] is not None), key=lambda p: p[0]
        )
        if any(point.mean is not None for point in points):
            label = f"Mean rank IC of {name} over horizons with 95 % intervals"
            drawn.append((name, fig.interval_chart(label, points, span, signal_colour(index))))
        else:
            drawn.append((name, unavailable(results, "decay", name)))
    body = panels(drawn) if drawn else unavailable(results, "decay")
    caption = (
        "Mean rank IC (dot) with its 95 % interval at each horizon; no unit, one scale for all "
        "signals."
    )
    shown = figure("", body, caption, convention(results, "decay"))
    return Section("decay", "Decay", "Decay over horizons", shown)
