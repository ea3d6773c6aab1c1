"""The tear sheet: everything that is known of a signal on one self-contained page."""

from collections.abc import Callable
from typing import Final

from plumbline.report.comparison_section import comparison_section
from plumbline.report.condition_sections import calendar_section, regime_section, sector_section
from plumbline.report.data_sections import coverage_figure
from plumbline.report.document import Document, document, recipe_section
from plumbline.report.evidence import evidence_figure
from plumbline.report.ic_sections import (
    bars_figure,
    decay_section,
    distribution_figure,
    normality_figure,
    pearson_figure,
    rolling_figure,
    summary_figure,
)
from plumbline.report.markup import join, tag
from plumbline.report.null_sections import break_section, null_section
from plumbline.report.page import origin_facts, verdict_body
from plumbline.report.parts import Section
from plumbline.report.provenance_section import provenance_footer
from plumbline.report.return_sections import (
    quantile_figure,
    quantile_history_figure,
    spread_section,
)
from plumbline.report.study import StudyResults
from plumbline.report.timeplot import SHEET_SERIES, TimeAxis, time_axis
from plumbline.report.trading_sections import capacity_section, turnover_section
from plumbline.report.uncomputed_section import uncomputed_section
from plumbline.report.universe_section import excluded_assets
from plumbline.report.values import utc_text


def _ic_section(results: StudyResults, axis: TimeAxis) -> Section:
    spread_out = tag(
        "div", distribution_figure(results), normality_figure(results), class_="panels"
    )
    body = [
        summary_figure(results),
        bars_figure(results, axis),
        rolling_figure(results, axis),
        spread_out,
        pearson_figure(results),
    ]
    return Section("ic", "IC", "Information coefficient", join(body))


def _quantile_section(results: StudyResults, axis: TimeAxis) -> Section:
    body = [quantile_figure(results, "Mean return"), quantile_history_figure(results, axis)]
    return Section("quantiles", "Quantiles", "Returns by quantile", join(body))


def _coverage_section(results: StudyResults, axis: TimeAxis) -> Section:
    body = [coverage_figure(results, axis), excluded_assets(results)]
    return Section("coverage", "Coverage", "Coverage and universe", join(body))


_SECTIONS: Final[tuple[Callable[[StudyResults, TimeAxis], Section], ...]] = (
    _ic_section,
    calendar_section,
    decay_section,
    null_section,
    break_section,
    _quantile_section,
    spread_section,
    turnover_section,
    capacity_section,
    sector_section,
    regime_section,
    _coverage_section,
    uncomputed_section,
)


def sheet_page(results: StudyResults, study: str = "", twin: str = "") -> str:
    """Return the tear sheet of an evaluation as HTML: equal results give equal text.

    Parameters
    ----------
    results : of one signal, or of several, which then stand side by side.
    study : address of the page of the whole study, to which the sheet then leads.
    twin : name of the file with its JSON twin, if there is one beside it.

    Returns
    -------
    One HTML document, as :func:`plumbline.report.page.study_page` makes it.
    """
    axis = time_axis(results, SHEET_SERIES)
    judged = join([verdict_body(results), evidence_figure(results)])
    sections = [Section("verdict", "Verdict", "What the numbers say", judged)]
    if len(results.signals) > 1:
        sections.append(comparison_section(results, {}))
    sections += [build(results, axis) for build in _SECTIONS]
    rest = recipe_section(results, sections)
    facts = [*_facts(results), *origin_facts(results)]
    if study:
        facts.append(tag("a", "the whole study", href=study))
    page = Document(
        "Tear sheet",
        results.title,
        facts,
        [*sections, rest] if rest.body else sections,
        provenance_footer(results.provenance, twin),
    )
    return document(page, axis.block())


def _facts(results: StudyResults) -> list[str]:
    """Return the span of the evaluation where no run tells it."""
    frame = results.tables["ic"]
    if results.provenance is not None or not frame.height:
        return []
    column = frame["bar_close"].drop_nulls()
    ends = (
        [text[:10] for text in utc_text(column.sort().gather([0, -1])) if text]
        if len(column)
        else []
    )
    return [" to ".join(ends)] if ends else []
