"""Fields that a study makes itself, which its signals may require beside those of the data."""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from plumbline.core.errors import nearest_names
from plumbline.features.signal import PART, Signal

BETA = "beta_"
MODEL_NODE = "factor_model"


def derived_fields(factors: Iterable[str], labels: Iterable[str]) -> dict[str, str]:
    """Return field -> the node that holds it.

    ``return``, ``residual_return``, ``beta_<factor>`` of each factor, and ``signal:<label>`` of
    each signal. A field of the data that has one of these names is not read.

    Parameters
    ----------
    factors : the study's factors.
    labels : its signals.
    """
    return {
        "return": "returns",
        "residual_return": MODEL_NODE,
        **{f"{BETA}{factor}": MODEL_NODE for factor in factors},
        **{f"{PART}{label}": f"{PART}{label}" for label in labels},
    }


def parts_of(signal: Signal) -> list[str]:
    """Return the labels of the other signals that a signal reads, sorted."""
    return sorted(f.removeprefix(PART) for f in signal.requires() if f.startswith(PART))


def in_order(chosen: Mapping[str, Signal]) -> list[str]:
    """Return the labels of signals, those that a signal reads before it.

    Raises
    ------
    graphlib.CycleError
        If signals read each other in a circle; see :func:`part_problems`.
    """
    return list(TopologicalSorter({k: parts_of(v) for k, v in chosen.items()}).static_order())


def part_problems(chosen: Mapping[str, Signal], labels: Iterable[str]) -> list[tuple[str, str]]:
    """Return (label, what is wrong) of signals that read one that is not there, or themselves.

    Parameters
    ----------
    chosen : signals by label, those at hand.
    labels : every label of the study.
    """
    known = {str(label) for label in labels}
    found = []
    for label, signal in chosen.items():
        for part in parts_of(signal):
            if part not in known:
                hint = nearest_names(part, known - {label})
                found.append((label, f"the study has no signal labelled {part!r}; {hint}"))
        circle = _circle(chosen, label)
        if circle:
            found.append((label, f"it reads itself: {' -> '.join(circle)}"))
    return found


def model_readers(chosen: Mapping[str, Signal], factors: Iterable[str]) -> frozenset[str]:
    """Return the labels of signals that read the factor model, or a signal that does."""
    made = derived_fields(factors, ())
    readers: set[str] = set()
    for label in in_order(chosen):
        requires = chosen[label].requires()
        reads_model = any(made.get(field) == MODEL_NODE for field in requires)
        if reads_model or not readers.isdisjoint(parts_of(chosen[label])):
            readers.add(label)
    return frozenset(readers)


def _circle(chosen: Mapping[str, Signal], label: str) -> list[str]:
    """Return the shortest way from a label back to it, both ends included; empty if none."""
    ways, seen = [[label]], set[str]()
    while ways:
        way = ways.pop(0)
        for part in parts_of(chosen[way[-1]]) if way[-1] in chosen else ():
            if part == label:
                return [*way, part]
            if part not in seen:
                seen.add(part)
                ways.append([*way, part])
    return []
