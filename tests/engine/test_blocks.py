from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import ParameterError
from plumbline.engine.blocks import Selection, Task, tasks_of
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.stage import (
    AssetBlocks,
    Axes,
    Partition,
    PortfolioBlocks,
    Scan,
    Stage,
    TimeBlocks,
    Whole,
)


@final
@dataclass(frozen=True)
class Cut(Stage):
    """A stage of any partition and extent; it computes nothing."""

    cut: Partition = Whole()
    extent: Axes | None = None
    optional: ClassVar[tuple[str, ...]] = ("x",)
    whole: ClassVar[frozenset[str]] = frozenset()

    @property
    def partition(self) -> Partition:
        return self.cut

    def axes(self, inputs: Mapping[str, Axes]) -> Axes:
        return next(iter(inputs.values())) if self.extent is None else self.extent

    def run(self, inputs: Mapping[str, Any]) -> Any:
        raise AssertionError(f"nothing is run: {list(inputs)}")


def tasks(extent: Axes, *cuts: Partition) -> list[list[Task]]:
    """Return the tasks of each node of a chain of partitions."""
    nodes = [
        Node(f"n{i}", Cut(cut, None if i else extent), {"x": f"n{i - 1}"} if i else {})
        for i, cut in enumerate(cuts)
    ]
    found = tasks_of(Pipeline("p", tuple(nodes)))
    return [[t for t in found if t.node.name == f"n{i}"] for i in range(len(cuts))]


def extents(found: list[Task]) -> list[tuple[int, int]]:
    return [(t.block.axes.first_bar, t.block.axes.end_bar) for t in found]


def test_time_blocks_end_at_multiples_of_their_size() -> None:
    (found,) = tasks(Axes(37, 137), TimeBlocks(50))
    assert extents(found) == [(37, 50), (50, 100), (100, 137)]
    assert [t.block.label for t in found] == ["bars 0-49", "bars 50-99", "bars 100-149"]


def test_blocks_before_the_epoch_have_negative_numbers() -> None:
    (found,) = tasks(Axes(-75, 10), TimeBlocks(50))
    assert extents(found) == [(-75, -50), (-50, 0), (0, 10)]
    assert [t.block.label for t in found] == ["bars -100--51", "bars -50--1", "bars 0-49"]


def test_warm_up_and_look_ahead_stop_at_the_ends_of_the_data() -> None:
    _, found = tasks(Axes(37, 137), Whole(), TimeBlocks(50, warm_up=20, look_ahead=60))
    assert [t.reads[0].selection.bars for t in found] == [(37, 110), (37, 137), (80, 137)]


@given(
    first=st.integers(-300, 300),
    n_bars=st.integers(1, 200),
    more=st.integers(0, 100),
    size=st.integers(1, 60),
    warm_up=st.integers(0, 70),
    look_ahead=st.integers(0, 70),
)
def test_blocks_cover_the_data_once_and_growth_keeps_all_but_the_last(
    first: int, n_bars: int, more: int, size: int, warm_up: int, look_ahead: int
) -> None:
    cut = TimeBlocks(size, warm_up, look_ahead)
    source, found = tasks(Axes(first, first + n_bars), TimeBlocks(7), cut)
    bars = [bar for start, stop in extents(found) for bar in range(start, stop)]
    assert bars == list(range(first, first + n_bars))
    for task in found:
        start, stop = task.block.axes.first_bar, task.block.axes.end_bar
        assert start // size == (stop - 1) // size
        assert task.block.label == f"bars {start // size * size}-{start // size * size + size - 1}"
        wanted = range(max(first, start - warm_up), min(first + n_bars, stop + look_ahead))
        assert task.reads[0].selection == Selection(bars=(wanted.start, wanted.stop))
        assert list(task.reads[0].producers) == [
            p.number
            for p in source
            if set(range(p.block.axes.first_bar, p.block.axes.end_bar)) & set(wanted)
        ]
    _, grown = tasks(Axes(first, first + n_bars + more), TimeBlocks(7), cut)
    assert [t.block for t in grown[: len(found) - 1]] == [t.block for t in found[:-1]]
    assert grown[len(found) - 1].block.label == found[-1].block.label


@given(
    n_names=st.integers(1, 40),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    partition=st.sampled_from([AssetBlocks, PortfolioBlocks]),
)
def test_blocks_of_names_cover_them_once_and_read_the_blocks_that_hold_them(
    n_names: int, sizes: tuple[int, int], partition: Any
) -> None:
    names = tuple(f"N{i:03d}" for i in range(n_names))
    axis = "assets" if partition is AssetBlocks else "portfolios"
    source, found = tasks(Axes(0, 10, **{axis: names}), partition(sizes[0]), partition(sizes[1]))
    assert tuple(n for t in found for n in getattr(t.block.axes, axis)) == names
    for task in found:
        own = set(getattr(task.block.axes, axis))
        assert list(task.reads[0].producers) == [
            p.number for p in source if own & set(getattr(p.block.axes, axis))
        ]
        assert getattr(task.reads[0].selection, axis) == getattr(task.block.axes, axis)
        assert (task.block.axes.first_bar, task.block.axes.end_bar) == (0, 10)
    labels = [t.block.label for t in found]
    assert labels == [f"{axis} {i}-{i + sizes[1] - 1}" for i in range(0, n_names, sizes[1])]


