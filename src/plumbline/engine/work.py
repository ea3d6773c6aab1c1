"""Computing one block, in any process: load, run, check, store."""

import os
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from plumbline.core.errors import ParameterError, StageError
from plumbline.core.panel import Panel, concat_assets, concat_bars
from plumbline.engine.blocks import Block, Selection
from plumbline.engine.objects import Manifest, ObjectStore, Stored
from plumbline.engine.pipeline import PanelReader
from plumbline.engine.stage import Scan, Stage, Step, Tables, Value


@final
@dataclass(frozen=True)
class Piece:
    """A stored value and how it joins its neighbours (``whole``, ``time``, ``asset`` …)."""

    kind: str
    manifest: Manifest


@final
@dataclass(frozen=True)
class DataPiece:
    """Bars of a data set in a lake."""

    lake: Path
    dataset_id: str
    fields: tuple[str, ...]
    assets: tuple[str, ...] | None


@final
@dataclass(frozen=True)
class Source:
    """Where one input comes from, and the part of it that is read."""

    name: str
    selection: Selection
    pieces: tuple[Piece, ...] = ()
    data: DataPiece | None = None


@final
@dataclass(frozen=True)
class Work:
    """All that a worker needs to compute one block; small, whatever the size of the data."""

    number: int
    place: tuple[str, str]
    stage: Stage
    block: Block
    sources: tuple[Source, ...]
    objects: Path
    target: Path
    state: Manifest | None = None


@final
@dataclass(frozen=True)
class Outcome:
    """A block that was computed, and what that cost."""

    stored: Stored
    seconds: float
    peak_bytes: int
    worker: str


def perform(work: Work) -> Outcome:
    """Compute and store one block.

    Raises
    ------
    CorruptEntryError
        If a stored input is damaged.
    StageError
        If the stage fails, or returns something else than it declares.
    """
    started = time.perf_counter()
    store = ObjectStore(work.objects)
    inputs: dict[str, Any] = {s.name: read_source(store, s) for s in work.sources}
    if isinstance(work.stage.partition, Scan):
        inputs["state"] = {} if work.state is None else store.read_state(work.state)
    where = f"{work.place[0]} [{work.place[1]}]"
    try:
        result = work.stage.run(inputs)
    except Exception as error:  # the engine's edge: named here, recorded by the coordinator
        message = f"{where}: {type(error).__name__}: {error}"
        raise StageError(message, traceback.format_exc()) from error
    output, state = (result.output, result.state) if isinstance(result, Step) else (result, None)
    stored = ObjectStore(work.target).write(_fitted(output, work.block, where), state)
    return Outcome(stored, time.perf_counter() - started, _peak_bytes(), f"process {os.getpid()}")


def read_source(store: ObjectStore, source: Source) -> Value:
    """Load one input: its pieces joined, and cut to what the task reads."""
    selection = source.selection
    if source.data is not None:
        data = source.data
        first, end = (None, None) if selection.bars is None else selection.bars
        assets = data.assets if selection.assets is None else selection.assets
        last = None if end is None else end - 1
        return _lake(data.lake).panel(data.dataset_id, data.fields, assets, first, last)
    values = [store.read(piece.manifest) for piece in source.pieces]
    if not values:
        raise ParameterError(f"input {source.name!r} has no data in {selection}")
    return join(values, source.pieces[0].kind, selection)


def join(values: Sequence[Value], kind: str, selection: Selection) -> Value:
    """Join the pieces of a node's output in order, and cut them to a selection."""
    panels = [_cut(value, selection) for value in values if isinstance(value, Panel)]
    if panels:
        return concat_assets(panels) if kind == "asset" else concat_bars(panels)
    import polars as pl

    tables: list[Tables] = [value for value in values if not isinstance(value, Panel)]
    joined = {name: pl.concat([t[name] for t in tables], how="vertical") for name in tables[0]}
    if selection.portfolios is None:
        return joined
    wanted = list(selection.portfolios)
    return {name: t.filter(pl.col("portfolio").is_in(wanted)) for name, t in joined.items()}


def _cut(panel: Panel, selection: Selection) -> Panel:
    if selection.bars is not None:
        first, end = selection.bars
        start = max(first - panel.first_bar, 0)
        panel = panel.rows(start, max(start, end - panel.first_bar))
    if selection.assets is not None:
        own = set(panel.assets)
        panel = panel.select([name for name in selection.assets if name in own])
    return panel


def _fitted(output: Value, block: Block, where: str) -> Value:
    """Cut warm-up and look-ahead off a block's output, and refuse one of another extent."""
    if not isinstance(output, Panel):
        if not isinstance(output, Mapping) or not all(isinstance(name, str) for name in output):
            raise StageError(
                f"{where}: a stage returns a panel or tables by name, got {type(output).__name__}"
            )
        return output
    if block.kind == "time":
        axes = block.axes
        start = axes.first_bar - output.first_bar
        stop = axes.end_bar - output.first_bar
        if start < 0 or stop > output.n_bars:
            raise StageError(
                f"{where}: the output holds bars {output.first_bar} … "
                f"{output.first_bar + output.n_bars - 1}, the block needs {axes.first_bar} … "
                f"{axes.end_bar - 1}"
            )
        output = output.rows(start, stop)
    if block.axes.assets and output.assets != block.axes.assets:
        raise StageError(
            f"{where}: the output's assets {output.assets[:5]}… are not those that the stage "
            f"declares in axes: {block.axes.assets[:5]}…"
        )
    return output


@lru_cache(maxsize=8)
def _lake(path: Path) -> PanelReader:
    from plumbline.lake.lake import open_lake

    return open_lake(path)


def _peak_bytes() -> int:
    import resource
    import sys

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
