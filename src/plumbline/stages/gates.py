"""Gates: demands of a recipe on its results."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, final

from plumbline.core.errors import nearest_names
from plumbline.factors.figures import IC_FIGURES, SPREAD_FIGURES
from plumbline.stages.kind import Gate

if TYPE_CHECKING:
    import polars as pl


@final
class Verdict(NamedTuple):
    """What a gate says of a study: the number it is on, whether it holds, and why."""

    gate: str
    passed: bool
    text: str

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'failed'}: {self.text}"


def gate_metrics(tables: "Mapping[str, pl.DataFrame]") -> dict[tuple[str, str], float | None]:
    """Return the numbers of a study that gates may name: (metric, subject) -> value.

    A subject is ``signal`` for figures of the spread and ``signal:horizon`` (in bars) for figures
    of the rank IC, such as ``t_hac`` of ``momentum:21``.
    """
    found: dict[tuple[str, str], float | None] = {}
    for row in tables["summary"].to_dicts():
        subject = f"{row.pop('signal')}:{row.pop('horizon_bars')}"
        found.update({(name, subject): _number(value) for name, value in row.items()})
    for row in tables["spread_summary"].to_dicts():
        subject = row.pop("signal")
        found.update({(name, subject): _number(value) for name, value in row.items()})
    return found


def unknown_number(
    metric: str, subject: str, labels: Iterable[str], horizons: Iterable[int] | None
) -> str:
    """Return why a study has no number that a gate names, or an empty text.

    Parameters
    ----------
    metric, subject : what the gate names.
    labels : the study's signals.
    horizons : its horizons, bars; None if they are not known, so that every number may be one.
    """
    if horizons is None:
        bars = subject.rpartition(":")[2]
        horizons = [int(bars)] if bars.isdecimal() else []
    known = {f"{name} of {label}" for label in labels for name in SPREAD_FIGURES}
    subjects = [f"{label}:{bars}" for label in labels for bars in horizons]
    known |= {f"{name} of {subject}" for subject in subjects for name in IC_FIGURES}
    place = f"{metric} of {subject}"
    return "" if place in known else f"there is no number {place}; {nearest_names(place, known)}"


def judged(
    gates: Iterable[Gate], metrics: Mapping[tuple[str, str], float | None]
) -> tuple[Verdict, ...]:
    """Return the verdict on each gate; a missing number breaks its gate.

    Parameters
    ----------
    gates : those of the recipe.
    metrics : the numbers of the study; see :func:`gate_metrics`.
    """
    return tuple(_judge(gate, metrics.get((gate.metric, gate.subject))) for gate in gates)


def _judge(gate: Gate, value: float | None) -> Verdict:
    place = f"{gate.metric} of {gate.subject}"
    start = f"gate on {place}:"
    if value is None:
        return Verdict(place, passed=False, text=f"{start} the number is missing")
    low, high = gate.at_least, gate.at_most
    if low is not None and value < low:
        return Verdict(place, passed=False, text=f"{start} {value:.6g} is below {low:g}")
    if high is not None and value > high:
        return Verdict(place, passed=False, text=f"{start} {value:.6g} is above {high:g}")
    bounds = [f"at least {low:g}"] if low is not None else []
    bounds += [f"at most {high:g}"] if high is not None else []
    return Verdict(place, passed=True, text=f"{start} {value:.6g} is {' and '.join(bounds)}")


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(value)
