"""The JSON schema of a factor study, given the plug-ins that a document names."""

from collections.abc import Mapping
from typing import Any

from plumbline.factors.model import models
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.regime import regimes
from plumbline.features.signal import signals
from plumbline.features.universe import UniverseRules
from plumbline.stages.data_section import NAME, closed, data_schema, extended, mapping, or_null
from plumbline.stages.kind import Gate, Problem
from plumbline.stages.study_parts import MODEL, needs_factors, regime_name, signal_name
from plumbline.stages.validation import plugin_schema, schema_of


def study_schema(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the schema of a document, and the plug-ins that it names and nobody has."""
    data, problems = data_schema(mapping(document, "data"))
    named, more = _signals_schema(mapping(document, "signals"))
    problems += more
    model, more = _model_schema(mapping(document, "model"))
    problems += more
    told, more = _regimes_schema(mapping(document, "regimes"))
    problems += more
    names = sorted(mapping(document, "data"))
    parts = {"data": data, "signals": named, "model": model, "regimes": told}
    schema = _document_schema(parts, names)
    if model and needs_factors(document):
        schema["required"].append("factors")
        schema["properties"]["factors"]["type"] = "object"
    return schema, problems


def _document_schema(parts: dict[str, dict[str, Any]], names: list[str]) -> dict[str, Any]:
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    one_of = {"enum": names} if names else text
    definitions = {"type": "object", "minProperties": 1, "additionalProperties": text}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["name", "data", "universe", "signals"],
        "additionalProperties": False,
        "properties": {
            "name": NAME,
            "kind": {"const": "factor_study"},
            "title": text,
            **parts,
            "universe": closed(
                {
                    "prices": one_of,
                    "assets": {"type": ["array", "null"], "items": text},
                    "rules": or_null(schema_of(UniverseRules)),
                },
                "prices",
            ),
            "factors": {
                **closed({"data": one_of, "definitions": definitions}, "data", "definitions"),
                "type": ["object", "null"],
            },
            "neutralise": closed(
                {"betas": {"type": "boolean"}, "sectors": {"type": ["string", "null"]}}
            ),
            "evaluation": schema_of(EvaluationOptions),
            "rolling_bars": whole,
            "headline_horizon_bars": {"type": ["integer", "null"], "minimum": 1},
            "block_bars": whole,
            "on_code_change": {"enum": ["recompute", "keep"]},
            "gates": {"type": "array", "items": schema_of(Gate)},
        },
    }


def _signals_schema(named: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    properties: dict[str, Any] = {}
    problems: list[Problem] = []
    for label, spec in named.items():
        is_named = isinstance(spec, Mapping) and "signal" in spec
        place = ("signals", label, "signal") if is_named else ("signals", label)
        schema, more = plugin_schema(signals, signal_name(label, spec), place)
        problems += more
        whole = extended(schema, {"signal": {"type": "string"}})
        properties[label] = whole | {"type": ["object", "null"]} if schema else {}
    return {"type": "object", "minProperties": 1, "properties": properties}, problems


def _regimes_schema(named: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    properties: dict[str, Any] = {}
    problems: list[Problem] = []
    own = {"regime": {"type": "string"}, "factor": {"type": ["string", "null"]}}
    for label, spec in named.items():
        is_named = isinstance(spec, Mapping) and "regime" in spec
        place = ("regimes", label, "regime") if is_named else ("regimes", label)
        schema, more = plugin_schema(regimes, regime_name(label, spec), place)
        problems += more
        whole = extended(schema, own)
        properties[label] = whole | {"type": ["object", "null"]} if schema else {}
    return {"type": ["object", "null"], "properties": properties}, problems


def _model_schema(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    schema, problems = plugin_schema(models, spec.get("model", MODEL), ("model", "model"))
    return extended(schema, {"model": {"type": "string"}}) if schema else {}, problems
