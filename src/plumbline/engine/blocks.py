"""From a pipeline to tasks: one task is one block of one node.

Blocks lie at fixed places (calendar numbers, neighbours in sorted lists), so they depend on the
data alone and never on the workers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.core.errors import ParameterError
from plumbline.engine.pipeline import DataInput, Node, Pipeline
from plumbline.engine.stage import AssetBlocks, Axes, PortfolioBlocks, Scan, TimeBlocks, Whole


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

    @property
    def place(self) -> tuple[str, str]:
        """Return (node, block): what the ledger calls this task."""
        return self.node.name, self.block.label

    @property
    def needs(self) -> list[int]:
        """Return the numbers of the tasks whose results this one reads."""
        numbers = [n for read in self.reads for n in read.producers]
        return numbers if self.before is None else [*numbers, self.before]


def tasks_of(pipeline: Pipeline) -> tuple[Task, ...]:
    """Return every block of every node, producers first."""
    tasks: list[Task] = []
    axes: dict[str, Axes] = {}
    made: dict[str, list[Task]] = {}
    for node in pipeline.nodes:
        names = [n for n in (*node.stage.reads, *node.stage.optional) if n in node.inputs]
        extents = {name: _extent(node.inputs[name], axes) for name in names}
        axes[node.name] = node.stage.axes(extents)
        made[node.name] = []
        for block in _blocks(node, axes[node.name]):
            reads = tuple(_read(node, name, block, extents[name], made) for name in names)
            is_scan = isinstance(node.stage.partition, Scan)
            before = made[node.name][-1].number if is_scan and made[node.name] else None
            task = Task(len(tasks), node, block, reads, before)
            tasks.append(task)
            made[node.name].append(task)
    return tuple(tasks)


def _extent(source: str | DataInput, axes: Mapping[str, Axes]) -> Axes:
    return source.axes if isinstance(source, DataInput) else axes[source]


def _blocks(node: Node, axes: Axes) -> list[Block]:
    partition = node.stage.partition
    if isinstance(partition, Whole):
        return [Block("all", "whole", axes)]
    if isinstance(partition, AssetBlocks):
        return [
            Block(f"assets {i}-{i + partition.assets - 1}", "asset", _narrow(axes, assets=part))
            for i, part in _parts(axes.assets, partition.assets)
        ]
    if isinstance(partition, PortfolioBlocks):
        return [
            Block(
                f"portfolios {i}-{i + partition.portfolios - 1}",
                "portfolio",
                _narrow(axes, portfolios=part),
            )
            for i, part in _parts(axes.portfolios, partition.portfolios)
        ]
    size = partition.bars
    if axes.end_bar <= axes.first_bar:
        raise ParameterError(f"node {node.name!r} has no bars to cut into blocks")
    numbers = range(axes.first_bar // size, (axes.end_bar - 1) // size + 1)
    return [
        Block(
            f"bars {i * size}-{(i + 1) * size - 1}",
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


def _parts(names: tuple[str, ...], size: int) -> list[tuple[int, tuple[str, ...]]]:
    return [(i, names[i : i + size]) for i in range(0, len(names), size)]


def _narrow(
    axes: Axes, assets: tuple[str, ...] | None = None, portfolios: tuple[str, ...] | None = None
) -> Axes:
    return Axes(
        axes.first_bar,
        axes.end_bar,
        axes.assets if assets is None else assets,
        axes.portfolios if portfolios is None else portfolios,
    )


def _read(
    node: Node, name: str, block: Block, extent: Axes, made: Mapping[str, list[Task]]
) -> Read:
    selection = _selection(node, name, block, extent)
    source = node.inputs[name]
    if isinstance(source, DataInput):
        return Read(name, selection, data=source)
    producers = tuple(t.number for t in made[source] if _overlaps(t.block, selection))
    return Read(name, selection, producers)


def _selection(node: Node, name: str, block: Block, extent: Axes) -> Selection:
    partition = node.stage.partition
    if name in node.stage.whole or isinstance(partition, Whole) or extent == Axes():
        return Selection()
    if isinstance(partition, AssetBlocks):
        return Selection(assets=block.axes.assets)
    if isinstance(partition, PortfolioBlocks):
        return Selection(portfolios=block.axes.portfolios)
    warm_up = partition.warm_up if isinstance(partition, TimeBlocks) else 0
    look_ahead = partition.look_ahead if isinstance(partition, TimeBlocks) else 0
    first = max(extent.first_bar, block.axes.first_bar - warm_up)
    end = min(extent.end_bar, block.axes.end_bar + look_ahead)
    return Selection(bars=(first, max(first, end)))


def _overlaps(block: Block, selection: Selection) -> bool:
    if block.kind == "time" and selection.bars is not None:
        return block.axes.first_bar < selection.bars[1] and selection.bars[0] < block.axes.end_bar
    if block.kind == "asset" and selection.assets is not None:
        return not set(block.axes.assets).isdisjoint(selection.assets)
    if block.kind == "portfolio" and selection.portfolios is not None:
        return not set(block.axes.portfolios).isdisjoint(selection.portfolios)
    return True
