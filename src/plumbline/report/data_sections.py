"""Parts of a page on its inputs: factor model, coverage, universe, cleaning."""

from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, by_bar, convention, figure, unavailable
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.timeplot import Line, TimeAxis, TimePlot, time_plot
from plumbline.report.universe_section import excluded_assets
from plumbline.report.values import (
    COUNT,
    MEAN_COUNT,
    RATIO,
    Style,
    finite,
    number_text,
    utc_text,
)
from plumbline.report.verdict import signal_colour

_EXAMPLES_SHOWN = 20
_BETA, _SIGNAL = "mean_beta_", "n_assets_with_signal_"


def factor_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return fit, betas and counts of the factor model over time."""
    columns = results.tables["factor_fit"].columns
    betas = {name: name.removeprefix(_BETA) for name in columns if name.startswith(_BETA)}
    counts = {"n_assets": "assets", "mean_n_obs": "bars a fit"}
    drawn = [
        ("R²", _series(results, axis, "factor_fit", {"mean_r2": "mean R²"}, RATIO)),
        ("Betas", _series(results, axis, "factor_fit", betas, RATIO)),
        ("Counts", _series(results, axis, "factor_fit", counts, COUNT)),
    ]
    boxes = [
        tag("div", tag("p", name, class_="name"), plot, class_="panel") for name, plot in drawn
    ]
    body = tag("div", *boxes, class_="panels three")
    caption = (
        "Means over the assets of a bar: share of variance explained (no unit), beta to each "
        "factor (no unit), assets with a fit and bars that a fit uses (counts). "
        f"{axis.note('factor_fit')}"
    )
    shown = figure("", body, caption, convention(results, "factor_fit"))
    return Section("factors", "Factor model", "Factor model over time", shown)


def coverage_section(results: StudyResults, axis: TimeAxis) -> Section:
    """Return how many assets have prices and signals, who is left out, and what cleaning did."""
    body = [
        coverage_figure(results, axis),
        excluded_assets(results),
        _quality(results),
        _examples(results),
    ]
    return Section("data", "Data", "Data and cleaning", join(body))


def coverage_figure(results: StudyResults, axis: TimeAxis) -> Html:
    """Return how many assets have prices and signals over time."""
    columns = [name for name in results.tables["coverage"].columns if name != "bar_close"]
    plot = _series(results, axis, "coverage", {name: _count_name(name) for name in columns}, COUNT)
    caption = f"Number of assets at each bar. {axis.note('coverage')}"
    return figure("Coverage", plot, caption, convention(results, "coverage"))


def _series(
    results: StudyResults, axis: TimeAxis, part: str, columns: dict[str, str], style: Style
) -> Html:
    frame = results.tables[part]
    lines = [
        Line(label, _colour(results, name, i), by_bar(frame, name))
        for i, (name, label) in enumerate(columns.items())
    ]
    names = ", ".join(columns.values())
    plot = time_plot(TimePlot(names, part, lines, style), axis)
    return plot or unavailable(results, part)


def _colour(results: StudyResults, column: str, index: int) -> str:
    """Return the colour of a signal where a column belongs to one, else one of no signal."""
    signal = column.removeprefix(_SIGNAL)
    if signal in results.signals:
        return signal_colour(results.signals.index(signal))
    return signal_colour(len(results.signals) + index)


def _count_name(column: str) -> str:
    if column.startswith(_SIGNAL):
        return f"with {column.removeprefix(_SIGNAL)}"
    return column.removeprefix("n_assets_").replace("_", " ")


def _quality(results: StudyResults) -> Html:
    frame = results.tables["quality"]
    columns = (Column("Rule", "rule"), Column("Action", "action"), Column("Cells", "count", COUNT))
    body = unavailable(results, "quality")
    if frame.height:
        body = table("What cleaning found and did", columns, {"": frame.to_dicts()})
    caption = "How often each cleaning rule applied, and what was done."
    return figure("Cleaning", body, caption, convention(results, "quality"))


def _examples(results: StudyResults) -> Html:
    frame = results.tables["quality_examples"]
    if not frame.height:
        body = unavailable(results, "quality_examples")
        return figure(
            "Examples of cleaning",
            body,
            "Cells that a rule touched.",
            convention(results, "quality_examples"),
        )
    shown = frame.head(_EXAMPLES_SHOWN)
    moments = utc_text(shown["bar_close"]) if shown["bar_close"].dtype.is_temporal() else []
    rows = [
        row | {"bar_close": moment, "value": _value_text(row["value"])}
        for row, moment in zip(shown.to_dicts(), moments or [None] * shown.height, strict=True)
    ]
    columns = (
        Column("Asset", "asset"),
        Column("Bar close, UTC", "bar_close"),
        Column("Field", "field"),
        Column("Rule", "rule"),
        Column("Action", "action"),
        Column("Value", "value"),
    )
    body = table("Cells that a rule touched", columns, {"": rows})
    caption = (
        f"The first {shown.height} of {frame.height:,} cells that the study lists; values as found."
    )
    return figure("Examples of cleaning", body, caption, convention(results, "quality_examples"))


def _value_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    number = finite(value)
    if number is None:
        return None
    return number_text(number, MEAN_COUNT) if number != round(number, 6) else f"{number:g}"
