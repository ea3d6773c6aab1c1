"""Drawings of how information coefficients are distributed: a histogram and normal paper."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple, final

import polars as pl

from plumbline.report.axes import digits_for, ticks
from plumbline.report.figures import FOOT, Frame, bar
from plumbline.report.markup import Html, tag
from plumbline.report.values import IC, PLAIN, finite, number_text

_SHARES: Final = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


@final
class Bin(NamedTuple):
    """How many values lie in ``lower <= value < upper``."""

    lower: float
    upper: float
    n: float


def bins_of(frame: pl.DataFrame) -> list[Bin]:
    """Return the bins of one series in rising order; those without finite edges are left out."""
    found = []
    for row in frame.to_dicts():
        lower, upper, n = (finite(row.get(key)) for key in ("lower", "upper", "n"))
        if lower is not None and upper is not None and n is not None and lower < upper:
            found.append(Bin(lower, upper, n))
    return sorted(found)


def histogram_chart(label: str, bins: Sequence[Bin], mean: float | None, colour: str) -> Html:
    """Return counts as bars, with the given mean marked; empty without counts."""
    if not sum(each.n for each in bins) > 0:
        return Html()
    frame = Frame(420, 230, ticks(0.0, max(each.n for each in bins), 3))
    scale = _Scale(frame, bins[0].lower, bins[-1].upper)
    drawn = frame.axes(PLAIN)
    for each in bins:
        x, y = scale.x(each.lower), frame.y(each.n)
        words = f"{each.lower:.3g} to {each.upper:.3g}: {each.n:.0f} bars"
        box = (x + 0.5, y, max(scale.x(each.upper) - x - 1, 0.1), frame.y(0.0) - y)
        drawn.append(bar(box, colour, words))
    drawn += scale.labels()
    if mean is not None and scale.low <= mean <= scale.high:
        drawn.append(_upright(frame, scale.x(mean)))
    total = sum(each.n for each in bins)
    words = f"{label}. {total:.0f} bars between {scale.low:.3g} and {scale.high:.3g}."
    return frame.drawing(drawn, "rank IC of a bar", f"{words} Mean {number_text(mean, IC)}.")


def normal_chart(
    label: str, bins: Sequence[Bin], mean: float | None, sd: float | None, colour: str
) -> Html:
    """Return cumulated shares at the upper edges of the bins on normal probability paper.

    The vertical axis is spaced so that a normal distribution is a straight line; that of the given
    mean and standard deviation is drawn. Empty with fewer than two shares inside the axis.
    """
    total, below, points = sum(each.n for each in bins), 0.0, []
    normal = NormalDist()
    low, high = (normal.inv_cdf(share) for share in (_SHARES[0], _SHARES[-1]))
    for each in bins:
        below += each.n
        if 0 < below < total:
            points.append((each.upper, min(max(normal.inv_cdf(below / total), low), high)))
    if len(points) < 2:
        return Html()
    frame = Frame(420, 230, (low, high))
    scale = _Scale(frame, bins[0].lower, bins[-1].upper)
    drawn = [mark for share in _SHARES for mark in _share_mark(frame, share)] + scale.labels()
    if mean is not None and sd is not None and sd > 0:
        drawn.append(_normal_line(frame, scale, mean, sd))
    for x, quantile in points:
        at = {"cx": f"{scale.x(x):.1f}", "cy": f"{frame.y(quantile):.1f}"}
        drawn.append(tag("circle", **at, r="3", style=f"fill:var({colour})"))
    tails = ", ".join(f"{normal.cdf(q):.1%} below {x:.3g}" for x, q in (points[0], points[-1]))
    return frame.drawing(drawn, "rank IC of a bar", f"{label}. {tails}.")


@final
class _Scale(NamedTuple):
    """A linear axis along x from ``low`` to ``high``."""

    frame: Frame
    low: float
    high: float

    def x(self, value: float) -> float:
        return self.frame.x(value / (self.high - self.low) - self.low / (self.high - self.low))

    def labels(self) -> list[Html]:
        marks = [m for m in ticks(self.low, self.high, 5) if self.low <= m <= self.high]
        style = IC._replace(digits=digits_for(marks))
        y = f"{self.frame.height - FOOT}"
        return [
            tag("text", number_text(m, style), x=f"{self.x(m):.1f}", y=y, class_="mid")
            for m in marks
        ]


def _upright(frame: Frame, x: float) -> Html:
    ends = {"x1": f"{x:.1f}", "x2": f"{x:.1f}", "y1": "4", "y2": f"{frame.floor:.0f}"}
    return tag("line", **ends, class_="mean")


def _share_mark(frame: Frame, share: float) -> list[Html]:
    y = frame.y(NormalDist().inv_cdf(share))
    ends = {"x1": f"{frame.x(0):.1f}", "x2": f"{frame.x(1):.1f}"}
    line = tag("line", **ends, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
    label = f"{share * 100:g} %"
    text = tag("text", label, x=f"{frame.x(0) - 6:.0f}", y=f"{y + 3.5:.1f}", class_="end")
    return [line, text]


def _normal_line(frame: Frame, scale: _Scale, mean: float, sd: float) -> Html:
    """Return the straight line of a normal distribution, cut at the ends of both axes."""
    low, high = frame.marks[0], frame.marks[-1]
    left = min(max((scale.low - mean) / sd, low), high)
    right = min(max((scale.high - mean) / sd, low), high)
    xs = [min(max(scale.x(mean + sd * q), frame.x(0)), frame.x(1)) for q in (left, right)]
    ends = {"x1": f"{xs[0]:.1f}", "x2": f"{xs[1]:.1f}"}
    return tag("line", **ends, y1=f"{frame.y(left):.1f}", y2=f"{frame.y(right):.1f}", class_="mean")
