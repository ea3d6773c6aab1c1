"""What a block will cost: by past blocks of its node, scaled by bars, else by what it reads."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from plumbline.engine.blocks import Block, Read, Task, bars_of_label
from plumbline.engine.stage import Axes
from plumbline.ledger.costs import Cost

_VALUE_BYTES = 8
_COPIES = 3  # of what a block reads and writes, that a stage holds at once, as a rule
_MARGIN = 1.25  # of past peaks, which differ by what else a process had loaded


class Expected(NamedTuple):
    """What a block is expected to cost: seconds if the past tells, and bytes beside the process."""

    seconds: float | None
    n_bytes: int
    is_known: bool


def expected_costs(
    tasks: Sequence[Task], sizes: Mapping[int, int], past: Mapping[str, Sequence[Cost]]
) -> dict[int, Expected]:
    """Return what each block of a pipeline is expected to cost, by its number.

    Parameters
    ----------
    tasks : all blocks, producers first.
    sizes : number of a block -> bytes of its result, of those that are there.
    past : node -> what its blocks cost.
    """
    known = {task.number: sizes.get(task.number, _extent(task.block.axes)) for task in tasks}
    scales = {name: _Scale(costs) for name, costs in past.items()}
    return {task.number: _expected(task, tasks, known, scales) for task in tasks}


def bars_of(block: str) -> int:
    """Return how many bars a block of this label may hold; 1 if it is none of bars."""
    ends = bars_of_label(block)
    return 1 if ends is None else ends[1] - ends[0] + 1


class _Scale:
    """Medians of a node's past costs, for one bar where its blocks are of bars."""

    def __init__(self, costs: Sequence[Cost]) -> None:
        self.seconds = median(cost.seconds / bars_of(cost.block) for cost in costs)
        peaks = [c.peak_bytes / bars_of(c.block) for c in costs if c.peak_bytes is not None]
        self.peak_bytes = median(peaks) if peaks else None


def _expected(
    task: Task, tasks: Sequence[Task], sizes: Mapping[int, int], scales: Mapping[str, _Scale]
) -> Expected:
    declared = task.node.stage.resources.memory_bytes
    bars = bars_of(task.block.label)
    scale = scales.get(task.node.name)
    seconds = None if scale is None else scale.seconds * bars
    if declared is not None:
        return Expected(seconds, declared, is_known=True)
    if scale is not None and scale.peak_bytes is not None:
        return Expected(seconds, int(scale.peak_bytes * bars * _MARGIN), is_known=True)
    read = sum(_read_bytes(one, tasks, sizes) for one in task.reads)
    written = _extent(task.block.axes)
    return Expected(seconds, _COPIES * (read + written), is_known=False)


def _read_bytes(read: Read, tasks: Sequence[Task], sizes: Mapping[int, int]) -> int:
    if read.data is None:
        return sum(_part(read, tasks[n].block) * sizes[n] // 1000 for n in read.producers)
    axes, selection = read.data.axes, read.selection
    first, end = selection.bars or (axes.first_bar, axes.end_bar)
    assets = axes.assets if selection.assets is None else selection.assets
    return max(0, end - first) * len(assets) * len(read.data.fields) * _VALUE_BYTES


def _part(read: Read, block: Block) -> int:
    """Return how many thousandths of a block's bars are read."""
    axes, bars = block.axes, read.selection.bars
    n_bars = axes.end_bar - axes.first_bar
    if bars is None or n_bars <= 0:
        return 1000
    common = min(bars[1], axes.end_bar) - max(bars[0], axes.first_bar)
    return max(0, min(1000, -(-1000 * common // n_bars)))


def _extent(axes: Axes) -> int:
    """Return the bytes of one field over some axes."""
    bars = max(1, axes.end_bar - axes.first_bar)
    return bars * max(1, len(axes.assets)) * max(1, len(axes.portfolios)) * _VALUE_BYTES
