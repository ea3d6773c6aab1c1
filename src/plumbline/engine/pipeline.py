"""Pipelines: named stages wired to each other and to data sets."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, final, runtime_checkable

import numpy as np

from plumbline.core.errors import RecipeError, nearest_names
from plumbline.core.panel import Panel
from plumbline.engine.stage import Axes, Stage


@runtime_checkable
class DataSet(Protocol):
    """What the engine needs of a data set: an identity, its extent and digests of its parts."""

    @property
    def dataset_id(self) -> str:
        """Return the digest of the whole content."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields."""

    @property
    def assets(self) -> tuple[str, ...]:
        """Return the sorted asset names."""

    @property
    def calendar_name(self) -> str:
        """Return the name of the calendar that numbers its bars."""

    @property
    def frequency(self) -> str:
        """Return the length of a bar."""

    @property
    def first_bar(self) -> int:
        """Return the calendar number of the first bar."""

    @property
    def last_bar(self) -> int:
        """Return the calendar number of the last bar."""

    def closes(self, first_bar: int | None = None, last_bar: int | None = None) -> np.ndarray:
        """Return the UTC close times of its bars from one number to another, both included."""

    def digest_of(
        self,
        fields: tuple[str, ...] | None = None,
        assets: tuple[str, ...] | None = None,
        first_bar: int | None = None,
        last_bar: int | None = None,
    ) -> str:
        """Return the digest of the patches that hold these fields, assets and bars."""


@runtime_checkable
class PanelReader(Protocol):
    """What a worker needs of a lake: bars as a panel."""

    def panel(
        self,
        dataset_id: str,
        fields: tuple[str, ...] | None = None,
        assets: tuple[str, ...] | None = None,
        first_bar: int | None = None,
        last_bar: int | None = None,
    ) -> Panel:
        """Return bars of a data set."""


@final
@dataclass(frozen=True)
class DataInput:
    """A data set as an input: which fields, and which assets if not all."""

    dataset: DataSet
    fields: tuple[str, ...]
    assets: tuple[str, ...] | None = None

    @property
    def axes(self) -> Axes:
        """Return the extent of the data."""
        return Axes(
            first_bar=self.dataset.first_bar,
            end_bar=self.dataset.last_bar + 1,
            assets=self.dataset.assets if self.assets is None else tuple(sorted(set(self.assets))),
        )


@final
@dataclass(frozen=True)
class Node:
    """A stage with a name, and where each of its inputs comes from."""

    name: str
    stage: Stage
    inputs: Mapping[str, str | DataInput] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Pipeline:
    """A named graph of nodes.

    Parameters
    ----------
    name : says in the ledger which results belong together.
    nodes : stages in any order; an input names another node or is a data set.
    on_code_change : ``recompute``, or ``keep`` results that differ by code alone, marked as such.

    Raises
    ------
    RecipeError
        If names repeat, inputs are missing or unknown, or the graph has a cycle; all at once.
    """

    name: str
    nodes: tuple[Node, ...]
    on_code_change: str = "recompute"

    def __post_init__(self) -> None:
        problems = _problems(self)
        if problems:
            raise RecipeError(f"pipeline {self.name!r}", problems)
        order = {name: i for i, name in enumerate(_sorted_names(self.nodes))}
        ordered = tuple(sorted(self.nodes, key=lambda node: order[node.name]))
        object.__setattr__(self, "nodes", ordered)


def _sorted_names(nodes: tuple[Node, ...]) -> list[str]:
    graph = {
        node.name: [source for source in node.inputs.values() if isinstance(source, str)]
        for node in nodes
    }
    return list(TopologicalSorter(graph).static_order())


def _problems(pipeline: Pipeline) -> list[str]:
    names = [node.name for node in pipeline.nodes]
    known = set(names)
    twice = sorted(n for n, count in Counter(names).items() if count > 1)
    problems = [f"two nodes named {name!r}" for name in twice]
    if pipeline.on_code_change not in ("recompute", "keep"):
        problems.append(f"on_code_change={pipeline.on_code_change!r} must be recompute or keep")
    for node in pipeline.nodes:
        problems += _node_problems(node, known)
    if not problems:
        try:
            _sorted_names(pipeline.nodes)
        except CycleError as error:
            problems.append(f"nodes read each other in a circle: {' -> '.join(error.args[1])}")
    return problems


def _node_problems(node: Node, known: set[str]) -> list[str]:
    reads = set(node.stage.reads)
    allowed = reads | set(node.stage.optional)
    given = set(node.inputs)
    missing = [f"node {node.name!r} lacks its input {n!r}" for n in sorted(reads - given)]
    foreign = [
        f"node {node.name!r} has no input {name!r}; {nearest_names(name, allowed)}"
        for name in sorted(given - allowed)
    ]
    unknown = [
        f"node {node.name!r} reads the unknown node {source!r}; {nearest_names(source, known)}"
        for source in node.inputs.values()
        if isinstance(source, str) and source not in known
    ]
    return missing + foreign + unknown
