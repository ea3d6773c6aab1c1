"""Documents against their JSON schema, and plug-ins made from plain values."""

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from plumbline.core.errors import BrokenPluginError, RecipeError, UnknownPluginError, nearest_names
from plumbline.core.plugin import Plugin, Room
from plumbline.stages.departures import departures
from plumbline.stages.kind import Kind, Place, Problem, Shape

T = TypeVar("T")
P = TypeVar("P", bound=Plugin)


def problems_of(kind: Kind, document: Mapping[str, Any]) -> list[Problem]:
    """Return everything wrong with a document: its shape, and the plug-ins' own checks.

    The plug-ins' checks (a window below its minimum, two values that exclude each other) run on
    all that has the right shape.
    """
    schema, found = kind.schema(document)
    found += departures(schema, document)
    return found + kind.problems(document, Shape(tuple(problem.place for problem in found)))


def schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON schema of a dataclass's fields, closed to other names."""
    return dict(_schema_of(cls))


@lru_cache(maxsize=256)
def _schema_of(cls: type) -> dict[str, Any]:
    schema = TypeAdapter(cls).json_schema()
    schema["additionalProperties"] = False
    return schema


def plugin_schema(
    room: Room[P], name: object, place: tuple[str, ...]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the schema of a plug-in's parameters, or an open one and why there is no plug-in."""
    if not isinstance(name, str):
        return {}, [Problem(place, f"{name!r} must be the name of a {room.kind.__name__}")]
    try:
        return schema_of(room[name]), []
    except (BrokenPluginError, UnknownPluginError) as error:
        return {}, [Problem(place, str(error))]


def made(cls: type[T], values: Mapping[str, Any], place: str) -> T:
    """Return an instance from plain values.

    Raises
    ------
    RecipeError
        If the class refuses them; every problem is listed with its place.
    """
    problems = refusals(cls, values, (place,))
    if problems:
        raise RecipeError("recipe", [f"{'.'.join(p.place)}: {p.text}" for p in problems])
    return TypeAdapter(cls).validate_python(dict(values))


def refusals(cls: type, values: Mapping[str, Any], place: Place) -> list[Problem]:
    """Return why a class refuses plain values; empty if it takes them.

    A class's own check speaks of all its fields at once; each of its sentences is put at the given
    field that it names, if it is one.
    """
    names = [field.name for field in dataclasses.fields(cls)]
    unknown = [
        Problem((*place, name), f"is no name here; {nearest_names(name, names)}")
        for name in values
        if name not in names
    ]
    if unknown:
        return unknown
    try:
        TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        found = []
        for e in error.errors():
            where = (*place, *(str(step) for step in e["loc"]))
            text = e["msg"].removeprefix("Value error, ")
            found += _sentences(text, values, where) if where == place else [Problem(where, text)]
        return found
    return []


def refused(
    cls: type, values: Mapping[str, Any] | None, place: Place, shape: Shape
) -> list[Problem]:
    """Return why a class refuses those values that are of the right shape."""
    if not shape.holds(place):
        return []
    kept = {k: v for k, v in (values or {}).items() if shape.is_whole((*place, k))}
    n = len(place) + 1
    return [
        problem
        for problem in refusals(cls, kept, place)
        if len(problem.place) < n or shape.is_whole(problem.place[:n])
    ]


def filled(instance: object) -> dict[str, Any]:
    """Return all fields of a dataclass instance as plain values."""
    return {
        field.name: plain(getattr(instance, field.name))
        for field in dataclasses.fields(instance)  # type: ignore[arg-type]  # any dataclass
    }


def plain(value: Any) -> Any:
    """Return nested dataclasses, mappings and sequences as dicts and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return filled(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _sentences(text: str, values: Mapping[str, Any], place: Place) -> list[Problem]:
    *sentences, last = text.split("; ")
    sentences += [] if sentences and last.startswith("got ") else [last]
    found = []
    for sentence in sentences:
        named = [word for word in re.findall(r"\w+", sentence.split(" got ")[0]) if word in values]
        if len(named) != 1:
            found.append(Problem(place, sentence))
        else:
            name = named[0]
            is_told = "got " in sentence or f"={values[name]!r} " in sentence
            given = "" if is_told else f"; got {values[name]!r}"
            found.append(Problem((*place, name), sentence + given))
    return found
