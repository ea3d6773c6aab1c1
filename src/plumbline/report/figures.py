"""Drawings of small tables as inline SVG: intervals, bars, a strip and shaded cells.

Colours are style variables, so that a drawing follows the colour scheme of its reader.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

from plumbline.report.axes import digits_for, drawable, span_with_zero, ticks
from plumbline.report.markup import Html, tag
from plumbline.report.values import IC, RATIO, Style, number_text, with_unit

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 34
FOOT: Final = 20  # from the lower edge of a drawing to its labels along x


@final
class Interval(NamedTuple):
    """A mean with its interval at one horizon, and a second interval where there is one."""

    horizon_bars: int
    mean: float | None
    lower: float | None
    upper: float | None
    other_lower: float | None = None
    other_upper: float | None = None


@final
class Frame(NamedTuple):
    """Plotting area of a drawing: size in drawing units and the round values of its y axis."""

    width: int
    height: int
    marks: Sequence[float]

    def y(self, value: float) -> float:
        """Return the height on paper of a value."""
        share = (self.marks[-1] - value) / (self.marks[-1] - self.marks[0])
        return _TOP + share * (self.height - _TOP - _BOTTOM)

    def x(self, share: float) -> float:
        """Return the place along x of a share of the way from the left end to the right."""
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    @property
    def floor(self) -> float:
        """Return the height on paper of the lower end of the y axis."""
        return self.height - _BOTTOM

    def slot(self, index: int, n_slots: int) -> float:
        """Return the middle of one of ``n_slots`` equal places along x."""
        return self.x((index + 0.5) / n_slots)

    def axes(self, style: Style) -> list[Html]:
        """Return grid lines with their labels; zero is drawn stronger."""
        written = style._replace(scale=1.0, digits=digits_for(self.marks))
        drawn = []
        for mark in self.marks:
            y = self.y(mark)
            strong = abs(mark) < 1e-9 * (self.marks[-1] - self.marks[0])
            ends = {"x1": f"{_LEFT}", "x2": f"{self.width - _RIGHT}"}
            heights = {"y1": f"{y:.1f}", "y2": f"{y:.1f}"}
            drawn.append(tag("line", **ends, **heights, class_="zero" if strong else "grid"))
            label = number_text(mark, written)
            drawn.append(tag("text", label, x=f"{_LEFT - 6}", y=f"{y + 3.5:.1f}", class_="end"))
        return drawn

    def under(self, index: int, n_slots: int, label: str) -> Html:
        """Return a label below a place."""
        return tag(
            "text",
            label,
            x=f"{self.slot(index, n_slots):.1f}",
            y=f"{self.height - FOOT}",
            class_="mid",
        )

    def drawing(self, children: Sequence[Html], below: str, described: str) -> Html:
        """Return the SVG with the name of its x axis."""
        middle = f"{(_LEFT + self.width - _RIGHT) / 2:.0f}"
        name = tag("text", below, x=middle, y=f"{self.height - 4}", class_="mid soft")
        box = f"0 0 {self.width} {self.height}"
        return tag("svg", *children, name, viewBox=box, role="img", aria_label=described)


def interval_chart(
    label: str, points: Sequence[Interval], span: tuple[float, float], colour: str
) -> Html:
    """Return means with intervals over horizons, on the scale ``span`` shared by all signals."""
    frame = Frame(420, 230, ticks(*span_with_zero(span)))
    drawn, sentences = frame.axes(IC), [f"{label}."]
    for i, point in enumerate(points):
        x = frame.slot(i, len(points))
        drawn.append(frame.under(i, len(points), f"{point.horizon_bars}"))
        sentences.append(_interval_words(point))
        if point.lower is not None and point.upper is not None:
            y1, y2 = frame.y(point.upper), frame.y(point.lower)
            drawn.append(
                tag("path", d=_whisker(x, y1, y2), class_="whisker", style=_stroke(colour))
            )
        if point.other_lower is not None and point.other_upper is not None:
            y1, y2 = frame.y(point.other_upper), frame.y(point.other_lower)
            drawn.append(tag("path", d=_whisker(x - 9, y1, y2), class_="whisker other"))
        if point.mean is not None:
            y = frame.y(point.mean)
            drawn.append(
                tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4.5", style=f"fill:var({colour})")
            )
            text = number_text(point.mean, IC)
            drawn.append(tag("text", text, x=f"{x + 9:.1f}", y=f"{y + 4:.1f}", class_="value"))
    return frame.drawing(drawn, "horizon, bars", " ".join(sentences))


def bar_chart(label: str, bars: Mapping[str, float | None], style: Style, colour: str) -> Html:
    """Return one bar for each name, on its own scale that includes zero."""
    scaled = {name: drawable(value, style.scale) for name, value in bars.items()}
    frame = Frame(250, 180, ticks(*span_with_zero(scaled.values()), count=3))
    drawn, words = frame.axes(style), [f"{label}."]
    width = 0.62 * (frame.width - _LEFT - _RIGHT) / max(len(scaled), 1)
    for i, (name, value) in enumerate(scaled.items()):
        drawn.append(frame.under(i, len(scaled), name))
        words.append(f"{name}: {with_unit(bars[name], style)}.")
        if value is not None:
            x = frame.slot(i, len(scaled)) - width / 2
            top, foot = sorted((frame.y(value), frame.y(0.0)))
            drawn.append(bar((x, top, width, foot - top), colour, words[-1]))
    return frame.drawing(drawn, "quantile", " ".join(words))


def strip(t: float | None, critical: float | None) -> Html:
    """Return a t statistic on a line, with the range inside its critical values shaded."""
    if t is None or critical is None:
        return Html()
    half, limit = 70.0, 1.15 * max(abs(t), abs(critical), 1.0)
    band = abs(critical) / limit * half
    x = half + t / limit * half
    drawn = [
        tag("line", x1="0", x2="140", y1="8", y2="8", class_="grid"),
        tag(
            "rect",
            x=f"{half - band:.1f}",
            y="3",
            width=f"{2 * band:.1f}",
            height="10",
            class_="band",
        ),
        tag("line", x1="70", x2="70", y1="1", y2="15", class_="zero"),
        tag("circle", cx=f"{x:.1f}", cy="8", r="4", class_="dot"),
    ]
    words = f"t {number_text(t, RATIO)} against plus or minus {number_text(abs(critical), RATIO)}"
    return tag("svg", *drawn, viewBox="0 0 140 16", role="img", aria_label=words, class_="strip")


def cell_bar(value: float | None, largest: float) -> Html:
    """Return a small bar to the right (gain) or left (loss) of a middle line; empty without one."""
    if value is None or not largest > 0:
        return Html()
    width = min(abs(value) / largest, 1.0) * 49
    x, kind = (50.0, "pos") if value >= 0 else (50.0 - width, "neg")
    rect = tag("rect", x=f"{x:.1f}", y="2", width=f"{width:.1f}", height="10", class_=kind)
    middle = tag("line", x1="50", x2="50", y1="0", y2="14", class_="zero")
    drawn = {"viewBox": "0 0 100 14", "role": "img", "class_": "cell-bar"}
    return tag("svg", rect, middle, aria_label=number_text(value, IC), **drawn)


_STRONGEST: Final = 0.5  # opacity at which ink keeps a contrast of 4.5 on both tints


def heat_style(value: float | None, largest: float) -> dict[str, str]:
    """Return class and style of a table cell shaded by sign and size."""
    if value is None or not largest > 0:
        return {"class_": "num"}
    share = min(abs(value) / largest, 1.0) * _STRONGEST
    return {"class_": f"num heat {'pos' if value >= 0 else 'neg'}", "style": f"--a:{share:.2f}"}


def _interval_words(point: Interval) -> str:
    low, high = number_text(point.lower, IC), number_text(point.upper, IC)
    told = f"{point.horizon_bars} bars: {number_text(point.mean, IC)}, from {low} to {high}"
    if point.other_lower is None or point.other_upper is None:
        return f"{told}."
    low, high = number_text(point.other_lower, IC), number_text(point.other_upper, IC)
    return f"{told}; bootstrap from {low} to {high}."


def _whisker(x: float, y1: float, y2: float) -> str:
    caps = f"M{x - 5:.1f} {y1:.1f}H{x + 5:.1f}M{x - 5:.1f} {y2:.1f}H{x + 5:.1f}"
    return f"{caps}M{x:.1f} {y1:.1f}V{y2:.1f}"


def bar(box: tuple[float, float, float, float], colour: str, words: str) -> Html:
    """Return a bar at x, y of a width and a height, with words that a pointer shows."""
    x, y, width, height = (f"{edge:.1f}" for edge in box)
    path = f"M{x} {y}h{width}v{height}h-{width}z"
    return tag("g", tag("title", words), tag("path", d=path, style=f"fill:var({colour})"))


def _stroke(colour: str) -> str:
    return f"stroke:var({colour})"
