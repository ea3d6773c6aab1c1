"""What recipes of all kinds have in common: the section ``data`` and shapes of documents."""

from collections.abc import Mapping
from typing import Any, Final

from plumbline.core.calendar import Calendar, grid_of
from plumbline.core.errors import CalendarError
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.source import sources
from plumbline.stages.kind import DataSpec, Place, Problem, Shape
from plumbline.stages.validation import filled, made, plugin_schema, refused, schema_of

NAME: Final = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$",
    "description": "1 to 100 letters, digits, '_', '.' or '-', the first no '.' or '-'",
}


def mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a section of a document, empty if it is absent or no mapping."""
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return the schema of a mapping with these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that takes null too."""
    return schema | {"type": [schema["type"], "null"]}


def data_schema(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the schema of the section ``data``, and the sources that nobody has."""
    properties: dict[str, Any] = {}
    problems: list[Problem] = []
    own = {
        "source": {"type": "string"},
        "calendar": {"type": "string"},
        "rules": schema_of(CleaningRules),
        "dataset": NAME,
    }
    for name, spec in data.items():
        if not isinstance(spec, Mapping):
            properties[name] = {"type": "object"}
        elif "source" in spec:
            schema, more = plugin_schema(sources, spec["source"], ("data", name, "source"))
            problems += more
            known = {key: part for key, part in own.items() if schema or key != "source"}
            properties[name] = extended(schema, known, "calendar")
        else:
            which = {"version": {"type": "integer", "minimum": 1}, "as_of": {"type": "string"}}
            properties[name] = closed(own | which, "dataset")
    schema = {"type": "object", "minProperties": 1, "properties": properties}
    return schema | {"additionalProperties": {"type": "object"}}, problems


def extended(schema: dict[str, Any], more: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return a plug-in's schema with our own keys beside its parameters; open if it has none."""
    properties = {**more, **schema.get("properties", {})}
    needed = [*schema.get("required", []), *required]
    return {"type": "object", **schema, "properties": properties, "required": needed}


def data_spec(name: str, spec: Mapping[str, Any]) -> DataSpec:
    """Return the data set that an entry of the section ``data`` asks for."""
    rules = made(CleaningRules, spec.get("rules") or {}, f"data.{name}.rules")
    dataset = str(spec.get("dataset", name))
    if "source" not in spec:
        return DataSpec(None, "", rules, dataset, spec.get("version"), spec.get("as_of"))
    source = made(sources[spec["source"]], _source_values(spec), f"data.{name}")
    return DataSpec(source, str(spec["calendar"]), rules, dataset)


def resolved_data(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of the section ``data`` with every default."""
    found = data_spec(name, spec)
    if found.source is None:
        own = {"dataset": found.dataset, "version": found.version, "as_of": found.as_of}
        return {key: value for key, value in own.items() if value is not None}
    own = {"dataset": found.dataset, "source": spec["source"], "calendar": found.calendar}
    return {**own, **filled(found.source), "rules": filled(found.rules)}


def section_problems(document: Mapping[str, Any], shape: Shape) -> list[Problem]:
    """Return what entries of the section ``data`` are refused for, wherever the shape holds."""
    return [
        problem
        for name, spec in mapping(document, "data").items()
        if shape.holds(("data", name)) and isinstance(spec, Mapping)
        for problem in _entry_problems(("data", name), spec, shape)
    ]


def _entry_problems(place: Place, spec: Mapping[str, Any], shape: Shape) -> list[Problem]:
    found = refused(CleaningRules, spec.get("rules"), (*place, "rules"), shape)
    if "source" not in spec:
        return found
    if shape.holds((*place, "source")):
        found += refused(sources[spec["source"]], _source_values(spec), place, shape)
    if "calendar" in spec and shape.holds((*place, "calendar")):
        problem = calendar_problem(spec["calendar"])
        found += [Problem((*place, "calendar"), problem)] if problem else []
    return found


def calendar_problem(text: str) -> str:
    """Return what is wrong with a calendar, or an empty text."""
    try:
        Calendar(*grid_of(text))
    except CalendarError as error:
        return str(error)
    return ""


def _source_values(spec: Mapping[str, Any]) -> dict[str, Any]:
    return without(spec, "source", "calendar", "rules", "dataset")


def without(spec: Mapping[str, Any] | None, *keys: str) -> dict[str, Any]:
    """Return a section without some of its keys."""
    return {key: value for key, value in (spec or {}).items() if key not in keys}
