"""One self-contained HTML text: head with its policy, contents, sections, footer, scripts."""

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple, final

from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section
from plumbline.report.study import StudyResults

PLOTTING: Final = ("assets/uPlot.iife.min.js", "page.js")
"""Scripts of a page with time series."""


@final
class Document(NamedTuple):
    """What a page is made of.

    Parameters
    ----------
    kind : what kind of page it is, above its title.
    title : heading of the page.
    facts : short texts, or links, below the title.
    sections : the parts, in order.
    footer : what stands last, with the anchor ``provenance``.
    """

    kind: str
    title: str
    facts: Sequence[str]
    sections: Sequence[Section]
    footer: Html


def document(page: Document, data: Html, scripts: Sequence[str] = PLOTTING) -> str:
    """Return a page as HTML: equal pages give equal text.

    Parameters
    ----------
    page : what it shows.
    data : elements that its scripts read, such as the bars of its time series.
    scripts : files of this room; the last one runs when the data are there.

    Returns
    -------
    The text. Its scripts and styles are inside; its content security policy lets it load nothing
    and run no script but its own.
    """
    drawn = [
        tag(
            "section",
            tag("h2", part.heading),
            part.body,
            id=part.anchor,
            class_=f"part {part.anchor}",
        )
        for part in page.sections
    ]
    last = Section("provenance", "Provenance", "", Html())
    body = tag(
        "body",
        tag("a", "Skip to the numbers", href=f"#{page.sections[0].anchor}", class_="skip"),
        _header(page),
        _contents([*page.sections, last]),
        tag("main", *drawn),
        page.footer,
        *(_script(name) for name in scripts[:-1]),
        data,
        _script(scripts[-1]),
    )
    return f"<!doctype html>\n{tag('html', _head(page.title, scripts), body, lang='en')}\n"


def recipe_section(results: StudyResults, drawn: Sequence[Section]) -> Section:
    """Return the recipe, and the conventions that no part before has beside it."""
    shown = "".join(part.body for part in drawn)
    rest = {
        key: text
        for key, text in results.conventions.items()
        if f">{html.escape(text)}<" not in shown and f" {html.escape(text)}<" not in shown
    }
    terms = [tag("div", tag("dt", key), tag("dd", text)) for key, text in rest.items()]
    parts = []
    if results.recipe:
        code = tag("code", results.recipe)
        block = tag("pre", code, tabindex="0", role="region", aria_label="Recipe")
        parts.append(tag("details", tag("summary", "Resolved recipe, YAML"), block))
    if terms:
        further = tag("dl", *terms, class_="facts-list")
        parts += [tag("h3", "Further conventions"), further]
    if results.recipe:
        return Section("recipe", "Recipe", "Recipe", join(parts))
    return Section("recipe", "Conventions", "Conventions", join(parts))


@cache
def _asset(name: str) -> str:
    return files("plumbline.report").joinpath(*name.split("/")).read_text("utf-8").strip()


def _script(name: str) -> Html:
    return tag("script", Html(_asset(name)))


def _head(title: str, scripts: Sequence[str]) -> Html:
    """Return the head; its policy names the digests of the page's own scripts."""
    digests = [
        base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode()
        for name in scripts
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
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        *_plotting_styles(scripts),
        tag("style", Html(_asset("style.css"))),
    )


def _plotting_styles(scripts: Sequence[str]) -> list[Html]:
    if "assets/uPlot.iife.min.js" not in scripts:
        return []
    licence = Html(f"<!-- uPlot, MIT licence:\n{_asset('assets/uPlot.LICENSE')}\n-->")
    return [licence, tag("style", Html(_asset("assets/uPlot.min.css")))]


def _header(page: Document) -> Html:
    facts = [tag("span", text) for text in page.facts]
    return tag(
        "header",
        tag("p", page.kind, class_="kind"),
        tag("h1", page.title),
        tag("p", join(facts), class_="facts"),
    )


def _contents(sections: list[Section]) -> Html:
    links = [tag("li", tag("a", part.title, href=f"#{part.anchor}")) for part in sections]
    return tag("nav", tag("ol", *links), aria_label="Contents")
