"""Where a document departs from its JSON schema, in the words of somebody who writes recipes."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from plumbline.core.errors import nearest_name, nearest_names
from plumbline.stages.kind import Problem

_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping (key: value)",
    "string": "text",
}
_FORMATS = {"date": "a date such as 2024-01-31"}
_PLURALS = {
    "integer": "whole numbers",
    "number": "numbers",
    "string": "texts",
    "object": "mappings",
}
_BOUNDS = {
    "minimum": "of at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "of at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "of at least {} characters",
    "minItems": "with {} or more entries",
    "minProperties": "with {} or more entries",
    "pattern": "of the form {}",
}


def departures(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Problem]:
    """Return every departure of a document from a schema."""
    found = []
    validator = Draft202012Validator(schema, format_checker=FormatChecker(_FORMATS))
    for error in validator.iter_errors(document):
        found += _problems(error)
    return found


def expected(schema: Mapping[str, Any]) -> str:
    """Return in words what a schema takes, such as ``a whole number of at least 1, or nothing``."""
    if "enum" in schema or "const" in schema:
        return ", ".join(str(choice) for choice in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return _either([expected(part) for part in schema["anyOf"]])
    if "pattern" in schema and "description" in schema:
        return str(schema["description"])
    kinds = schema.get("type", [])
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    bounds = [words.format(schema[key]) for key, words in _BOUNDS.items() if key in schema]
    parts = []
    for name in names:
        part = _FORMATS.get(schema.get("format", ""), _KINDS.get(name, "another value"))
        inner = schema.get("items", {}).get("type")
        if name == "array" and inner in _PLURALS:
            part = f"a list of {_PLURALS[inner]}"
        if name == "array" and "prefixItems" in schema:
            entries = ", ".join(expected(entry) for entry in schema["prefixItems"])
            parts.append(f"a list of {len(schema['prefixItems'])}: {entries}")
            continue
        parts.append(part if name == "null" else " ".join([part, *bounds]))
    return _either(parts) or "another value"


def _either(parts: list[str]) -> str:
    ordered = sorted(parts, key=lambda part: part == "nothing")
    return ", or ".join(ordered) if len(ordered) > 2 else " or ".join(ordered)


def _given(value: object) -> str:
    """Return a value as a recipe has it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (Mapping, list)):
        kind = "mapping" if isinstance(value, Mapping) else "list"
        return (
            f"the {kind} {value!r}"
            if 0 < len(repr(value)) <= 60 and value
            else (f"a {kind}" if value else f"an empty {kind}")
        )
    return f"the text {value!r}" if isinstance(value, str) else str(value)


def _instead(name: str, others: list[str]) -> str:
    """Return the key that may have been meant as a missing one, if one is near."""
    near = nearest_name(name, others)
    return "" if near is None else f" (is {near!r} meant?)"


def _problems(error: ValidationError) -> list[Problem]:
    place = tuple(str(step) for step in error.absolute_path)
    schema: Any = error.schema
    given: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = schema["properties"]
        return [
            Problem((*place, str(name)), f"is no name here; {nearest_names(str(name), allowed)}")
            for name in given
            if name not in allowed
        ]
    if error.validator == "required":
        known = ", ".join(schema.get("properties", {}))
        lacking = [name for name in schema["required"] if f"{name!r} is" in error.message]
        others = [str(name) for name in given if name not in schema.get("properties", {})]
        return [
            Problem(place, f"lacks {name!r}{_instead(name, others)}; its keys are {known}", (name,))
            for name in lacking
        ]
    if error.validator in ("enum", "const"):
        choices = [str(choice) for choice in schema.get("enum", [schema.get("const")])]
        hint = nearest_names(str(given), choices)
        shown = repr(given) if isinstance(given, str) else _given(given)
        return [Problem(place, f"{shown} is not allowed; {hint}")]
    if error.validator == "type" and "enum" in schema:
        return []  # the choices say what is allowed
    return [Problem(place, f"takes {expected(schema)}, not {_given(given)}")]
