"""Parts of a page on where a signal works: months, sectors and regimes."""

import polars as pl

from plumbline.report.figures import cell_bar, heat_style
from plumbline.report.ic_sections import year_figure
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_signal, convention, figure
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, missing_note, number_cell, scrolling, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import (
    COUNT,
    IC,
    MEAN_COUNT,
    P_VALUE,
    RATIO,
    finite,
    finite_column,
    horizons_of,
    rows_of,
)
from plumbline.report.verdict import bars_text

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TESTED = (
    Column("Mean IC", "mean_ic", IC),
    Column("", "bar"),
    Column("HAC t", "t_hac", RATIO),
    Column("p", "p_value", P_VALUE),
    Column("Bars", "n_bars", COUNT),
)


def calendar_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the IC by year and by month."""
    del axis  # every section is called alike
    body = join([year_figure(results, "By year"), _months(results)])
    return Section("years", "Calendar", "IC by year and month", body)


def _months(results: StudyResults) -> Html:
    frame = results.tables["ic_by_month"]

    def draw(name: str, _colour: str) -> Html:
        horizon = results.headline(name)
        mine = rows_of(frame, name, horizon)
        return (
            _month_table(results, mine, f"Mean rank IC of {name} by month")
            if mine.height
            else Html()
        )

    caption = (
        "Mean rank IC of the bars of a month at the headline horizon, no unit; shaded by sign and "
        "size."
    )
    body = by_signal(results, "ic_by_month", draw)
    return figure("By month", body, caption, convention(results, "ic_by_month"))


def _month_table(results: StudyResults, frame: pl.DataFrame, caption: str) -> Html:
    cells = {(r["year"], r["month"]): finite(r["mean_ic"]) for r in frame.to_dicts()}
    largest = max((abs(v) for v in cells.values() if v is not None), default=0.0)
    years = sorted({int(year) for year in frame["year"].drop_nulls().to_list()})
    lines = []
    for year in years:
        row = [tag("th", f"{year}", scope="row")]
        for month in range(1, 13):
            value = cells.get((year, month))
            if (year, month) in cells:
                row.append(number_cell(value, RATIO, **heat_style(value, largest)))
            else:
                row.append(tag("td", "", class_="num"))
        lines.append(tag("tr", *row))
    heads = [tag("th", month, scope="col", class_="num") for month in _MONTHS]
    drawn = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", tag("th", "Year", scope="col"), *heads)),
        tag("tbody", *lines),
        class_="months",
    )
    note = missing_note(drawn, results.unavailable.get("ic_by_month", ""))
    return join([scrolling(drawn, caption), note])


def sector_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the IC inside each sector."""
    del axis  # every section is called alike
    columns = (
        Column("Sector", "sector"),
        *_TESTED,
        Column("Assets a bar", "mean_n_assets", MEAN_COUNT),
    )
    caption = (
        "Mean rank IC among the assets of one sector at the headline horizon, no unit; other "
        "horizons are folded below."
    )
    body = _tested(results, "ic_by_sector", columns, "")
    shown = figure("", body, caption, convention(results, "ic_by_sector"))
    return Section("sectors", "Sectors", "IC by sector", shown)


def regime_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the IC in each state of each regime."""
    del axis  # every section is called alike
    return Section("regimes", "Regimes", "IC by regime", regime_figure(results))


def regime_figure(results: StudyResults, title: str = "") -> Html:
    """Return the IC in each state of each regime, under a heading if the part has more."""
    columns = (Column("State", "state"), *_TESTED)
    caption = (
        "Mean rank IC of the bars in a state at the headline horizon, no unit; other horizons are "
        "folded below."
    )
    body = _tested(results, "ic_by_regime", columns, "regime")
    return figure(title, body, caption, convention(results, "ic_by_regime"))


def _tested(results: StudyResults, part: str, columns: tuple[Column, ...], group: str) -> Html:
    """Return a table of each signal at its headline horizon, those of the others folded."""
    frame = results.tables[part]
    largest = max((abs(v) for v in finite_column(frame, "mean_ic") if v is not None), default=0.0)

    def draw(name: str, _colour: str) -> Html:
        first = results.headline(name)
        tables = {}
        for horizon in horizons_of(rows_of(frame, name)):
            rows = _grouped(rows_of(frame, name, horizon), group, largest)
            caption = f"IC of {name} at {bars_text(horizon)}"
            reason = results.unavailable.get(part, "")
            tables[horizon] = table(caption, columns, rows, reason)
        others = [
            tag("details", tag("summary", f"At {bars_text(horizon)}"), drawn)
            for horizon, drawn in tables.items()
            if horizon != first
        ]
        return join([tables.get(first or 0, Html()), *others])

    return by_signal(results, part, draw)


def _grouped(frame: pl.DataFrame, group: str, largest: float) -> dict[str, list[dict[str, object]]]:
    """Return rows with a bar of their IC, by the text of a column; all in one group without it."""
    groups: dict[str, list[dict[str, object]]] = {}
    for row in frame.to_dicts():
        shown = row | {"bar": cell_bar(finite(row["mean_ic"]), largest)}
        groups.setdefault(f"{row[group]}" if group else "", []).append(shown)
    return groups
