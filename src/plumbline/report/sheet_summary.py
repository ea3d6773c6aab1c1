"""A small piece of HTML for notebooks: headline numbers and one figure, with styles of its own."""

from functools import cache
from importlib.resources import files

from plumbline.report import figures as fig
from plumbline.report.evidence import checks, tally
from plumbline.report.ic_sections import intervals
from plumbline.report.markup import Html, join, tag
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.values import (
    COUNT,
    IC,
    P_VALUE,
    PERCENT,
    RATIO,
    finite_column,
    first_row,
    rows_of,
)
from plumbline.report.verdict import sentence

_MOST = 50  # signals in the table
_COLUMNS = (
    Column("Signal", "signal"),
    Column("Horizon, bars", "horizon_bars", COUNT),
    Column("Mean IC", "mean_ic", IC),
    Column("HAC t", "t_hac", RATIO),
    Column("± critical", "critical_5pct", RATIO),
    Column("p", "p_value", P_VALUE),
    Column("Net a year", "net_annual", PERCENT),
    Column("Sharpe, net", "sharpe_net", RATIO),
)


def summary_piece(results: StudyResults) -> str:
    """Return the headline numbers of each signal, and the decay of the first as a figure.

    No script, no network; styles hold inside the piece alone, and follow the theme of JupyterLab
    and of VS Code.
    """
    names = results.signals
    if not names:
        told = tag("p", f"No signal to speak of: {results.reason('summary')}.")
        return tag("div", tag("style", _style()), told, class_="plumbline-summary")
    rows = [_row(results, name) for name in names[:_MOST]]
    drawn = [table("Signals at their headline figures", _COLUMNS, {"": rows})]
    if len(names) > _MOST:
        drawn.append(tag("p", f"The first {_MOST} of {len(names)} signals."))
    if len(names) == 1:
        drawn.append(tag("p", f"{sentence(results, names[0])} {tally(checks(results, names[0]))}"))
    drawn.append(_decay(results, names[0]))
    return tag("div", tag("style", _style()), join(drawn), class_="plumbline-summary")


def _row(results: StudyResults, signal: str) -> dict[str, object]:
    horizon = results.headline(signal)
    ic = first_row(rows_of(results.tables["summary"], signal, horizon))
    spread = first_row(rows_of(results.tables["spread_summary"], signal))
    named = {"signal": signal, "horizon_bars": horizon}
    return {**spread, **ic, **named}


def _decay(results: StudyResults, signal: str) -> Html:
    frame = rows_of(results.tables["decay"], signal)
    points = intervals(frame, rows_of(results.tables["bootstrap"], signal))
    ends = [v for k in ("mean_ic", "lower", "upper") for v in finite_column(frame, k)]
    present = [v for v in ends if v is not None]
    if not present:
        return tag("p", f"Decay: not available: {results.reason('decay', signal)}.")
    label = f"Mean rank IC of {signal} over horizons with 95 % intervals"
    chart = fig.interval_chart(label, points, (min(present), max(present)), "--s1")
    return tag("figure", chart, tag("figcaption", f"{label}."))


@cache
def _style() -> Html:
    return Html(files("plumbline.report").joinpath("summary.css").read_text("utf-8").strip())
