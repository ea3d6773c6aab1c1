"""Gates: demands of a recipe on its results."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plumbline.core.errors import nearest_names
from plumbline.factors.figures import IC_FIGURES, SPREAD_FIGURES
from plumbline.stages.kind import Gate

if TYPE_CHECKING:
    import polars as pl


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


def unknown_gate(gate: Gate, labels: Iterable[str], horizons: Iterable[int]) -> str:
    """Return why a study has no number that a gate names, or an empty text.

    Parameters
    ----------
    labels : the study's signals.
    horizons : its horizons, bars.
    """
    known = {f"{name} of {label}" for label in labels for name in SPREAD_FIGURES}
    subjects = [f"{label}:{bars}" for label in labels for bars in horizons]
    known |= {f"{name} of {subject}" for subject in subjects for name in IC_FIGURES}
    place = f"{gate.metric} of {gate.subject}"
    return "" if place in known else f"there is no number {place}; {nearest_names(place, known)}"


def broken_gates(gates: Sequence[Gate], tables: "Mapping[str, pl.DataFrame]") -> list[str]:
    """Return a sentence for each gate that does not hold; a missing number breaks its gate."""
    metrics = gate_metrics(tables)
    broken = []
    for gate in gates:
        place = f"{gate.metric} of {gate.subject}"
        value = metrics.get((gate.metric, gate.subject))
        if value is None:
            broken.append(f"gate on {place}: the number is missing")
        elif gate.at_least is not None and value < gate.at_least:
            broken.append(f"gate on {place}: {value:.6g} is below {gate.at_least:g}")
        elif gate.at_most is not None and value > gate.at_most:
            broken.append(f"gate on {place}: {value:.6g} is above {gate.at_most:g}")
    return broken


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(value)
