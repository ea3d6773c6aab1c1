"""The plug-ins and options that a factor study's document stands for, and what they refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from plumbline.core.calendar import bars_a_year, grid_of
from plumbline.core.errors import ParameterError, nearest_name, nearest_names
from plumbline.factors.factor_returns import definition_problems, dependent_factors
from plumbline.factors.model import FactorModel, models
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.regime import regimes
from plumbline.features.signal import Signal, signals
from plumbline.features.universe import UniverseRules
from plumbline.stages.data_section import calendar_problem, mapping, section_problems, without
from plumbline.stages.derived_fields import part_problems
from plumbline.stages.gates import unknown_number
from plumbline.stages.kind import Gate, Problem, Shape
from plumbline.stages.label_regimes import MarketRegime
from plumbline.stages.sectors import read_sectors
from plumbline.stages.study_doubts import beta_doubts, leg_doubts
from plumbline.stages.validation import made, placed, refusals, refused

MODEL = "rolling_regression"


def signal_name(label: str, spec: object) -> Any:
    """Return the plug-in that a label of the section ``signals`` stands for."""
    return spec.get("signal", label) if isinstance(spec, Mapping) else label


def signal_of(label: str, spec: Mapping[str, Any] | None) -> Signal:
    """Return the signal of a label."""
    return made(signals[signal_name(label, spec)], without(spec, "signal"), f"signals.{label}")


def regime_name(label: str, spec: object) -> Any:
    """Return the plug-in that a label of the section ``regimes`` stands for."""
    return spec.get("regime", label) if isinstance(spec, Mapping) else label


def regime_of(label: str, spec: Mapping[str, Any] | None) -> MarketRegime:
    """Return the regime of a label."""
    given = without(spec, "regime", "factor")
    regime = made(regimes[regime_name(label, spec)], given, f"regimes.{label}")
    return MarketRegime(label, regime, (spec or {}).get("factor"))


def model_name(document: Mapping[str, Any]) -> str:
    """Return the factor model that a document asks for."""
    return str((document.get("model") or {}).get("model", MODEL))


def definitions_of(full: Mapping[str, Any]) -> Mapping[str, str]:
    """Return factor -> definition of a resolved document, empty if it defines none."""
    return mapping(mapping(full, "factors"), "definitions")


def factors_of(full: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the factors of a resolved document's model: those it makes, or those defined."""
    return model_of(full).own_factors or tuple(definitions_of(full))


def needs_factors(document: Mapping[str, Any]) -> bool:
    """Return whether a document's factor model, which there is, has to be given factors."""
    return models[model_name(document)].needs_factors


def model_of(document: Mapping[str, Any]) -> FactorModel:
    """Return the factor model of a document."""
    return made(models[model_name(document)], without(document.get("model"), "model"), "model")


def options_of(document: Mapping[str, Any]) -> EvaluationOptions:
    """Return how a document's signals are evaluated; a year has the bars of their calendar."""
    return made(EvaluationOptions, _option_values(document), "evaluation")


def rules_of(document: Mapping[str, Any]) -> UniverseRules | None:
    """Return what the members of a document's universe must keep, or None if it says nothing."""
    given = mapping(document, "universe").get("rules")
    return None if given is None else made(UniverseRules, given, "universe.rules")


