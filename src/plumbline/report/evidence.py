"""Is it real: every test of a signal at its headline horizon in one table, worded by rule."""

from typing import NamedTuple, final

from plumbline.report.markup import Html, tag
from plumbline.report.null_sections import null_name
from plumbline.report.parts import by_signal, figure
from plumbline.report.study import StudyResults
from plumbline.report.tables import Column, table
from plumbline.report.trading_sections import zero_crossing
from plumbline.report.values import (
    IC,
    MISSING,
    P_VALUE,
    RATIO,
    dates,
    finite,
    first_row,
    number_text,
    rows_of,
)

_LEVEL = 0.05


@final
class Check(NamedTuple):
    """One test: what it is called, its figure, what that stands against, and whether it rejects.

    ``rejects`` is None where the test was not computed, or is none.
    """

    test: str
    figure: str
    against: str
    reading: str
    rejects: bool | None


def evidence_figure(results: StudyResults) -> Html:
    """Return the checks of each signal, and how many of them reject."""

    def draw(name: str, _colour: str) -> Html:
        found = checks(results, name)
        columns = (
            Column("Test", "test"),
            Column("Figure", "figure"),
            Column("Against", "against"),
            Column("Reading", "reading"),
        )
        rows = [check._asdict() for check in found]
        caption = f"Tests of {name} at its headline horizon"
        drawn = table(caption, columns, {"": rows}, kind="evidence")
        return tag("div", tag("p", tally(found), class_="told"), drawn)

    caption = (
        "Each test at 5 % on its own, at the headline horizon; how each is computed stands beside "
        "its figure below."
    )
    return figure("Is it real", by_signal(results, "summary", draw), caption, Html())


def checks(results: StudyResults, signal: str) -> list[Check]:
    """Return all tests of a signal at its headline horizon, those that are missing too."""
    return [
        _t_check(results, signal, "summary", "Mean rank IC is zero"),
        _bootstrap_check(results, signal),
        *_null_checks(results, signal),
        _t_check(results, signal, "pearson", "Mean Pearson IC is zero"),
        _break_check(results, signal),
        _spread_check(results, signal),
        _capacity_check(results, signal),
    ]


def tally(found: list[Check]) -> str:
    """Return how many of the tests of no worth, those of lasting left out, reject."""
    tests = [check for check in found if check.test not in {_BREAK, _CAPACITY}]
    done = [check for check in tests if check.rejects is not None]
    n_rejecting = sum(bool(check.rejects) for check in done)
    missing = len(tests) - len(done)
    told = f"{n_rejecting} of {len(done)} tests reject that the signal is worth nothing"
    return f"{told}; {missing} not computed." if missing else f"{told}."


_BREAK, _CAPACITY = "Mean rank IC is constant", "Capacity"


def _missing(results: StudyResults, test: str, table_name: str, signal: str) -> Check:
    return Check(test, MISSING, "", f"not available: {results.reason(table_name, signal)}", None)


def _t_check(results: StudyResults, signal: str, part: str, test: str) -> Check:
    row = first_row(rows_of(results.tables[part], signal, results.headline(signal)))
    t, critical, p = (row.get(key) for key in ("t_hac", "critical_5pct", "p_value"))
    if t is None or critical is None:
        return _missing(results, test, part, signal)
    rejects = abs(t) > abs(critical)
    return Check(
        test,
        f"HAC t {number_text(t, RATIO)}, p {number_text(p, P_VALUE)}",
        f"±{number_text(abs(critical), RATIO)}",
        "rejected: beyond the fixed-b value" if rejects else "not rejected: within it",
        rejects,
    )


def _bootstrap_check(results: StudyResults, signal: str) -> Check:
    test = "Mean rank IC is zero, bootstrap"
    row = first_row(rows_of(results.tables["bootstrap"], signal, results.headline(signal)))
    lower, upper, level = (row.get(key) for key in ("lower", "upper", "level"))
    if lower is None or upper is None:
        return _missing(results, test, "bootstrap", signal)
    rejects = not lower <= 0 <= upper
    told = "" if level is None else f"{level * 100:g} % interval "
    return Check(
        test,
        f"{told}{number_text(lower, IC)} to {number_text(upper, IC)}",
        "0",
        "rejected: zero lies outside" if rejects else "not rejected: zero lies inside",
        rejects,
    )


def _null_checks(results: StudyResults, signal: str) -> list[Check]:
    frame = rows_of(results.tables["null_suite"], signal, results.headline(signal))
    if not frame.height:
        return [_missing(results, "Null suite", "null_suite", signal)]
    found = []
    for row in frame.to_dicts():
        test, p = f"Chance: {null_name(row['null'])}", finite(row["p_value"])
        if p is None:
            found.append(_missing(results, test, "null_suite", signal))
        else:
            found.append(_p_check(test, f"p {number_text(p, P_VALUE)}", p, _OF_CHANCE))
    return found


_OF_CHANCE = ("rejected: more than chance gives", "not rejected: chance gives as much")


def _p_check(test: str, shown: str, p: float, words: tuple[str, str]) -> Check:
    return Check(test, shown, f"{_LEVEL}", words[0] if p <= _LEVEL else words[1], p <= _LEVEL)


def _break_check(results: StudyResults, signal: str) -> Check:
    frame = rows_of(results.tables["breaks"], signal, results.headline(signal))
    row = first_row(frame)
    p = row.get("p_value")
    if p is None:
        return _missing(results, _BREAK, "breaks", signal)
    day = dates(frame["bar_close"])[0] or "an unknown bar"
    before, after = (number_text(row.get(key), IC) for key in ("mean_before", "mean_after"))
    words = (
        f"rejected: {before} before {day}, {after} after",
        f"not rejected; furthest at {day}: {before} before, {after} after",
    )
    return _p_check(_BREAK, f"p {number_text(p, P_VALUE)}", p, words)


def _spread_check(results: StudyResults, signal: str) -> Check:
    test = "Net spread is zero"
    row = first_row(rows_of(results.tables["spread_summary"], signal))
    t, p = row.get("t_hac"), row.get("p_value")
    if t is None or p is None:
        return _missing(results, test, "spread_summary", signal)
    shown = f"HAC t {number_text(t, RATIO)}, p {number_text(p, P_VALUE)}"
    side = "gain" if t > 0 else "loss"
    return _p_check(test, shown, p, (f"rejected: a {side} after costs", "not rejected"))


def _capacity_check(results: StudyResults, signal: str) -> Check:
    frame = rows_of(results.tables["capacity"], signal)
    if not frame.height:
        return _missing(results, _CAPACITY, "capacity", signal)
    return Check(_CAPACITY, zero_crossing(frame), "", "no test", None)
