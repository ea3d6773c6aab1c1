"""How alike the holdings of a portfolio move: a map of correlations."""

from collections import defaultdict
from typing import Final

import polars as pl

from plumbline.report.markup import Html, join, tag
from plumbline.report.parts import Section, figure
from plumbline.report.portfolio_words import (
    definitions,
    figure_table,
    last_date,
    no_rows,
    note,
    reason,
    unavailable,
)
from plumbline.report.risk_figures import shortened
from plumbline.report.tables import Column, scrolling, table
from plumbline.report.values import COUNT, RATIO, finite, number_text
from plumbline.stages.portfolio_results import PortfolioResults

_STEPS: Final = 8  # shades of one sign
_NUMBERED: Final = 24  # symbols up to which numbers stand in the cells
_STRONGEST: Final = 10  # pairs that the tables list at each end
_LEFT, _TOP, _CELL, _SMALL = 112, 92, 27, 13


def pair_section(results: PortfolioResults) -> Section:
    """Return the map of correlations of the last date, its ends, and the figures made of it."""
    alike, pairs = results.tables["alike"], results.tables["pairs"]
    words = definitions(results, ["correlation"])
    figures = list(results.words["correlation"].units) if "correlation" in results.words else []
    listed = figure_table(results, "How alike holdings move", figures) if figures else Html()
    heading = f"Correlations on {last_date(results) or 'the last date'}"
    if not pairs.height:
        shown = figure("", unavailable(_why(results)), "", words)
    else:
        shown = figure("", join([_drawing(results), _ends(pairs)]), _caption(alike, pairs), words)
    told = figure("On the last date", listed, "Correlations have no unit.", Html())
    return Section("correlations", "Correlations", heading, join([shown, told]))


def _why(results: PortfolioResults) -> str:
    alike = results.tables["alike"]
    if not alike.height:
        return reason(results, "correlation_mean")
    if int(alike["has_pairs"].sum()) == 1:
        return "one holding makes no pair"
    if not alike["has_pairs"].any():
        return "no correlations of what is held are among the results of the date"
    return no_rows(results, "correlation_mean")


def _caption(alike: pl.DataFrame, pairs: pl.DataFrame) -> str:
    shown, known = int(alike["is_shown"].sum()), int(alike["has_pairs"].sum())
    said = [f"All {shown:,} holdings" if shown == known else f"The {shown:,} largest of {known:,}"]
    said.append("holdings by weight, options by what they are on; " if shown < known else "; ")
    lost = alike.height - known
    counts = pairs.filter(pl.col("correlation").is_not_null())["n_obs"].to_list()
    missing = pairs.height - len(counts)
    text = f"{' '.join(said).replace(' ;', ';')}pairs of returns over the window that both have."
    if counts:
        text += f" Pairs rest on at least {min(counts):,} returns."
    if missing:
        text += f" {missing:,} of {pairs.height:,} pairs have too few returns and stay empty."
    if lost:
        text += f" {lost:,} holdings are not among the correlations of the date."
    return text


def _drawing(results: PortfolioResults) -> Html:
    names = results.tables["alike"].filter("is_shown")["symbol"].to_list()
    place = {name: at for at, name in enumerate(names)}
    size = _CELL if len(names) <= _NUMBERED else _SMALL
    cells: dict[tuple[bool, int], list[str]] = defaultdict(list)
    numbers: list[Html] = []
    for name, other, value, _ in results.tables["pairs"].iter_rows():
        known = finite(value)
        if known is None:
            continue
        row, column = place[other], place[name]
        x, y = _LEFT + column * size, _TOP + row * size
        step = max(1, min(_STEPS, round(abs(known) * _STEPS)))
        cells[known >= 0, step].append(f"M{x} {y}h{size - 1}v{size - 1}h-{size - 1}z")
        if len(names) <= _NUMBERED:
            numbers.append(
                tag(
                    "text",
                    number_text(known, RATIO._replace(digits=1)),
                    x=f"{x + size / 2 - 0.5:g}",
                    y=f"{y + size / 2 + 3.5:g}",
                    class_="mid value",
                )
            )
    drawn = [
        tag("path", d="".join(parts), style=f"fill:rgb(var({_sign(up)}) / {step / _STEPS:.3g})")
        for (up, step), parts in sorted(cells.items())
    ]
    labels = [_labels(name, at, size) for at, name in enumerate(names)]
    wide = _LEFT + size * len(names) + 70
    box = f"0 0 {wide} {_TOP + size * len(names) + 6}"
    words = (
        f"Map of correlations of {len(names)} holdings, largest first; tables below name the ends."
    )
    svg = tag(
        "svg", *labels, *drawn, *numbers, viewBox=box, role="img", aria_label=words,
        class_="pairs", style=f"width:{wide}px",
    )  # fmt: skip
    return join([scrolling(svg, "Map of correlations"), _legend()])


def _sign(up: bool) -> str:
    return "--pos" if up else "--neg"


def _labels(name: str, at: int, size: int) -> Html:
    """Return a symbol at the left of its row and above its column."""
    y, x = _TOP + (at + 0.5) * size + 4, _LEFT + (at + 0.5) * size
    short = tag("title", name)
    left = tag("text", short, shortened(name), x=f"{_LEFT - 8}", y=f"{y:g}", class_="end")
    top = _TOP + at * size - 5
    turn = f"rotate(-45 {x:g} {top})"
    above = tag("text", short, shortened(name), x=f"{x:g}", y=f"{top}", transform=turn)
    return join([left, above])


def _legend() -> Html:
    steps = [(up, s) for up in (False, True) for s in ((8, 5, 2) if not up else (2, 5, 8))]
    keys = [
        tag(
            "li",
            tag("i", class_="swatch", style=f"background:rgb(var({_sign(up)}) / {s / _STEPS:.3g})"),
            number_text((1 if up else -1) * s / _STEPS, RATIO),
        )
        for up, s in steps
    ]
    return tag("ul", *keys, class_="legend")


def _ends(pairs: pl.DataFrame) -> Html:
    known = pairs.filter(pl.col("correlation").is_finite()).sort(
        "correlation", descending=True, maintain_order=True
    )
    if not known.height:
        return note("No pair has enough returns.")
    columns = (
        Column("Symbol", "symbol"),
        Column("Other", "other"),
        Column("Correlation", "correlation", RATIO),
        Column("Returns", "n_obs", COUNT),
    )
    ends = {"Most alike": known.head(_STRONGEST), "Least alike": known.tail(_STRONGEST).reverse()}
    boxes = [
        tag("div", table(name, columns, {name: frame.to_dicts()}), class_="panel")
        for name, frame in ends.items()
    ]
    return tag("div", *boxes, class_="panels")
