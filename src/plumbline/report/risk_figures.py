"""Drawings of numbers by name, one row each: bars from zero, and spreads with quartiles."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

from plumbline.report.axes import digits_for, drawable, span_with_zero, ticks
from plumbline.report.figures import bar
from plumbline.report.markup import Html, tag
from plumbline.report.values import RATIO, Style, number_text, with_unit

_WIDTH, _NAMES, _RIGHT, _TOP = 420, 112, 46, 6
_ROW, _FOOT, _THICK = 28, 38, 14
_LONGEST: Final = 15  # letters of a name that fit beside the bars


@final
class Spread(NamedTuple):
    """A number beside lowest, lower quartile, median, upper quartile and highest of its parts."""

    name: str
    value: float | None
    parts: tuple[float | None, ...]


@final
class _Rows(NamedTuple):
    """Plotting area with a row for each name and round values along x."""

    names: Sequence[str]
    marks: Sequence[float]

    def x(self, value: float) -> float:
        share = (value - self.marks[0]) / (self.marks[-1] - self.marks[0])
        return _NAMES + share * (_WIDTH - _NAMES - _RIGHT)

    def y(self, row: int) -> float:
        return _TOP + (row + 0.5) * _ROW

    @property
    def floor(self) -> float:
        return _TOP + len(self.names) * _ROW

    def axes(self) -> list[Html]:
        """Return names, and upright grid lines with their labels; zero is drawn stronger."""
        style = Style(1.0, digits_for(self.marks))
        drawn = []
        for mark in self.marks:
            x = f"{self.x(mark):.1f}"
            strong = abs(mark) < 1e-9 * (self.marks[-1] - self.marks[0])
            ends = {"x1": x, "x2": x, "y1": f"{_TOP}", "y2": f"{self.floor:.0f}"}
            drawn.append(tag("line", **ends, class_="zero" if strong else "grid"))
            label = number_text(mark, style)
            drawn.append(tag("text", label, x=x, y=f"{self.floor + 15:.0f}", class_="mid"))
        for row, name in enumerate(self.names):
            at = {"x": f"{_NAMES - 8}", "y": f"{self.y(row) + 4:.1f}", "class_": "end"}
            drawn.append(tag("text", tag("title", name), shortened(name), **at))
        return drawn

    def value(self, row: int, x: float, text: str) -> Html:
        return tag("text", text, x=f"{x + 6:.1f}", y=f"{self.y(row) + 4:.1f}", class_="value")

    def drawing(self, children: Sequence[Html], below: str, described: str) -> Html:
        height = self.floor + _FOOT
        middle = f"{(_NAMES + _WIDTH - _RIGHT) / 2:.0f}"
        name = tag("text", below, x=middle, y=f"{height - 6:.0f}", class_="mid soft")
        box = f"0 0 {_WIDTH} {height:.0f}"
        return tag("svg", *children, name, viewBox=box, role="img", aria_label=described)


def shortened(name: str) -> str:
    """Return a name, or as much of it as fits beside a drawing."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def row_bars(label: str, below: str, bars: Mapping[str, float | None], style: Style) -> Html:
    """Return one bar from zero for each name; empty if no number is there.

    Parameters
    ----------
    label : what is drawn, read out by a screen reader.
    below : name and unit of the axis.
    bars : name to number; a missing one is said to be so.
    style : of the numbers.
    """
    scaled = {name: drawable(value, style.scale) for name, value in bars.items()}
    if all(value is None for value in scaled.values()):
        return Html()
    rows = _Rows(list(bars), ticks(*span_with_zero(scaled.values()), count=5))
    drawn, words = rows.axes(), [f"{label}."]
    for row, (name, value) in enumerate(scaled.items()):
        told = with_unit(bars[name], style)
        words.append(f"{name}: {told}.")
        left, right = sorted((rows.x(value or 0.0), rows.x(0.0)))
        if value is not None:
            box = (left, rows.y(row) - _THICK / 2, right - left, float(_THICK))
            drawn.append(bar(box, "--s1" if value >= 0 else "--s2", words[-1]))
        drawn.append(rows.value(row, right, told))
    return rows.drawing(drawn, below, " ".join(words))


def row_spreads(label: str, below: str, spreads: Sequence[Spread]) -> Html:
    """Return range, quartiles, median and value of each name; empty if no number is there.

    Parameters
    ----------
    label, below : as of ``row_bars``.
    spreads : in order; no unit.
    """
    numbers = [drawable(v) for spread in spreads for v in (spread.value, *spread.parts)]
    if all(number is None for number in numbers):
        return Html()
    rows = _Rows([spread.name for spread in spreads], ticks(*span_with_zero(numbers), count=5))
    drawn, words = rows.axes(), [f"{label}."]
    for row, spread in enumerate(spreads):
        words.append(_spread_words(spread))
        drawn += _box(rows, row, spread)
        value = drawable(spread.value)
        if value is not None:
            at = {"cx": f"{rows.x(value):.1f}", "cy": f"{rows.y(row):.1f}", "r": "4.5"}
            told = tag("title", words[-1])
            drawn.append(tag("circle", told, **at, style="fill:var(--s1)"))
    return rows.drawing(drawn, below, " ".join(words))


def _box(rows: _Rows, row: int, spread: Spread) -> list[Html]:
    """Return whisker, box of the quartiles and median; nothing if one of them is missing."""
    places = [drawable(value) for value in spread.parts]
    there = [rows.x(value) for value in places if value is not None]
    if len(there) < len(places):
        return []
    low, left, median, right, high = there
    y = rows.y(row)
    top, foot = y - _THICK / 2, y + _THICK / 2
    caps = f"M{low:.1f} {y - 4:.1f}V{y + 4:.1f}M{high:.1f} {y - 4:.1f}V{y + 4:.1f}"
    edges = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{right - left:.1f}"}
    return [
        tag("path", d=f"M{low:.1f} {y:.1f}H{high:.1f}{caps}", class_="whisker other"),
        tag("rect", **edges, height=f"{_THICK}", class_="band edged"),
        tag("path", d=f"M{median:.1f} {top:.1f}V{foot:.1f}", class_="median"),
    ]


def _spread_words(spread: Spread) -> str:
    low, first, median, third, high = (number_text(value, RATIO) for value in spread.parts)
    return (
        f"{spread.name}: {number_text(spread.value, RATIO)}; median {median}, quartiles {first} "
        f"and {third}, from {low} to {high}."
    )
