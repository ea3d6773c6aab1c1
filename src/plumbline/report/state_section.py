"""The part of the factor-research page on the states of the market, through time and in sum."""

import polars as pl

from plumbline.report.condition_sections import regime_figure
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import Line, TimeAxis, TimePlot, time_plot
from plumbline.report.values import COUNT, MEAN_COUNT, PERCENT, epoch_seconds
from plumbline.report.verdict import signal_colour


def has_regimes(results: StudyResults) -> bool:
    """Return whether a study tells regimes: one that tells none has no such table at all."""
    return any(results.tables[name].width > 0 for name in ("regimes", "regime_summary"))


def state_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return states through time, how often and how long, and the IC in each."""
    body = [_through_time(results, axis), _in_sum(results), regime_figure(results, "IC by regime")]
    return Section("regimes", "Regimes", "States of the market", join(body))


def _through_time(results: StudyResults, axis: TimeAxis) -> Html:
    frame = results.tables["regimes"]
    boxes = []
    for index, (name, labels) in enumerate(_labels(results).items()):
        places = {label: float(place) for place, label in enumerate(labels)}
        mine = frame.filter(pl.col("regime") == name) if frame.height else frame
        timed = mine.filter(pl.col("bar_close").is_not_null()) if mine.height else mine
        states = timed["state"].to_list() if timed.height else []
        values = dict(zip(epoch_seconds(timed), map(places.get, states), strict=True))
        line = Line(name, signal_colour(len(results.signals) + index), values)
        plot = time_plot(TimePlot(name, "regimes", [line], COUNT, tuple(labels)), axis)
        boxes.append(tag("div", plot or unavailable(results, "regimes"), class_="panel"))
    body = tag("div", *boxes, class_="panels") if boxes else unavailable(results, "regimes")
    caption = f"State of the market at each bar, by regime. {axis.note('regimes')}"
    return figure("Through time", body, caption, convention(results, "regimes"))


def _labels(results: StudyResults) -> dict[str, list[str]]:
    """Return each regime with its states in order: as counted, then as they appear."""
    found: dict[str, dict[str, None]] = {}
    for table_name in ("regime_summary", "regimes"):
        frame = results.tables[table_name]
        if frame.height:
            pairs = frame.select("regime", "state").drop_nulls().unique(maintain_order=True)
            for regime, state in pairs.rows():
                found.setdefault(str(regime), {})[str(state)] = None
    return {regime: list(states) for regime, states in found.items()}


def _in_sum(results: StudyResults) -> Html:
    frame = results.tables["regime_summary"]
    columns = (
        Column("State", "state"),
        Column("Share of bars", "share", PERCENT),
        Column("Mean stay, bars", "mean_stay_bars", MEAN_COUNT),
        Column("Longest stay, bars", "longest_stay_bars", COUNT),
        Column("Stays", "n_stays", COUNT),
        Column("Bars", "n_bars", COUNT),
    )
    body = unavailable(results, "regime_summary")
    if frame.height:
        groups: dict[str, list[dict[str, object]]] = {}
        for row in frame.to_dicts():
            groups.setdefault(f"{row['regime']}", []).append(row)
        reason = results.unavailable.get("regime_summary", "no bar is in the state")
        body = table("How often and how long in each state", columns, groups, reason)
    caption = "Share of the bars in each state, and the length of an unbroken stay there, in bars."
    return figure("How often, and how long", body, caption, convention(results, "regime_summary"))
