"""Plug-in rooms: one file is one plug-in, found by its name and loaded on first use."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import isabstract
from pathlib import Path
from typing import Any, Generic, TypeVar

from plumbline.core.digest import digest
from plumbline.core.errors import (
    BrokenPluginError,
    ParameterError,
    PlumblineError,
    UnknownPluginError,
    place_of,
)


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A frozen dataclass: its fields are its configuration, its docstring is its page."""

    @property
    def fingerprint(self) -> str:
        """Return the hex digest of class and fields; plug-ins may nest.

        The source of the class is not in it: the engine digests that beside it, with the files
        that the source reaches.
        """
        cls = type(self)
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return digest(["plugin", cls.__module__, cls.__qualname__, fields])


P = TypeVar("P", bound=Plugin)


class Room(Mapping[str, type[P]], Generic[P]):
    """The plug-ins of one folder, keyed by file name and imported on first use.

    A plug-in outside the package registers an entry point of its class in the group that has
    the room's dotted name, for instance ``plumbline.features.signals``.

    Parameters
    ----------
    package : dotted name of the folder; also the entry-point group.
    kind : the abstract plug-in class of the room.
    """

    def __init__(self, package: str, kind: type[P]) -> None:
        self.package = package
        self.kind = kind

    @cached_property
    def _files(self) -> tuple[str, ...]:
        spec = find_spec(self.package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        stems = {f.stem for folder in folders for f in Path(folder).glob("*.py")}
        return tuple(sorted(stem for stem in stems if not stem.startswith("_")))

    @cached_property
    def _registered(self) -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=self.package))

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in self._registered}

    @cached_property
    def _ambiguous(self) -> frozenset[str]:
        """Return the names of several entry points, or of one and a file."""
        names = [*self._files, *(point.name for point in self._registered)]
        return frozenset(name for name, count in Counter(names).items() if count > 1)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._files, *self._entry_points}))

    def __len__(self) -> int:
        return len({*self._files, *self._entry_points})

    def __contains__(self, name: object) -> bool:
        return name in self._files or name in self._entry_points

    def __getitem__(self, name: str) -> type[P]:
        if name in self._ambiguous:
            raise ParameterError(
                f"{self.package} holds two plug-ins named {name!r}; one of them is the entry point "
                f"{self._entry_points[name].value}: rename it or uninstall its package"
            )
        if name in self._files:
            module = f"{self.package}.{name}"
            return self._plugin_of(self._loaded(name, module, partial(import_module, module)))
        if name in self._entry_points:
            point = self._entry_points[name]
            dist = "" if point.dist is None else f" of the package {point.dist.name}"
            found = self._loaded(name, f"the entry point {point.value}{dist}", point.load)
            return self._checked(name, found)
        raise UnknownPluginError(self.kind.__name__, name, self)

    def __repr__(self) -> str:
        return f"Room({self.package}: {', '.join(self)})"

    def name_of(self, plugin: P | type[P]) -> str:
        """Return the name under which the room holds a plug-in or its class."""
        cls = plugin if isinstance(plugin, type) else type(plugin)
        for name in self:
            if self[name] is cls:
                return name
        raise UnknownPluginError(self.kind.__name__, cls.__name__, self)

    def _loaded(self, name: str, origin: str, load: Callable[[], Any]) -> Any:
        """Return what loading gives; whatever a file raises is said with the plug-in's name."""
        try:
            return load()
        except PlumblineError:
            raise
        except Exception as error:
            raise BrokenPluginError(
                f"the {self.kind.__name__} {name!r} ({origin}) cannot be loaded: "
                f"{type(error).__name__}: {error} [{place_of(error)}]; mend that file or take the "
                "plug-in away"
            ) from error

    def _plugin_of(self, module: Any) -> type[P]:
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, self.kind)
            and value.__module__ == module.__name__
            and not isabstract(value)
            and not value.__name__.startswith("_")
        ]
        if len(found) != 1:
            names = ", ".join(c.__name__ for c in found) or "none"
            raise ParameterError(
                f"{module.__name__} must define one {self.kind.__name__}; it defines: {names}"
            )
        return self._checked(module.__name__, found[0])

    def _checked(self, name: str, cls: Any) -> type[P]:
        if not (isinstance(cls, type) and issubclass(cls, self.kind)):
            raise ParameterError(f"{name} is not a {self.kind.__name__}: {cls!r}")
        params = vars(cls).get("__dataclass_params__")  # its own: an inherited one omits its fields
        if params is None or not params.frozen:
            raise ParameterError(f"{cls.__name__} ({name}) must be a frozen dataclass")
        return cls
