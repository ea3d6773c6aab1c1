"""What a document means where it says nothing, or misspells the name of a plug-in."""

from collections.abc import Mapping
from typing import Any

from plumbline.core.errors import PlumblineError, UnknownPluginError, nearest_name
from plumbline.core.plugin import Room
from plumbline.factors.model import models
from plumbline.factors.regime import regimes
from plumbline.features.signal import signals
from plumbline.lake.source import sources
from plumbline.stages.kind import Place, Problem

_REQUIRED = ("name", "data", "universe", "factors", "signals")
_OPTIONAL = {
    "universe": ("assets", "rules"),
    "model": ("model",),
    "neutralise": ("betas", "sectors"),
}
_PLUGINS: tuple[tuple[str, str, Room[Any]], ...] = (
    ("data", "source", sources),
    ("signals", "signal", signals),
    ("regimes", "regime", regimes),
)


def without_empty(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without the optional keys that hold nothing, which mean their defaults."""
    kept = {k: v for k, v in document.items() if v is not None or k in _REQUIRED}
    for section, keys in _OPTIONAL.items():
        if section in kept:
            kept[section] = _without(kept[section], keys)
    if isinstance(kept.get("data"), Mapping):
        kept["data"] = {name: _without(spec, ("rules",)) for name, spec in kept["data"].items()}
    return kept


def as_meant(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return a document with the nearest plug-in in the place of each that nobody has.

    So the parameters beside a misspelt name are checked too.

    Returns
    -------
    document : the same where no name is near, or the nearest plug-in cannot be loaded.
    problems : one for each name that is taken for another.
    """
    meant = dict(document)
    problems: list[Problem] = []
    for section, key, room in _PLUGINS:
        entries = document.get(section)
        if isinstance(entries, Mapping):
            meant[section] = {
                label: _entry(room, key, (section, label), spec, problems)
                for label, spec in entries.items()
            }
    if isinstance(document.get("model"), Mapping):
        meant["model"] = _entry(models, "model", ("model",), document["model"], problems)
    return meant, problems


def _entry(room: Room[Any], key: str, place: Place, spec: Any, problems: list[Problem]) -> Any:
    """Return an entry with a name that the room has; its label is the name if it gives none."""
    given = {} if spec is None else spec
    if not isinstance(given, Mapping) or (key not in given and place[0] in ("data", "model")):
        return spec
    name = given.get(key, place[-1])
    near = nearest_name(name, room) if isinstance(name, str) and name not in room else None
    if near is None:
        return spec
    try:
        room[near]
    except PlumblineError:
        return spec
    told = str(UnknownPluginError(room.kind.__name__, name, room))
    problems.append(Problem((*place, key) if key in given else place, told))
    return {**given, key: near}


def _without(section: Any, keys: tuple[str, ...]) -> Any:
    if not isinstance(section, Mapping):
        return section
    return {k: v for k, v in section.items() if v is not None or k not in keys}
