"""The factor-research page: one self-contained HTML text that needs no network."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Final

from plumbline.report.data_sections import coverage_section, factor_section
from plumbline.report.ic_sections import decay_section, summary_section, year_section
from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import KEYS, Section
from plumbline.report.provenance_section import kept_notice, provenance_footer
from plumbline.report.return_sections import quantile_section, spread_section
from plumbline.report.study import StudyResults
from plumbline.report.timeplot import TimeAxis, time_axis
from plumbline.report.uncomputed_section import uncomputed_section, warning_list
from plumbline.report.verdict import gate_list, verdict

_SECTIONS: Final[tuple[Callable[[StudyResults, TimeAxis], Section], ...]] = (
    summary_section,
    year_section,
    decay_section,
    quantile_section,
    spread_section,
    factor_section,
    uncomputed_section,
    coverage_section,
)


def study_page(results: StudyResults) -> str:
    """Return the report of a factor study as HTML: equal results give equal text.

    Parameters
    ----------
    results : the study; see ``StudyResults`` for units.

    Returns
    -------
    One HTML document. Its scripts and styles are inside; its content security policy lets it load
    nothing and run no script but its own. Numbers are rounded for the eye and missing ones are
    said to be missing; ``study_json`` has all of them at full precision.
    """
    axis = time_axis(results)
    sections = [build(results, axis) for build in _SECTIONS]
    sections.append(_recipe_section(results))
    head = Section("verdict", "Verdict", "What the numbers say", _verdict(results))
    drawn = [
        tag(
            "section",
            tag("h2", part.heading),
            part.body,
            id=part.anchor,
            class_=f"part {part.anchor}",
        )
        for part in [head, *sections]
    ]
    body = tag(
        "body",
        tag("a", "Skip to the numbers", href="#verdict", class_="skip"),
        _header(results),
        _contents([head, *sections, Section("provenance", "Provenance", "", Html())]),
        tag("main", *drawn),
        provenance_footer(results.provenance),
        _script("assets/uPlot.iife.min.js"),
        axis.block(),
        _script("page.js"),
    )
    return f"<!doctype html>\n{tag('html', _head(results), body, lang='en')}\n"


def _verdict(results: StudyResults) -> Html:
    parts = [gate_list(results), kept_notice(results), verdict(results)]
    if results.warnings:
        told = tag("p", "Not everything could be computed:", class_="caveat")
        parts += [told, warning_list(results)]
    return join(parts)


@cache
def _asset(name: str) -> str:
    return files("plumbline.report").joinpath(*name.split("/")).read_text("utf-8").strip()


def _script(name: str) -> Html:
    return tag("script", Html(_asset(name)))


def _head(results: StudyResults) -> Html:
    """Return the head; its policy names the digests of the page's own scripts."""
    digests = [
        base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode()
        for name in ("assets/uPlot.iife.min.js", "page.js")
    ]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="plumbline"),
        tag("title", results.title),
        tag("link", rel="icon", href="data:,"),
        Html(f"<!-- uPlot, MIT licence:\n{_asset('assets/uPlot.LICENSE')}\n-->"),
        tag("style", Html(_asset("assets/uPlot.min.css"))),
        tag("style", Html(_asset("style.css"))),
    )


def _header(results: StudyResults) -> Html:
    source = results.provenance
    prices = source.data[:1]
    told = [text for origin in prices for text in (origin.dataset, origin.span)]
    told += [f"run {source.run_id}", f"finished {source.finished}"]
    facts = [tag("span", text) for text in told]
    return tag(
        "header",
        tag("p", "Factor research", class_="kind"),
        tag("h1", results.title),
        tag("p", join(facts), class_="facts"),
    )


def _contents(sections: list[Section]) -> Html:
    links = [tag("li", tag("a", part.title, href=f"#{part.anchor}")) for part in sections]
    return tag("nav", tag("ol", *links), aria_label="Contents")


def _recipe_section(results: StudyResults) -> Section:
    shown = {key for keys in KEYS.values() for key in keys}
    rest = {key: text for key, text in results.conventions.items() if key not in shown}
    terms = [tag("div", tag("dt", key), tag("dd", text)) for key, text in rest.items()]
    further = join([tag("h3", "Further conventions"), tag("dl", *terms, class_="facts-list")])
    code = tag("pre", tag("code", results.recipe), tabindex="0", role="region", aria_label="Recipe")
    recipe = tag("details", tag("summary", "Resolved recipe, YAML"), code)
    return Section("recipe", "Recipe", "Recipe", join([recipe, further if terms else Html()]))
