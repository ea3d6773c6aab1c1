"""What the numbers say, in one plain sentence a signal, worded by rule.

A t statistic is called beyond or within its critical value; no other judgement is made.
"""

from typing import Final, NamedTuple, final

from plumbline.core.wording import counted
from plumbline.report.figures import strip
from plumbline.report.markup import Html, join, tag
from plumbline.report.study import StudyResults
from plumbline.report.values import (
    COUNT,
    IC,
    P_VALUE,
    PERCENT,
    RATIO,
    Style,
    first_row,
    number_text,
    rows_of,
    with_unit,
)

_MARKS: Final = {True: "\N{CHECK MARK}", False: "\N{BALLOT X}"}
_NOT_COMPOUNDED: Final = "; a sum of returns without compounding, so it may pass 100 %"
_ALL_PASSED: Final = "All gates of the recipe passed"


@final
class Card(NamedTuple):
    """A headline number with its name and what it stands against."""

    name: str
    value: float | None
    style: Style
    beside: str


def verdict(results: StudyResults) -> Html:
    """Return sentence and headline numbers of every signal, and the caveat on many looks."""
    if not results.signals:
        reason = results.reason("summary")
        return tag("p", f"No signal to speak of: not available: {reason}.", class_="unavailable")
    blocks = [_signal_block(results, name, i) for i, name in enumerate(results.signals)]
    return join(
        [tag("div", *blocks, class_="signals"), tag("p", _caveat(results), class_="caveat")]
    )


def gate_list(results: StudyResults) -> Html:
    """Return what the gates of the recipe say, failed ones first; empty without any."""
    gates = sorted(results.gates, key=lambda gate: gate.passed)
    if not gates:
        return Html()
    n_failed = sum(not gate.passed for gate in gates)
    items = [
        tag(
            "li",
            tag("span", _MARKS[gate.passed], class_="mark", aria_hidden="true"),
            str(gate),
            class_="passed" if gate.passed else "failed",
        )
        for gate in gates
    ]
    told = f"{n_failed} of {len(gates)} gates of the recipe failed" if n_failed else _ALL_PASSED
    return tag("div", tag("p", told), tag("ul", *items), class_="gates")


def sentence(results: StudyResults, signal: str) -> str:
    """Return the verdict on one signal at its headline horizon, and on its spread."""
    return f"{_ic_sentence(results, signal)} {_spread_sentence(results, signal)}"


def _ic_sentence(results: StudyResults, signal: str) -> str:
    horizon = results.headline(signal)
    row = first_row(rows_of(results.tables["summary"], signal, horizon))
    mean, t, critical = (row.get(key) for key in ("mean_ic", "t_hac", "critical_5pct"))
    at = "its horizon" if horizon is None else f"a horizon of {bars_text(horizon)}"
    if mean is None:
        return f"Mean rank IC at {at} is not available: {results.reason('summary', signal)}."
    start = f"Mean rank IC at {at} is {number_text(mean, IC)}"
    if t is None or critical is None:
        return f"{start}; whether it differs from zero is not available: its HAC t is missing."
    side, so = (
        ("beyond", "is rejected") if abs(t) > abs(critical) else ("within", "is not rejected")
    )
    against = f"±{number_text(abs(critical), RATIO)}"
    return (
        f"{start}; its HAC t of {number_text(t, RATIO)} lies {side} the fixed-b 5 % critical value "
        f"{against}, so a mean of zero {so} at that level."
    )


def _spread_sentence(results: StudyResults, signal: str) -> str:
    row = first_row(rows_of(results.tables["spread_summary"], signal))
    net, t = row.get("net_annual"), row.get("t_hac")
    if net is None:
        return f"Net spread a year is not available: {results.reason('spread_summary', signal)}."
    tested = "HAC t not available" if t is None else f"HAC t {number_text(t, RATIO)}"
    p = row.get("p_value")
    tested += "" if p is None else f", p {number_text(p, P_VALUE)}"
    return f"After costs its spread returned {with_unit(net, PERCENT)} a year ({tested})."


