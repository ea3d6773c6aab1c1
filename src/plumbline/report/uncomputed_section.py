"""The part of the factor-research page on what was not computed, and why."""

import polars as pl

from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import TimeAxis
from plumbline.report.values import COUNT


def uncomputed_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return the warnings and the counts of what was tried and gave nothing, by reason."""
    del axis  # every section is called alike
    frame = results.tables["uncomputed"]
    columns = (
        Column("Part", "part"),
        Column("Reason", "reason"),
        Column("Signal", "signal"),
        Column("Horizon, bars", "horizon_bars"),
        Column("Not computed", "n", COUNT),
        Column("Tried", "of", COUNT),
        Column("Unit", "unit"),
    )
    body = unavailable(results, "uncomputed")
    if frame.height:
        rows = [
            {name: "" if value is None else value for name, value in row.items()}
            for row in frame.filter(pl.col("n") > 0).to_dicts()
        ]
        body = table("What was tried and gave nothing", columns, {"": rows})
    caption = (
        "How often each part of the study gave nothing, by reason; reasons that never occurred are "
        "in the JSON twin alone."
    )
    shown = figure("Counts by reason", body, caption, convention(results, "uncomputed"))
    heading = "What was not computed"
    return Section("uncomputed", "Not computed", heading, join([warning_list(results), shown]))


def warning_list(results: StudyResults) -> Html:
    """Return the warnings as a list; empty without any."""
    if not results.warnings:
        return Html()
    items = [tag("li", text) for text in results.warnings]
    return tag("ul", *items, class_="warnings")