def test_blocks_of_another_axis_are_all_read() -> None:
    extent = Axes(0, 100, ("A", "B", "C"))
    source, found = tasks(extent, TimeBlocks(30), AssetBlocks(2))
    assert [len(t.reads[0].producers) for t in found] == [len(source)] * 2
    source, found = tasks(extent, AssetBlocks(2), TimeBlocks(30))
    assert [len(t.reads[0].producers) for t in found] == [len(source)] * 4


def test_a_scan_runs_in_order_of_time() -> None:
    source, found = tasks(Axes(-20, 50), TimeBlocks(50), Scan(30))
    assert extents(found) == [(-20, 0), (0, 30), (30, 50)]
    assert [t.before for t in found] == [None, found[0].number, found[1].number]
    assert found[1].needs == [source[1].number, found[0].number]
    assert [t.reads[0].selection.bars for t in found] == [(-20, 0), (0, 30), (30, 50)]


@final
@dataclass(frozen=True)
class Beside(Stage):
    """A stage that reads one of its inputs whole."""

    cut: Partition = AssetBlocks(1)
    reads: ClassVar[tuple[str, ...]] = ("x", "factors")
    whole: ClassVar[frozenset[str]] = frozenset({"factors"})

    @property
    def partition(self) -> Partition:
        return self.cut

    def run(self, inputs: Mapping[str, Any]) -> Any:
        raise AssertionError(f"nothing is run: {list(inputs)}")


@pytest.mark.parametrize("cut", [AssetBlocks(1), TimeBlocks(10), Scan(10)], ids=repr)
def test_an_input_named_in_whole_is_read_whole(cut: Partition) -> None:
    nodes = (
        Node("prices", Cut(TimeBlocks(25), Axes(0, 50, ("A", "B")))),
        Node("factors", Cut(TimeBlocks(25), Axes(0, 50, ("F",)))),
        Node("both", Beside(cut), {"x": "prices", "factors": "factors"}),
    )
    found = [t for t in tasks_of(Pipeline("p", nodes)) if t.node.name == "both"]
    assert all(t.reads[1].selection == Selection() for t in found)
    assert all(len(t.reads[1].producers) == 2 for t in found)


@pytest.mark.parametrize("bars", [(0, 10), (90, 100)])
def test_where_an_input_has_no_bars_its_nearest_block_is_read_and_cut_to_none(
    bars: tuple[int, int],
) -> None:
    nodes = (
        Node("prices", Cut(Whole(), Axes(0, 100))),
        Node("late", Cut(TimeBlocks(20), Axes(30, 70))),
        Node("both", Joined(), {"x": "prices", "late": "late"}),
    )
    found = tasks_of(Pipeline("p", nodes))
    task = next(t for t in found if (t.block.axes.first_bar, t.block.axes.end_bar) == bars)
    first, end = task.reads[1].selection.bars or (0, 1)
    assert first == end
    (producer,) = task.reads[1].producers
    assert extents([found[producer]]) == [(30, 40) if bars == (0, 10) else (60, 70)]


@final
@dataclass(frozen=True)
class Joined(Stage):
    """A stage of ten bars a block with two inputs."""

    reads: ClassVar[tuple[str, ...]] = ("x", "late")

    @property
    def partition(self) -> Partition:
        return TimeBlocks(10)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        raise AssertionError(f"nothing is run: {list(inputs)}")


@pytest.mark.parametrize(
    ("cut", "axis"),
    [
        (TimeBlocks(10), "bars"),
        (Scan(10), "bars"),
        (AssetBlocks(2), "assets"),
        (PortfolioBlocks(2), "portfolios"),
    ],
    ids=repr,
)
def test_a_node_with_nothing_to_cut_is_refused(cut: Partition, axis: str) -> None:
    with pytest.raises(ParameterError, match=f"'n0' has no {axis} to cut into blocks"):
        tasks(Axes(), cut)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TimeBlocks(0),
        lambda: TimeBlocks(10, warm_up=-1),
        lambda: TimeBlocks(10, look_ahead=-1),
        lambda: AssetBlocks(0),
        lambda: PortfolioBlocks(-3),
        lambda: Scan(0),
    ],
)
def test_partitions_refuse_sizes_that_cut_nothing(make: Any) -> None:
    with pytest.raises(ParameterError, match="must"):
        make()
