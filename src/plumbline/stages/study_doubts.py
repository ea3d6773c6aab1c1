"""What of a factor study's document is likely to be wrong, which its data alone can decide.

An asset may have a minus in its name, and the data may hold a field ``beta_market``. So these are
told beside other problems only: a document that has no other is read together with its data.
"""

from collections.abc import Collection, Mapping

from plumbline.core.errors import nearest_names
from plumbline.factors.factor_returns import legs_of
from plumbline.features.signal import Signal
from plumbline.stages.derived_fields import BETA
from plumbline.stages.kind import Problem


def leg_doubts(definitions: Mapping[str, str]) -> list[Problem]:
    """Return the factors whose one leg is, by the legs beside it, a difference without blanks.

    Parameters
    ----------
    definitions : factor name -> definition that can be read.
    """
    legs = frozenset(legs_of(definitions))
    found = []
    for name, text in definitions.items():
        sides = _sides(text.strip(), legs) if text.strip() in legs else None
        if sides is not None:
            hint = f"for a difference put blanks around the minus: '{sides[0]} - {sides[1]}'"
            told = f"is defined as {text!r}, which is one asset; {hint}"
            found.append(Problem(("factors", "definitions", name), told, is_sure=False))
    return found


def beta_doubts(chosen: Mapping[str, Signal], factors: Collection[str]) -> list[Problem]:
    """Return the signals that read the beta of a factor that the study does not have.

    Parameters
    ----------
    chosen : signals by label.
    factors : the factors of the study's model.
    """
    found = []
    for label, signal in chosen.items():
        fields = sorted(field for field in signal.requires() if field.startswith(BETA))
        for field in fields:
            name = field.removeprefix(BETA)
            if name not in factors:
                needed = f"factors.definitions has no {name!r}; {nearest_names(name, factors)}"
                told = f"{needed} (a field {field!r} of the data would do)"
                found.append(Problem(("signals", label), told, is_sure=False))
    return found


def _sides(text: str, legs: frozenset[str]) -> tuple[str, str] | None:
    """Return what stands before and behind a minus of a text, if one of the two is a leg."""
    places = [i for i, letter in enumerate(text) if letter == "-"]
    sides = ((text[:i], text[i + 1 :]) for i in places)
    return next((pair for pair in sides if all(pair) and not legs.isdisjoint(pair)), None)
