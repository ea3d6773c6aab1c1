"""Signals of a study side by side: one table that can be ordered, and how alike they are."""

from collections.abc import Mapping

from plumbline.report.figures import heat_style
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, missing_note, number_cell, scrolling, table
from plumbline.report.trading_sections import capacity_of
from plumbline.report.values import (
    COUNT,
    IC,
    MILLIONS,
    P_VALUE,
    PERCENT,
    RATIO,
    finite,
    finite_column,
    first_row,
    rows_of,
)

_COLUMNS = (
    Column("Signal", "signal"),
    Column("Horizon, bars", "horizon", COUNT),
    Column("Mean IC", "mean_ic", IC),
    Column("HAC t", "t_hac", RATIO),
    Column("p", "p_value", P_VALUE),
    Column("Bootstrap, lower", "lower", IC),
    Column("upper", "upper", IC),
    Column("Worst null p", "null_p", P_VALUE),
    Column("Break p", "break_p", P_VALUE),
    Column("Net a year", "net_annual", PERCENT),
    Column("Sharpe, net", "sharpe_net", RATIO),
    Column("Turnover a bar", "mean_turnover", PERCENT),
    Column("Capacity, m USD", "capacity", MILLIONS),
)
_SOURCES = {
    "bootstrap": "Bootstrap",
    "null_suite": "Null p",
    "breaks": "Break p",
    "capacity": "Capacity",
}


def comparison_section(results: StudyResults, sheets: Mapping[str, str]) -> Section:
    """Return all signals at their headline figures, and their correlations.

    Parameters
    ----------
    results : the study.
    sheets : signal to the address of its tear sheet, to which its name then leads.
    """
    body = join([_comparison(results, sheets), _correlation(results)])
    return Section("comparison", "Signals", "Signals side by side", body)


def _comparison(results: StudyResults, sheets: Mapping[str, str]) -> Html:
    rows = [_figures(results, name) | {"signal": _linked(name, sheets)} for name in results.signals]
    body = unavailable(results, "summary")
    if rows:
        body = table("Signals at their headline figures", _COLUMNS, {"": rows}, kind="sortable")
    empty = [part for part in _SOURCES if not results.tables[part].height]
    notes = [
        tag("p", f"{_SOURCES[part]}: not available: {results.reason(part)}.", class_="note")
        for part in empty
    ]
    leads = " A name leads to the signal's tear sheet." if sheets else ""
    caption = (
        "Figures of the IC at the headline horizon. Worst null p: the largest of the null suite. "
        "Capacity: the largest capital tried up to which the spread earns after costs and impact, "
        f"0 if none.{leads}"
    )
    stated = join([convention(results, part) for part in ("null_suite", "breaks", "capacity")])
    return figure("Headline figures", join([body, *notes]), caption, stated)


def _linked(name: str, sheets: Mapping[str, str]) -> Html:
    return tag("a", name, href=sheets[name]) if name in sheets else join([name])


def _figures(results: StudyResults, signal: str) -> dict[str, object]:
    horizon, tables = results.headline(signal), results.tables
    ic = first_row(rows_of(tables["summary"], signal, horizon))
    interval = first_row(rows_of(tables["bootstrap"], signal, horizon))
    spread = first_row(rows_of(tables["spread_summary"], signal))
    nulls = finite_column(rows_of(tables["null_suite"], signal, horizon), "p_value")
    capacity = capacity_of(rows_of(tables["capacity"], signal))[0]
    return {
        "horizon": horizon,
        **{key: ic.get(key) for key in ("mean_ic", "t_hac", "p_value")},
        **{key: interval.get(key) for key in ("lower", "upper")},
        "null_p": max((p for p in nulls if p is not None), default=None),
        "break_p": first_row(rows_of(tables["breaks"], signal, horizon)).get("p_value"),
        **{key: spread.get(key) for key in ("net_annual", "sharpe_net", "mean_turnover")},
        "capacity": capacity,
    }


def _correlation(results: StudyResults) -> Html:
    frame = results.tables["signal_correlation"]
    caption = "Mean over bars of the rank correlation between two signals, no unit."
    stated = convention(results, "signal_correlation")
    if not frame.height:
        body = unavailable(results, "signal_correlation")
        return figure("How alike they are", body, caption, stated)
    names = results.signals
    cells = {(r["signal"], r["other"]): r["mean_rank_correlation"] for r in frame.to_dicts()}
    lines = [
        tag("tr", tag("th", one, scope="row"), *(_shaded(cells.get((one, n))) for n in names))
        for one in names
    ]
    heads = [tag("th", name, scope="col", class_="num") for name in names]
    label = "Mean rank correlation between signals"
    drawn = tag(
        "table",
        tag("caption", label),
        tag("thead", tag("tr", tag("th", "Signal", scope="col"), *heads)),
        tag("tbody", *lines),
    )
    note = missing_note(drawn, results.unavailable.get("signal_correlation", ""))
    return figure("How alike they are", join([scrolling(drawn, label), note]), caption, stated)


def _shaded(value: object) -> Html:
    number = finite(value)
    return number_cell(number, RATIO, **heat_style(number, 1.0))
