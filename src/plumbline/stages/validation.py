"""Documents against their JSON schema, and plug-ins made from plain values."""

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from plumbline.core.errors import PlumblineError, RecipeError, nearest_names
from plumbline.core.parameters import shown
from plumbline.core.plugin import Plugin, Room
from plumbline.stages.departures import departures
from plumbline.stages.kind import Kind, Place, Problem, Shape

T = TypeVar("T")
P = TypeVar("P", bound=Plugin)


def problems_of(kind: Kind, document: Mapping[str, Any], base: Path) -> list[Problem]:
    """Return everything wrong with a document: its shape, and the plug-ins' own checks.

    The plug-ins' checks (a window below its minimum, two values that exclude each other) run on
    all that has the right shape.
    """
    schema, found = kind.schema(document)
    found += departures(schema, document)
    shape = Shape(tuple(place for problem in found for place in problem.places))
    return found + kind.problems(document, shape, base)


def schema_of(cls: type) -> dict[str, Any]:
    """Return the JSON schema of a dataclass's fields, closed to other names."""
    return dict(_schema_of(cls))


def _adapter(cls: Any) -> Any:
    """Return what validates a dataclass, built once."""
    return _adapter_of(cls)


@lru_cache(maxsize=256)
def _adapter_of(cls: Any) -> Any:
    return TypeAdapter(cls)


@lru_cache(maxsize=256)
def _schema_of(cls: type) -> dict[str, Any]:
    schema: dict[str, Any] = _adapter(cls).json_schema()
    parts = schema.pop("$defs", {})
    found: dict[str, Any] = _written_out(schema, parts)
    found["additionalProperties"] = False
    return found


def _written_out(schema: Any, parts: Mapping[str, Any]) -> Any:
    """Return a schema with each part that it refers to in its place, so that it stands anywhere."""
    if isinstance(schema, list):
        return [_written_out(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _written_out(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {key: _written_out(value, parts) for key, value in schema.items()}


def plugin_schema(
    room: Room[P], name: object, place: tuple[str, ...]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the schema of a plug-in's parameters, or an open one and why there is no plug-in.

    That nobody has it, that two have it, that its file cannot be loaded or defines none: each is
    one problem among the others.
    """
    if not isinstance(name, str):
        return {}, [Problem(place, f"{name!r} must be the name of a {room.kind.__name__}")]
    try:
        return schema_of(room[name]), []
    except PlumblineError as error:
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
        raise RecipeError("recipe", [str(problem) for problem in problems])
    instance: T = _adapter(cls).validate_python(dict(values))
    return instance


def refusals(cls: type, values: Mapping[str, Any], place: Place) -> list[Problem]:
    """Return why a class refuses plain values; empty if it takes them."""
    names = [field.name for field in dataclasses.fields(cls)]
    unknown = [
        Problem((*place, name), f"is no name here; {nearest_names(name, names)}")
        for name in values
        if name not in names
    ]
    if unknown:
        return unknown
    try:
        _adapter(cls).validate_python(dict(values))
    except ValidationError as error:
        found = []
        for e in error.errors():
            where = (*place, *(str(step) for step in e["loc"]))
            text = e["msg"].removeprefix("Value error, ")
            if where == place:
                found += placed(cls, text, values, place)
            else:
                found.append(Problem(where, text))
        return found
    return []


def refused(
    cls: type, values: Mapping[str, Any] | None, place: Place, shape: Shape
) -> list[Problem]:
    """Return why a class refuses those values that are of the right shape.

    What it says of another value besides, which it does not know, is left out.
    """
    if not shape.holds(place):
        return []
    given = values or {}
    kept = {k: v for k, v in given.items() if shape.is_whole((*place, k))}
    unknown = given.keys() - kept.keys()
    n = len(place) + 1
    return [
        problem
        for problem in refusals(cls, kept, place)
        if len(problem.place) < n or shape.is_whole(problem.place[:n])
        if not unknown & set(re.findall(r"\w+", problem.text))
    ]


def placed(cls: type, text: str, values: Mapping[str, Any], place: Place) -> list[Problem]:
    """Return what a class says of its fields, each sentence at the field that it is about.

    Parameters
    ----------
    text : sentences; the instance that it may end with, with all its defaults, is left out, and
        the values of those fields alone are shown that a sentence names.
    values : what was given of the fields.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    bare = re.sub(rf"[,;] got {re.escape(cls.__qualname__)}\(.*\)$", "", text, flags=re.DOTALL)
    return [_placed(sentence, defaults, values, place) for sentence in bare.split("; ")]


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


def _placed(
    sentence: str, defaults: Mapping[str, Any], values: Mapping[str, Any], place: Place
) -> Problem:
    words = dict.fromkeys(re.findall(r"\w+", sentence.split(" got ")[0]))
    named = [word for word in words if word in defaults]
    given = tuple(name for name in named if name in values)
    if not given:
        return Problem(place, sentence)
    told = [] if " got " in sentence else [name for name in named if f"{name}=" not in sentence]
    parts = [
        f"{name}={shown(values[name])}"
        if name in values
        else f"{name}={shown(defaults[name])} by default"
        for name in told
        if name in values or defaults[name] is not dataclasses.MISSING
    ]
    if len(named) == len(parts) == 1:
        parts = [shown(values[given[0]])]
    got = f"; got {', '.join(parts)}" if parts else ""
    if len(given) == 1:
        return Problem((*place, given[0]), sentence + got)
    return Problem(place, sentence + got, given)
