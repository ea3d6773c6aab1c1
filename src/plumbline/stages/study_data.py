"""What a factor study asks for and its data do not hold: fields, assets, a common calendar."""

from collections.abc import Iterable, Mapping
from typing import Any

from plumbline.core.calendar import bars_a_year
from plumbline.core.errors import nearest_names
from plumbline.engine.pipeline import DataSet
from plumbline.factors.factor_returns import definition_problems
from plumbline.features.signal import PART, Signal
from plumbline.features.universe import UniverseRules
from plumbline.stages.derived_fields import BETA, derived_fields
from plumbline.stages.kind import Place, Problem
from plumbline.stages.study_parts import factors_of

_ALWAYS = frozenset({"close"})  # fields that every study reads, whatever its signals do


def data_problems(
    full: Mapping[str, Any], stocks: DataSet, legs: DataSet, chosen: Mapping[str, Signal]
) -> list[Problem]:
    """Return what a study asks for and its data lack, with the nearest names.

    Parameters
    ----------
    full : the resolved document.
    stocks, legs : the data of its universe and of its factors; the same if it has no factors.
    chosen : its signals by label.
    """
    found = _grid_problems(full, stocks, legs)
    for i, asset in enumerate(full["universe"]["assets"] or ()):
        if asset not in stocks.assets:
            text = f"unknown asset {asset!r}; {nearest_names(asset, stocks.assets)}"
            found.append(Problem(("universe", "assets", str(i)), text))
    given, prices = full["factors"], full["universe"]["prices"]
    found += _leg_problems(given["definitions"], legs) if given else []
    found += _lacking_fields(("universe",), prices, stocks, _ALWAYS)
    names = factors_of(full)
    derived = frozenset(derived_fields(names, ()))  # that parts are there is known before
    rules = full["universe"]["rules"]
    if rules is not None:
        needed = UniverseRules(**rules).requires() - _ALWAYS
        found += _lacking_fields(("universe", "rules"), prices, stocks, needed)
    for label, signal in chosen.items():
        place = ("signals", label)
        others = {f for f in signal.requires() - _ALWAYS if not f.startswith(PART)}
        lost = {field for field in others - derived if field.startswith(BETA)} - {*stocks.fields}
        found += [Problem(place, _lacking_beta(field, names)) for field in sorted(lost)]
        found += _lacking_fields(place, prices, stocks, others - lost, derived)
    if given:
        found += _lacking_fields(("factors", "data"), given["data"], legs, _ALWAYS)
    return found


def _lacking_beta(field: str, factors: Iterable[str]) -> str:
    name = field.removeprefix(BETA)
    hint = nearest_names(name, factors)
    return f"factors.definitions has no {name!r}, and the data no field {field!r}; {hint}"


def _leg_problems(definitions: Mapping[str, str], legs: DataSet) -> list[Problem]:
    """Return what factors need and the data lack, each lack at the first factor that has it."""
    first: dict[str, str] = {}
    for name, text in definition_problems(definitions, legs.assets).items():
        first.setdefault(text, name)
    return [Problem(("factors", "definitions", name), text) for text, name in first.items()]


def _grid_problems(full: Mapping[str, Any], stocks: DataSet, legs: DataSet) -> list[Problem]:
    found = []
    grids = [f"{d.calendar_name} {d.frequency}" for d in (stocks, legs)]
    if grids[0] != grids[1]:
        text = f"has bars of {grids[0]}, factors.data of {grids[1]}; put both on one calendar"
        found.append(Problem(("universe", "prices"), text))
    expected = bars_a_year(stocks.calendar_name, stocks.frequency)
    given = full["evaluation"]["periods_per_year"]
    is_implied = full["data"][full["universe"]["prices"]].get("calendar") is not None
    if not is_implied and given != expected:
        text = f"is {given:g}; bars of {grids[0]} are {expected:g} a year: set it"
        found.append(Problem(("evaluation", "periods_per_year"), text))
    return found


def _lacking_fields(
    place: Place,
    name: str,
    data: DataSet,
    needed: Iterable[str],
    derived: frozenset[str] = frozenset(),
) -> list[Problem]:
    """Return the fields that neither the data hold nor the study derives from them."""
    known = {*data.fields, *derived}
    found = []
    for field in sorted(set(needed) - known):
        hint = nearest_names(field, known)
        advice = (
            f"; if data.{name} holds it under another name, say columns: {{{field}: …}} there, or "
            f"of a wide table field: {field}"
        )
        if hint in [f"did you mean {other!r}?" for other in derived]:
            advice = " (the study derives it)"
        found.append(Problem(place, f"the data lack the field {field!r}; {hint}{advice}"))
    return found