def study_problems(document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
    """Return what plug-ins and options refuse; see :meth:`Kind.problems`."""
    found = section_problems(document, shape)
    found += _signal_problems(document, shape)
    found += _universe_problems(document, shape, base)
    found += _regime_problems(document, shape)
    found += _factor_problems(document, shape)
    return found + _evaluation_problems(document, shape)


def _signal_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    named = mapping(document, "signals")
    found: list[Problem] = []
    chosen: dict[str, Signal] = {}
    for label, spec in named.items():
        place = ("signals", label)
        if not shape.holds((*place, "signal")):
            continue
        wrong = refused(signals[signal_name(label, spec)], without(spec, "signal"), place, shape)
        if not wrong and shape.is_whole(place):
            chosen[label] = signal_of(label, spec)
        found += wrong
    factors = _known_factors(document, shape)
    found += beta_doubts(chosen, factors) if factors else []
    return found + [Problem(("signals", k), text) for k, text in part_problems(chosen, named)]


def _known_factors(document: Mapping[str, Any], shape: Shape) -> tuple[str, ...]:
    """Return the factors of a document's model, empty if what names them is refused."""
    if not shape.holds(("model", "model")):
        return ()
    if needs_factors(document):
        is_defined = shape.holds(("factors", "definitions"))
        return tuple(definitions_of(document)) if is_defined else ()
    given = without(document.get("model"), "model")
    cls = models[model_name(document)]
    is_whole = shape.is_whole(("model",)) and not refusals(cls, given, ("model",))
    return model_of(document).own_factors if is_whole else ()


def _universe_problems(document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
    """Return assets that are named twice, and what is wrong with the table of their sectors."""
    place = ("universe", "assets")
    named = (mapping(document, "universe").get("assets") or []) if shape.is_whole(place) else []
    first = {name: i for i, name in reversed(list(enumerate(named)))}
    found = [
        Problem((*place, str(i)), f"{name!r} is named before; name an asset once")
        for i, name in enumerate(named)
        if first[name] != i
    ]
    place = ("universe", "rules")
    found += refused(UniverseRules, mapping(document, "universe").get("rules"), place, shape)
    place = ("neutralise", "sectors")
    table = mapping(document, "neutralise").get("sectors") if shape.is_whole(place) else None
    if table is not None:
        found += [Problem(place, text) for text in read_sectors(base / table)[1]]
    return found


def _regime_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    found: list[Problem] = []
    definitions = definitions_of(document)
    is_defined = shape.holds(("factors", "definitions"))
    for label, spec in mapping(document, "regimes").items():
        place = ("regimes", label)
        if shape.holds((*place, "regime")):
            cls = regimes[regime_name(label, spec)]
            found += refused(cls, without(spec, "regime", "factor"), place, shape)
        factor = spec.get("factor") if isinstance(spec, Mapping) else None
        if is_defined and isinstance(factor, str) and factor not in definitions:
            hint = nearest_names(factor, definitions)
            text = f"{factor!r} is none of factors.definitions; {hint}"
            found.append(Problem((*place, "factor"), text))
    return found


def _definition_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    place = ("factors", "definitions")
    named = definitions_of(document).items()
    sound = {name: text for name, text in named if shape.is_whole((*place, name))}
    wrong = definition_problems(sound)
    found = [Problem((*place, name), text) for name, text in wrong.items()]
    return found + leg_doubts({name: text for name, text in sound.items() if name not in wrong})


def _factor_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    place = ("factors", "definitions")
    definitions = definitions_of(document)
    found = _definition_problems(document, shape)
    if not shape.holds(("model", "model")):
        return found
    given = without(document.get("model"), "model")
    cls = models[model_name(document)]
    found += refused(cls, given, ("model",), shape)
    is_refused = any(problem.is_sure for problem in found)
    if is_refused or not definitions or not all(map(shape.is_whole, (("model",), place))):
        return found
    model = model_of(document)
    if not cls.needs_factors:
        text = f"{model_name(document)} makes its own; leave factors out, or say null"
        return [*found, Problem(("factors",), text)]
    try:
        model.least_bars(len(definitions))
    except ParameterError as error:
        found += placed(cls, str(error), given, ("model",))
    dependent = dependent_factors(definitions) if model.needs_independent_factors else []
    for name in dependent:
        text = "is a combination of the factors above it, so no window can tell them apart"
        found.append(Problem((*place, name), text))
    return found


def _evaluation_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    found = refused(EvaluationOptions, _option_values(document), ("evaluation",), shape)
    horizons = _known_horizons(document, shape)
    headline = document.get("headline_horizon_bars")
    is_given = headline is not None and shape.holds(("headline_horizon_bars",))
    if horizons is not None and is_given and headline not in horizons:
        text = f"{headline} is none of evaluation.horizons {list(horizons)}"
        found.append(Problem(("headline_horizon_bars",), text))
    given = document.get("gates")
    for i, values in enumerate(given if isinstance(given, list) else []):
        place = ("gates", str(i))
        if shape.is_whole(place):
            found += refusals(Gate, values, place)
        is_named = all(shape.is_whole((*place, key)) for key in ("metric", "subject"))
        if is_named and shape.holds(("signals",)):
            labels = mapping(document, "signals")
            problem = unknown_number(values["metric"], values["subject"], labels, horizons)
            found += [Problem(place, problem)] if problem else []
    return found


def _known_horizons(document: Mapping[str, Any], shape: Shape) -> Sequence[int] | None:
    """Return the horizons of a document; None if what says them is refused or misspelt."""
    given = mapping(document, "evaluation")
    known = [field.name for field in fields(EvaluationOptions)]
    is_misspelt = (
        "horizons" in [nearest_name(name, known) for name in given if name not in known]
        if "evaluation" in document
        else any(nearest_name(place[0], ("evaluation",)) for place in shape.broken if place)
    )
    if not shape.is_whole(("evaluation", "horizons")) or (is_misspelt and "horizons" not in given):
        return None
    horizons: Sequence[int] = given.get("horizons", EvaluationOptions().horizons)
    return horizons


def _option_values(document: Mapping[str, Any]) -> dict[str, Any]:
    spec = mapping(mapping(document, "data"), str(mapping(document, "universe").get("prices")))
    calendar = spec.get("calendar")
    given = mapping(document, "evaluation")
    if not isinstance(calendar, str) or calendar_problem(calendar):
        return dict(given)
    return {"periods_per_year": bars_a_year(*grid_of(calendar)), **given}
