"""Drawings of curves over capital, and of a figure against the laws of its nulls."""

from collections.abc import Sequence
from math import log10
from typing import NamedTuple, final

from plumbline.report.axes import digits_for, span_with_zero, ticks
from plumbline.report.figures import FOOT, Frame
from plumbline.report.markup import Html, tag
from plumbline.report.values import IC, Style, capital_text, number_text, with_unit


@final
class Curve(NamedTuple):
    """A named line: points of x (above zero) and y, in rising order of x."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@final
class Band(NamedTuple):
    """The range of a figure under a null, and the p value of what was observed."""

    name: str
    low: float
    high: float
    beside: str


def capital_chart(label: str, curves: Sequence[Curve], style: Style) -> Html:
    """Return curves over capital, on a logarithmic axis; empty without two capitals."""
    capitals = sorted({x for curve in curves for x, _ in curve.points})
    if len(capitals) < 2:
        return Html()
    low, high = log10(capitals[0]), log10(capitals[-1])
    scaled = [y * style.scale for curve in curves for _, y in curve.points]
    frame = Frame(420, 250, ticks(*span_with_zero(scaled)))
    drawn, words = frame.axes(style), [f"{label}."]
    for capital in _labelled(capitals):
        x = f"{frame.x((log10(capital) - low) / (high - low)):.1f}"
        y = f"{frame.height - FOOT}"
        drawn.append(tag("text", capital_text(capital), x=x, y=y, class_="mid"))
    for curve in curves:
        places = [
            f"{frame.x((log10(x) - low) / (high - low)):.1f} {frame.y(y * style.scale):.1f}"
            for x, y in curve.points
        ]
        kind = "line dashed" if curve.dashed else "line"
        path = f"M{'L'.join(places)}"
        drawn.append(tag("path", d=path, class_=kind, style=f"stroke:var({curve.colour})"))
        told = "; ".join(f"{capital_text(x)} {with_unit(y, style)}" for x, y in curve.points)
        words.append(f"{curve.name}: {told}.")
    return frame.drawing(drawn, "capital of one side, USD", " ".join(words))


def _labelled(capitals: Sequence[float]) -> list[float]:
    """Return capitals that have room for a label, the last one first of all."""
    most, kept = 6, list(capitals)
    stride = -(-len(kept) // most)
    return kept[::-1][::stride][::-1]


def legend(curves: Sequence[Curve]) -> Html:
    """Return the names of curves beside a piece of their line."""
    keys = [
        tag(
            "li",
            tag(
                "i", class_="dash" if curve.dashed else "solid", style=f"color:var({curve.colour})"
            ),
            curve.name,
        )
        for curve in curves
    ]
    return tag("ul", *keys, class_="legend")


def null_chart(label: str, bands: Sequence[Band], observed: float, colour: str) -> Html:
    """Return the band of each null with what was observed as an upright line through them."""
    ends = [end for band in bands for end in (band.low, band.high)]
    marks = ticks(*span_with_zero([*ends, observed]), count=5)
    width, row, top = 420, 40, 8
    height = top + row * len(bands) + 38
    inner = (20.0, width - 20.0)

    def at(value: float) -> float:
        return inner[0] + (value - marks[0]) / (marks[-1] - marks[0]) * (inner[1] - inner[0])

    style, foot = IC._replace(digits=digits_for(marks)), height - 34
    drawn, words = [], [f"{label}: {number_text(observed, IC)}."]
    for mark in marks:
        x, strong = f"{at(mark):.1f}", abs(mark) < 1e-9 * (marks[-1] - marks[0])
        ends_y = {"y1": f"{top}", "y2": f"{foot}"}
        drawn.append(tag("line", x1=x, x2=x, **ends_y, class_="zero" if strong else "grid"))
        drawn.append(tag("text", number_text(mark, style), x=x, y=f"{height - 20}", class_="mid"))
    for i, band in enumerate(bands):
        y = top + i * row
        drawn.append(tag("text", band.name, x=f"{inner[0]}", y=f"{y + 12}", class_="value"))
        drawn.append(tag("text", band.beside, x=f"{inner[1]}", y=f"{y + 12}", class_="end"))
        left, wide = at(band.low), max(at(band.high) - at(band.low), 1.0)
        place = {"x": f"{left:.1f}", "width": f"{wide:.1f}"}
        drawn.append(tag("rect", **place, y=f"{y + 18}", height="12", class_="band"))
        dot = {"cx": f"{at(observed):.1f}", "cy": f"{y + 24}", "r": "4.5"}
        drawn.append(tag("circle", **dot, style=f"fill:var({colour})"))
        span = f"from {number_text(band.low, IC)} to {number_text(band.high, IC)}"
        words.append(f"{band.name}: {span}, {band.beside}.")
    name = tag("text", "mean rank IC", x=f"{width / 2:.0f}", y=f"{height - 4}", class_="mid soft")
    box = f"0 0 {width} {height}"
    return tag("svg", *drawn, name, viewBox=box, role="img", aria_label=" ".join(words))