def _caveat(results: StudyResults) -> str:
    summary, spreads = results.tables["summary"], results.tables["spread_summary"]
    tests = [t for t in (summary["t_hac"].to_list() if summary.height else []) if t is not None]
    n_tests = sum(number_text(t, RATIO) != "n/a" for t in tests)
    horizons = summary["horizon_bars"].n_unique() if summary.height else 0
    rule = (
        f"the horizon of {bars_text(results.headline_horizon_bars)} that the study names"
        if results.headline_horizon_bars is not None
        else "the first horizon listed, not the best one"
    )
    return (
        f"Many looks: this page shows {counted(n_tests, 'test')} of a mean IC "
        f"({counted(len(results.signals), 'signal')} by {counted(horizons, 'horizon')}) and "
        f"{counted(spreads.height, 'spread')}. Each is judged at 5 % on its own "
        "and no correction for the number of looks is made here, so one beyond its critical value "
        f"among many is weak evidence. The sentences above use {rule}."
    )


def bars_text(n_bars: int) -> str:
    """Return ``1 bar`` or ``21 bars``."""
    return counted(n_bars, "bar")


def _signal_block(results: StudyResults, signal: str, index: int) -> Html:
    ic = first_row(rows_of(results.tables["summary"], signal, results.headline(signal)))
    spread = first_row(rows_of(results.tables["spread_summary"], signal))
    horizon = results.headline(signal)
    critical, p = ic.get("critical_5pct"), ic.get("p_value")
    gross, volatility = spread.get("gross_annual"), spread.get("volatility_annual")
    drawdown = spread.get("max_drawdown")
    is_beyond_all = drawdown is not None and drawdown < -1
    cards = [
        Card("Mean rank IC", ic.get("mean_ic"), IC, f"at {bars_text(horizon)}" if horizon else ""),
        Card(
            "HAC t of IC",
            ic.get("t_hac"),
            RATIO,
            f"±{number_text(critical, RATIO)} critical; p {number_text(p, P_VALUE)}",
        ),
        Card(
            "Net spread",
            spread.get("net_annual"),
            PERCENT,
            f"a year; gross {with_unit(gross, PERCENT)}",
        ),
        Card(
            "Sharpe, net", spread.get("sharpe_net"), RATIO, f"vol {with_unit(volatility, PERCENT)}"
        ),
        Card(
            "Drawdown",
            drawdown,
            PERCENT,
            "deepest, net" + (_NOT_COMPOUNDED if is_beyond_all else ""),
        ),
        Card("Bars", ic.get("n_bars"), COUNT, "with an IC"),
    ]
    drawn = [
        _card(card, strip(card.value, critical) if card.style is RATIO and i == 1 else Html())
        for i, card in enumerate(cards)
    ]
    swatch = tag("i", class_="solid", style=f"color:var({signal_colour(index)})")
    return tag(
        "article",
        tag("h3", swatch, signal),
        tag("p", sentence(results, signal)),
        tag("dl", *drawn, class_="cards"),
    )


def _card(card: Card, drawing: Html) -> Html:
    text = with_unit(card.value, card.style)
    missing = card.value is None
    value = tag("dd", text, class_="value missing" if missing else "value")
    below = tag("dd", drawing, card.beside, class_="beside") if not missing else Html()
    return tag("div", tag("dt", card.name), value, below)


def signal_colour(index: int) -> str:
    """Return the style variable of a signal; eight colours, then again."""
    return f"--s{index % 8 + 1}"


def horizon_colour(index: int, n_horizons: int) -> str:
    """Return the style variable of a horizon, from light (short) to dark (long), six steps."""
    return f"--h{1 + round(index * 5 / (n_horizons - 1)) if n_horizons > 1 else 4}"
