"""The factor-research page: one self-contained HTML text that needs no network."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from plumbline.report.comparison_section import comparison_section
from plumbline.report.data_sections import coverage_section, factor_section
from plumbline.report.document import Document, document, recipe_section
from plumbline.report.ic_sections import decay_section, summary_section, year_section
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section
from plumbline.report.provenance_section import kept_notice, provenance_footer
from plumbline.report.return_sections import quantile_section, spread_section
from plumbline.report.risk_section import risk_section
from plumbline.report.state_section import has_regimes, state_section
from plumbline.report.study import StudyResults
from plumbline.report.timeplot import STUDY_SERIES, TimeAxis, time_axis
from plumbline.report.uncomputed_section import uncomputed_section, warning_list
from plumbline.report.verdict import gate_list, verdict

_SECTIONS: Final[tuple[Callable[[StudyResults, TimeAxis], Section], ...]] = (
    summary_section,
    year_section,
    decay_section,
    quantile_section,
    spread_section,
    factor_section,
    risk_section,
    uncomputed_section,
    coverage_section,
)
_NO_SHEETS: Final[Mapping[str, str]] = MappingProxyType({})


def study_page(results: StudyResults, sheets: Mapping[str, str] = _NO_SHEETS) -> str:
    """Return the report of a factor study as HTML: equal results give equal text.

    Parameters
    ----------
    results : the study; see ``StudyResults`` for units.
    sheets : signal to the address of its tear sheet, to which the page then leads.

    Returns
    -------
    One HTML document. Its scripts and styles are inside; its content security policy lets it load
    nothing and run no script but its own. Numbers are rounded for the eye and missing ones are
    said to be missing; ``study_json`` has all of them at full precision.
    """
    axis = time_axis(results, STUDY_SERIES)
    sections = [
        Section("verdict", "Verdict", "What the numbers say", verdict_body(results)),
        comparison_section(results, sheets),
        *(build(results, axis) for build in _sections(results)),
    ]
    sections.append(recipe_section(results, sections))
    page = Document(
        "Factor research",
        results.title,
        origin_facts(results),
        sections,
        provenance_footer(results.provenance, "study.json"),
    )
    return document(page, axis.block())


def _sections(results: StudyResults) -> list[Callable[[StudyResults, TimeAxis], Section]]:
    """Return the parts of a study's page; regimes follow risk where the study tells any."""
    shown = list(_SECTIONS)
    if has_regimes(results):
        shown.insert(shown.index(risk_section) + 1, state_section)
    return shown


def verdict_body(results: StudyResults) -> Html:
    """Return gates, notices, the sentence and numbers of every signal, and warnings."""
    parts = [gate_list(results), kept_notice(results), verdict(results)]
    if results.warnings:
        told = tag("p", "Not everything could be computed:", class_="caveat")
        parts += [told, warning_list(results)]
    return join(parts)


def origin_facts(results: StudyResults) -> list[str]:
    """Return data, span and run of a study in short texts; none for what is no run."""
    source = results.provenance
    if source is None:
        return []
    told = [text for origin in source.data[:1] for text in (origin.dataset, origin.span)]
    return [*told, f"run {source.run_id}", f"finished {source.finished}"]
