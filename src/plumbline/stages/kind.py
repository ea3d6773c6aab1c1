"""What a kind of recipe is: its schema, the data it needs, and the graph that it may stand for."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from plumbline.core.errors import ParameterError
from plumbline.core.plugin import Plugin, Room
from plumbline.engine.pipeline import DataSet, Pipeline
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.source import Source


@final
@dataclass(frozen=True)
class DataSpec:
    """A data set that a recipe needs.

    Parameters
    ----------
    source : where its bars come from; None takes the data set of that name from the lake.
    calendar : the grid, such as ``XNYS`` or ``24/7 1h``.
    rules : how it is cleaned.
    dataset : name in the lake.
    version, as_of : without a source: which version, or the one that the name meant at a time.
    """

    source: Source | None
    calendar: str
    rules: CleaningRules
    dataset: str
    version: int | None = None
    as_of: str | None = None


Place = tuple[str, ...]
"""Keys that lead to a value of a document, such as ``("model", "window")``."""


@final
@dataclass(frozen=True)
class Problem:
    """Something wrong at a place of a document.

    Parameters
    ----------
    place : keys that lead there.
    text : what is wrong.
    among : the keys below the place that the text is about, if it is not about the whole of it.
    is_sure : False if the data may show that nothing is wrong; told beside other problems only.
    """

    place: Place
    text: str
    among: tuple[str, ...] = ()
    is_sure: bool = True

    @property
    def places(self) -> list[Place]:
        """Return the places that the text is about."""
        return [(*self.place, key) for key in self.among] or [self.place]

    def __str__(self) -> str:
        return f"{'.'.join(self.place)}: {self.text}" if self.place else self.text


@final
@dataclass(frozen=True)
class Shape:
    """Where a document departs from its schema.

    Parameters
    ----------
    broken : the places of what the schema refuses.
    """

    broken: tuple[Place, ...]

    def holds(self, place: Place) -> bool:
        """Return whether nothing is refused at a place or above it."""
        return not any(b and place[: len(b)] == b for b in self.broken)

    def is_whole(self, place: Place) -> bool:
        """Return whether nothing is refused at a place, above it or below it."""
        return self.holds(place) and not any(b[: len(place)] == place for b in self.broken)


@final
@dataclass(frozen=True)
class Gate:
    """A demand on a result: ``metric`` of ``subject`` must be ``at_least`` or ``at_most``."""

    metric: str
    subject: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not bounds or not all(math.isfinite(bound) for bound in bounds):
            raise ParameterError(
                f"a gate on {self.metric} of {self.subject} needs at_least or at_most, a number"
            )
        if bounds != sorted(bounds):
            raise ParameterError(
                f"no number can pass at_least={bounds[0]:g} and at_most={bounds[1]:g}"
            )


@dataclass(frozen=True)
class Kind(Plugin, ABC):
    """A kind of recipe; a file in ``stages/pipelines`` adds one."""

    @abstractmethod
    def meant(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return a document without optional keys that hold nothing, and with names that exist.

        A plug-in that nobody has and that is close to another is taken for that one, which is a
        problem, so that its parameters can be checked.
        """

    @abstractmethod
    def schema(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the JSON schema for a document, given the plug-ins it names.

        Plug-ins that do not exist are the problems returned beside it.
        """

    @abstractmethod
    def problems(self, document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
        """Return what plug-ins, options and their combination refuse, wherever the shape holds.

        Whatever the document alone decides is among it; a check that depends on a part that is
        itself refused is left out.

        Parameters
        ----------
        document : any document; parts that are not of the right shape are passed over.
        shape : where it departs from the schema.
        base : folder that its paths start from.
        """

    @abstractmethod
    def resolved(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a valid document with every default filled in."""

    @abstractmethod
    def data(self, document: Mapping[str, Any]) -> Mapping[str, DataSpec]:
        """Return the data sets that a valid document needs, by its names for them."""


@dataclass(frozen=True)
class GraphKind(Kind, ABC):
    """A kind whose recipes stand for a graph of blocks, which the engine runs."""

    @abstractmethod
    def unmet(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> list[Problem]:
        """Return what a valid document asks for and its data lack.

        If nothing of it can be computed from them, that is a problem too, and so is then whatever
        else they cannot give.
        """

    @abstractmethod
    def build(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> Pipeline:
        """Return the graph of a valid document over data sets that hold what it asks for."""

    @abstractmethod
    def warnings(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> tuple[str, ...]:
        """Return what of a valid document cannot be computed from its data, and why."""

    @abstractmethod
    def gates(self, document: Mapping[str, Any]) -> tuple[Gate, ...]:
        """Return the demands on the results."""


kinds: Room[Kind] = Room("plumbline.stages.pipelines", Kind)
