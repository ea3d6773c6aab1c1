"""Time series figures: a static drawing for print and for pages without scripts, and its data.

The script of the page replaces the drawing by an interactive uPlot. Values travel as decimal
integers (the value times a power of ten), each as its difference to the one before, which is
short, exact to the stated decimals and readable. If all series of a page together have more than
``VALUE_BUDGET`` values, every k-th bar is drawn, counted back from the last, and captions say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from math import ceil, gcd
from sys import float_info
from typing import Final, final

from plumbline.report.axes import digits_for, span_with_zero, ticks
from plumbline.report.markup import Html, join, json_block, tag
from plumbline.report.study import StudyResults
from plumbline.report.values import MISSING, Style, epoch_seconds, number_text, with_unit

VALUE_BUDGET: Final = 60_000
_STATIC_POINTS: Final = 220
_WIDTH, _HEIGHT = 1000, 400
_MARGIN: Final = 0.4  # of a level, beyond the first and the last
_DAY: Final = 86_400
_SPREAD: Final = ("gross_cumulative", "net_cumulative", "drawdown")

Series = Mapping[str, tuple[str, ...] | None]
"""Tables of a page's time series and the columns that it draws; None is all but the time."""

STUDY_SERIES: Final[Series] = {
    "ic_rolling": ("mean_ic",),
    "spread": _SPREAD,
    "factor_fit": None,
    "regimes": ("state",),
    "coverage": None,
}
SHEET_SERIES: Final[Series] = {
    "ic": ("rank_ic",),
    "ic_rolling": ("mean_ic",),
    "quantile_history": ("cumulative_return",),
    "spread": _SPREAD,
    "coverage": None,
}


