"""From a pipeline to tasks: one task is one block of one node.

Blocks lie at fixed places (calendar numbers, neighbours in sorted lists), so they depend on the
data alone and never on the workers.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

from plumbline.core.errors import ParameterError
from plumbline.engine.pipeline import DataInput, Node, Pipeline
from plumbline.engine.stage import AssetBlocks, Axes, PortfolioBlocks, Scan, TimeBlocks, Whole

_BARS_LABEL = re.compile(r"bars (-?\d+)-(-?\d+)")


@final
@dataclass(frozen=True)
class Block:
    """One piece of a node's output.

    Parameters
    ----------
    label : name of the block in plans and in the ledger; does not change when data grow.
    kind : ``whole``, ``time``, ``asset`` or ``portfolio``: how the pieces of the node join.
    axes : the extent of this piece.
    """

    label: str
    kind: str
    axes: Axes


@final
@dataclass(frozen=True)
class Selection:
    """The part of an input that a task reads; None means all."""

    bars: tuple[int, int] | None = None
    assets: tuple[str, ...] | None = None
    portfolios: tuple[str, ...] | None = None


@final
@dataclass(frozen=True)
class Read:
    """One input of a task: pieces made by other tasks, or bars of a data set."""

    name: str
    selection: Selection
    producers: tuple[int, ...] = ()
    data: DataInput | None = None


@final
@dataclass(frozen=True)
class Task:
    """One block of one node.

    Parameters
    ----------
    number : position in the list of all tasks; producers come before their readers.
    node : the node.
    block : the piece of output to make.
    reads : inputs, in the order of the stage's ``reads``.
    before : the task whose end state this one starts from, in a scan.
    """

    number: int
    node: Node
    block: Block
    reads: tuple[Read, ...]
    before: int | None = None

    @cached_property
    def place(self) -> tuple[str, str]:
        """Return (node, block): what the ledger calls this task."""
        return self.node.name, self.block.label

    @cached_property
    def needs(self) -> list[int]:
        """Return the numbers of the tasks whose results this one reads."""
        numbers = [n for read in self.reads for n in read.producers]
        return numbers if self.before is None else [*numbers, self.before]


@final
class _Made:
    """The tasks of one node, found by the part of the output that they make."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.numbers = tuple(task.number for task in tasks)
        self._kind = tasks[0].block.kind
        self._blocks = [task.block.axes for task in tasks]
        self._firsts = [axes.first_bar for axes in self._blocks]
        self._ends = [axes.end_bar for axes in self._blocks]

    def overlapping(self, selection: Selection) -> tuple[int, ...]:
        """Return the numbers of the tasks whose block holds some of a selection."""
        if self._kind == "time" and selection.bars is not None:
            first, end = selection.bars
            start, stop = bisect_right(self._ends, first), bisect_left(self._firsts, end)
            start = min(
                start, len(self.numbers) - 1
            )  # where there is none the nearest, cut to none
            return self.numbers[start : max(start + 1, stop)]
        if self._kind == "asset" and selection.assets is not None:
            return self._among([axes.assets for axes in self._blocks], selection.assets)
        if self._kind == "portfolio" and selection.portfolios is not None:
            return self._among([axes.portfolios for axes in self._blocks], selection.portfolios)
        return self.numbers

    def _among(self, blocks: list[tuple[str, ...]], names: tuple[str, ...]) -> tuple[int, ...]:
        """Return the blocks of neighbours that lie between the ends of a sorted list of names."""
        start = bisect_left([block[-1] for block in blocks], names[0])
        stop = bisect_right([block[0] for block in blocks], names[-1])
        return tuple(
            number
            for number, block in zip(self.numbers[start:stop], blocks[start:stop], strict=True)
            if not set(block).isdisjoint(names)
        )


def tasks_of(pipeline: Pipeline) -> tuple[Task, ...]:
    """Return every block of every node, producers first.

    Raises
    ------
    ParameterError
        If a node has nothing to cut into blocks along the axis of its partition.
    """
    tasks: list[Task] = []
    axes: dict[str, Axes] = {}
    made: dict[str, _Made] = {}
    for node in pipeline.nodes:
        stage = node.stage
        names = [n for n in (*stage.reads, *stage.optional) if n in node.inputs]
        extents = {name: _extent(node.inputs[name], axes) for name in names}
        axes[node.name] = stage.axes(extents)
        is_scan = isinstance(stage.partition, Scan)
        first = len(tasks)
        for block in _blocks(node, axes[node.name]):
            reads = tuple(_read(node, name, block, extents[name], made) for name in names)
            before = len(tasks) - 1 if is_scan and len(tasks) > first else None
            tasks.append(Task(len(tasks), node, block, reads, before))
        made[node.name] = _Made(tasks[first:])
    return tuple(tasks)


def _extent(source: str | DataInput, axes: Mapping[str, Axes]) -> Axes:
    return source.axes if isinstance(source, DataInput) else axes[source]


def _blocks(node: Node, axes: Axes) -> list[Block]:
    partition = node.stage.partition
    if isinstance(partition, Whole):
        return [Block("all", "whole", axes)]
    if isinstance(partition, AssetBlocks):
        _require_some(node, "assets", len(axes.assets))
        return [
            Block(f"assets {i}-{i + partition.assets - 1}", "asset", replace(axes, assets=part))
            for i, part in _parts(axes.assets, partition.assets)
        ]
    if isinstance(partition, PortfolioBlocks):
        size = partition.portfolios
        _require_some(node, "portfolios", len(axes.portfolios))
        return [
            Block(f"portfolios {i}-{i + size - 1}", "portfolio", replace(axes, portfolios=part))
            for i, part in _parts(axes.portfolios, size)
        ]
    size = partition.bars
    _require_some(node, "bars", axes.end_bar - axes.first_bar)
    numbers = range(axes.first_bar // size, (axes.end_bar - 1) // size + 1)
    return [
        Block(
            _bars_label(i * size, (i + 1) * size - 1),
            "time",
            Axes(
                max(axes.first_bar, i * size),
                min(axes.end_bar, (i + 1) * size),
                axes.assets,
                axes.portfolios,
            ),
        )
        for i in numbers
    ]


def _bars_label(first: int, last: int) -> str:
    return f"bars {first}-{last}"


def bars_of_label(label: str) -> tuple[int, int] | None:
    """Return the calendar numbers between which a block lies, or None if it is none of bars."""
    found = _BARS_LABEL.fullmatch(label)
    return None if found is None else (int(found[1]), int(found[2]))


def _require_some(node: Node, what: str, count: int) -> None:
    if count < 1:
        raise ParameterError(
            f"node {node.name!r} has no {what} to cut into blocks; its stage must say in axes "
            "which it has"
        )


def _parts(names: tuple[str, ...], size: int) -> list[tuple[int, tuple[str, ...]]]:
    return [(i, names[i : i + size]) for i in range(0, len(names), size)]


def _read(node: Node, name: str, block: Block, extent: Axes, made: Mapping[str, _Made]) -> Read:
    selection = _selection(node, name, block, extent)
    source = node.inputs[name]
    if isinstance(source, DataInput):
        return Read(name, selection, data=source)
    return Read(name, selection, made[source].overlapping(selection))


def _selection(node: Node, name: str, block: Block, extent: Axes) -> Selection:
    partition = node.stage.partition
    if name in node.stage.whole or isinstance(partition, Whole):
        return Selection()
    if isinstance(partition, AssetBlocks):
        return Selection(assets=block.axes.assets) if extent.assets else Selection()
    if isinstance(partition, PortfolioBlocks):
        return Selection(portfolios=block.axes.portfolios) if extent.portfolios else Selection()
    if extent.end_bar <= extent.first_bar:
        return Selection()
    warm_up = partition.warm_up if isinstance(partition, TimeBlocks) else 0
    look_ahead = partition.look_ahead if isinstance(partition, TimeBlocks) else 0
    first = max(extent.first_bar, block.axes.first_bar - warm_up)
    end = min(extent.end_bar, block.axes.end_bar + look_ahead)
    if first < end:
        return Selection(bars=(first, end))
    nearest = min(max(first, extent.first_bar), extent.end_bar - 1)
    return Selection(bars=(nearest, nearest))  # it has no bars here: an empty panel