@final
@dataclass(frozen=True)
class TimeAxis:
    """The bars that the plots of a page share.

    Parameters
    ----------
    bars : close times in rising order, seconds since 1970 UTC.
    step : every ``step``-th bar of a table is drawn.
    intraday : whether labels need hours and minutes.
    by_table : table name to the bars of it that are drawn.
    n_bars : table name to how many bars it has.
    """

    bars: tuple[int, ...]
    step: int
    intraday: bool
    by_table: Mapping[str, tuple[int, ...]]
    n_bars: Mapping[str, int]

    @cached_property
    def place(self) -> Mapping[int, int]:
        """Return where each bar stands among all."""
        return {bar: i for i, bar in enumerate(self.bars)}

    def block(self) -> Html:
        """Return the shared bars as page data, in units of their common divisor."""
        first = self.bars[0] if self.bars else 0
        since = [bar - first for bar in self.bars]
        unit = gcd(*since) or 1
        record = {"first": first, "unit": unit, "since": _deltas([bar // unit for bar in since])}
        return json_block(record | {"intraday": self.intraday}, id="bars")

    def note(self, table: str) -> str:
        """Return the sentence on thinning that a caption carries."""
        if not self.n_bars[table]:
            return ""
        if self.step == 1:
            return "Every bar is drawn."
        shown, all_bars = len(self.by_table[table]), self.n_bars[table]
        every = {2: "2nd", 3: "3rd"}.get(self.step, f"{self.step}th")
        return f"Drawn: {shown:,} of {all_bars:,} bars (every {every}, counted from the last)."


@final
@dataclass(frozen=True)
class Line:
    """One series of a plot; ``colour`` is the name of a style variable."""

    label: str
    colour: str
    values: Mapping[int, float | None]
    dashed: bool = False


@final
@dataclass(frozen=True)
class TimePlot:
    """Series of one table over its bars, on one scale that includes zero.

    Parameters
    ----------
    label : what is drawn, read out by a screen reader.
    table : the table, which gives the bars.
    lines : the series.
    style : digits and unit.
    levels : names of the values 0, 1, … of series that are one of a few states; such a plot has
        the names on its scale and draws bands, from a bar to the next. Empty for numbers.
    """

    label: str
    table: str
    lines: Sequence[Line]
    style: Style
    levels: tuple[str, ...] = ()

    def text(self, value: float | None) -> str:
        """Return a scaled value for the eye, with its unit, or the name of its level."""
        if self.levels:
            return MISSING if value is None else self.levels[round(value)]
        return with_unit(value, self.style._replace(scale=1.0))


def time_axis(results: StudyResults, series: Series) -> TimeAxis:
    """Return the bars drawn on a page of ``results`` that shows ``series``."""
    all_bars: dict[str, list[int]] = {}
    n_values = 0
    for table, columns in series.items():
        frame = results.tables[table]
        closes = frame.select("bar_close").unique().sort("bar_close") if frame.height else frame
        all_bars[table] = list(dict.fromkeys(epoch_seconds(closes)))
        n_rows = frame.height
        if n_rows and table == "ic":  # drawn at one horizon
            n_rows = frame.select("bar_close", "signal").n_unique()
        n_values += n_rows * (len(columns) if columns else frame.width - 1)
    step = max(1, ceil(n_values / VALUE_BUDGET))
    drawn = {name: tuple(bars[(len(bars) - 1) % step :: step]) for name, bars in all_bars.items()}
    union = tuple(sorted(set().union(*drawn.values())))
    days = len({bar // _DAY for bars in all_bars.values() for bar in bars})
    intraday = days < len(set().union(*all_bars.values()))
    return TimeAxis(union, step, intraday, drawn, {name: len(b) for name, b in all_bars.items()})


def time_plot(plot: TimePlot, axis: TimeAxis) -> Html | None:
    """Return legend, static drawing and data of a plot; None if no series has a value."""
    bars, series = _trimmed(plot, axis)
    if not bars:
        return None
    return tag(
        "div",
        _legend(plot, series),
        tag("div", _static(plot, bars, series, axis.intraday), class_="plot-static"),
        json_block(_record(plot, bars, series, axis)),
        class_="plot levels" if plot.levels else "plot",
        data_label=plot.label,
    )


def _trimmed(plot: TimePlot, axis: TimeAxis) -> tuple[list[int], list[list[float | None]]]:
    """Return bars and scaled values without the empty bars at both ends."""
    bars, scale = axis.by_table[plot.table], plot.style.scale
    largest = float_info.max / 10.0 ** (plot.style.digits + 1)  # what a decimal integer can tell
    series = []
    for line in plot.lines:
        values = (line.values.get(bar) for bar in bars)
        scaled = [None if value is None else value * scale for value in values]
        series.append([None if v is None or not abs(v) < largest else v for v in scaled])
    filled = [t for t in range(len(bars)) if any(values[t] is not None for values in series)]
    if not filled:
        return [], []
    kept = slice(filled[0], filled[-1] + 1)
    return list(bars[kept]), [values[kept] for values in series]


def _record(
    plot: TimePlot, bars: list[int], series: list[list[float | None]], axis: TimeAxis
) -> dict[str, object]:
    """Return what the script draws, rounded once to the decimals that it shows under the cursor.

    These are one more than elsewhere on the page; counts stay whole.
    """
    digits = plot.style.digits + 1 if plot.style.digits else 0
    steps = {"levels": plot.levels} if plot.levels else {}
    return {
        **steps,
        "at": _deltas([axis.place[bar] for bar in bars]) if len(axis.bars) != len(bars) else "",
        "digits": digits,
        "unit": plot.style.unit if plot.style.unit in {"%", "bps"} else "",
        "lines": [
            {"label": line.label, "colour": line.colour, "dashed": line.dashed, "y": coded}
            for line, coded in zip(plot.lines, _coded(series, digits), strict=True)
        ],
    }


def _coded(series: list[list[float | None]], digits: int) -> list[str]:
    unit = 10**digits
    return [_deltas([None if v is None else round(v * unit) for v in values]) for values in series]


def _deltas(values: Sequence[int | None]) -> str:
    """Return the first value, then differences, by commas.

    An empty place is a missing value; ``1*9`` is ``1`` nine times.
    """
    parts, before = [], 0
    for value in values:
        parts.append("" if value is None else str(value - before))
        before = before if value is None else value
    runs = ((part, len(list(group))) for part, group in groupby(parts))
    return ",".join(f"{part}*{n}" if n > 1 else part for part, n in runs)


def _legend(plot: TimePlot, series: list[list[float | None]]) -> Html:
    keys = []
    for line, values in zip(plot.lines, series, strict=True):
        last = next((v for v in reversed(values) if v is not None), None)
        swatch = tag(
            "i", class_="dash" if line.dashed else "solid", style=f"color:var({line.colour})"
        )
        value = tag("output", plot.text(last))
        keys.append(tag("li", tag("button", swatch, line.label, value, type="button", disabled="")))
    return tag("div", tag("ul", *keys), tag("span", "last value", class_="when"), class_="keys")


def _static(
    plot: TimePlot, bars: list[int], series: list[list[float | None]], intraday: bool
) -> Html:
    marks, low, high = _scale(plot, series)
    style = plot.style._replace(scale=1.0, digits=digits_for(marks))
    labels, grid = [], []
    for mark in marks:
        share = (high - mark) / (high - low)
        told = plot.text(mark) if plot.levels else number_text(mark, style)
        labels.append(tag("span", told, style=f"top:{share * 100:.1f}%"))
        zero = "zero" if abs(mark) < 1e-9 * (high - low) and not plot.levels else "grid"
        y = f"{share * _HEIGHT:.0f}"
        grid.append(tag("line", x1="0", x2=str(_WIDTH), y1=y, y2=y, class_=zero))
    first, span = bars[0], max(bars[-1] - bars[0], 1)
    stride = ceil(len(bars) / _STATIC_POINTS)
    chosen = sorted({*range(0, len(bars), stride), len(bars) - 1})
    points = [(t, round((bars[t] - first) / span * _WIDTH)) for t in chosen]
    paths = []
    for line, values in zip(plot.lines, series, strict=True):
        drawn = [(x, values[t]) for t, x in points]
        heights = [(x, None if v is None else (high - v) / (high - low)) for x, v in drawn]
        dash = "line dashed" if line.dashed else "line"
        traced = _bands(heights) if plot.levels else _path(heights)
        paths.append(tag("path", d=traced, class_=dash, style=f"stroke:var({line.colour})"))
    svg = tag(
        "svg",
        *grid,
        *paths,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=_described(plot, bars, series, intraday),
    )
    ends = [tag("span", moment_text(bar, intraday)) for bar in (bars[0], bars[-1])]
    scale = tag("div", *labels, class_="y-labels", aria_hidden="true")
    return join([scale, svg, tag("div", *ends, class_="x-labels", aria_hidden="true")])


def _scale(
    plot: TimePlot, series: list[list[float | None]]
) -> tuple[Sequence[float], float, float]:
    """Return round values of the y axis, its lower and its upper end; levels keep off the ends."""
    if plot.levels:
        return range(len(plot.levels)), -_MARGIN, len(plot.levels) - 1 + _MARGIN
    marks = ticks(*span_with_zero(v for values in series for v in values))
    return marks, marks[0], marks[-1]


def _path(points: Sequence[tuple[int, float | None]]) -> str:
    parts, pen = [], "M"
    for x, share in points:
        if share is None:
            pen = "M"
        else:
            parts.append(f"{pen}{x} {share * _HEIGHT:.0f}")
            pen = "L"
    return "".join(parts)


def _bands(points: Sequence[tuple[int, float | None]]) -> str:
    """Return a level stroke from each point to the next, over runs of equal ones at once."""
    parts, start = [], 0
    for i in range(1, len(points)):
        if i + 1 == len(points) or points[i][1] != points[start][1]:
            x, share = points[start]
            if share is not None:
                parts.append(f"M{x} {share * _HEIGHT:.0f}H{points[i][0]}")
            start = i
    return "".join(parts)


def _described(
    plot: TimePlot, bars: list[int], series: list[list[float | None]], intraday: bool
) -> str:
    """Return the plot in words: span, and least, greatest and last value of each series."""
    span = f"{moment_text(bars[0], intraday)} to {moment_text(bars[-1], intraday)}"
    sentences = [f"{plot.label}, {span}."]
    for line, values in zip(plot.lines, series, strict=True):
        there = [v for v in values if v is not None]
        if there and plot.levels:
            sentences.append(f"{line.label}: last {plot.text(there[-1])}.")
        elif there:
            least, most, last = (plot.text(v) for v in (min(there), max(there), there[-1]))
            sentences.append(f"{line.label}: between {least} and {most}, last {last}.")
        else:
            sentences.append(f"{line.label}: not available.")
    return " ".join(sentences)


def moment_text(seconds: int, intraday: bool) -> str:
    """Return a bar's close, UTC: a date, with hours and minutes if bars are intraday."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%d %H:%M" if intraday else "%Y-%m-%d")
