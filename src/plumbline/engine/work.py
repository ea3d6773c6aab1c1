"""Computing one block, in any process: load, run, check, store."""

import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np

from plumbline.core.errors import (
    CorruptEntryError,
    ParameterError,
    StageError,
    TransientError,
    place_of,
)
from plumbline.core.logs import log_ids
from plumbline.core.memory import PeakMeter
from plumbline.core.panel import Panel, concat_assets, concat_bars
from plumbline.engine.blocks import Block, Selection
from plumbline.engine.objects import Manifest, ObjectStore, Stored
from plumbline.engine.pipeline import PanelReader
from plumbline.engine.stage import Scan, Stage, Step, Tables, Value
from plumbline.engine.transient import may_pass

ALONE = sys.maxsize
"""Bytes of a block that is to run beside no other."""


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
class Load:
    """Where one input comes from, and the part of it that is read."""

    name: str
    selection: Selection
    pieces: tuple[Piece, ...] = ()
    data: DataPiece | None = None


@final
@dataclass(frozen=True)
class Work:
    """All that a worker needs to compute one block; small, whatever the size of the data.

    ``seconds`` is the time limit of the attempt, ``memory_bytes`` what it is expected to take,
    ``run_id`` the run that it is for, if any.
    """

    number: int
    place: tuple[str, str]
    stage: Stage
    block: Block
    loads: tuple[Load, ...]
    objects: Path
    target: Path
    state: Manifest | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    run_id: str = ""


@final
@dataclass(frozen=True)
class Outcome:
    """A block that was computed, and what that cost: time, and memory beside the process's own.

    ``began`` is when, in seconds since 1970.
    """

    stored: Stored
    seconds: float
    peak_bytes: int | None
    worker: str
    began: float = 0.0


def perform(work: Work) -> Outcome:
    """Compute and store one block.

    Raises
    ------
    CorruptEntryError
        If a stored input is damaged.
    StageError
        If the stage fails, or returns something else than it declares; the trace is in it.
    TransientError
        If it failed by something that may pass.
    """
    began, started, meter = time.time(), time.perf_counter(), PeakMeter()
    node, block = work.place
    try:
        with log_ids(run_id=work.run_id, node=node, block=block):
            stored = _stored(work)
    except CorruptEntryError:
        raise
    except (Exception, SystemExit) as error:  # the engine's edge: the coordinator records it
        message = f"{work.place[0]} [{work.place[1]}]: {error}"
        if not isinstance(error, StageError):
            kind = type(error).__name__
            message = f"{work.place[0]} [{work.place[1]}]: {kind}: {error} [{place_of(error)}]"
        if isinstance(error, MemoryError):
            message += "; there is no memory left: use fewer workers or smaller blocks (block_bars)"
        told = TransientError if may_pass(error) else StageError
        raise told(message, traceback.format_exc()) from error
    seconds = time.perf_counter() - started
    return Outcome(stored, seconds, meter.peak_bytes(), f"process {os.getpid()}", began)


def _stored(work: Work) -> Stored:
    store = _object_store(work.objects)
    inputs: dict[str, Any] = {x.name: load_input(store, x) for x in work.loads}
    is_scan = isinstance(work.stage.partition, Scan)
    if is_scan:
        inputs["state"] = {} if work.state is None else store.read_state(work.state)
    result = work.stage.run(inputs)
    if isinstance(result, Step) != is_scan:
        expected = "a Step, as its partition is a Scan" if is_scan else "a panel or tables"
        raise StageError(f"the stage must return {expected}, got {type(result).__name__}")
    output, state = (result.output, result.state) if isinstance(result, Step) else (result, None)
    if state is not None:
        _require_state(state)
    return _object_store(work.target).write(_fitted(output, work.block), state)


@lru_cache(maxsize=8)
def _object_store(root: Path) -> ObjectStore:
    """Return the store of a folder, which remembers the files that this process has checked."""
    return ObjectStore(root)


def load_input(store: ObjectStore, load: Load) -> Value:
    """Load one input: its pieces joined, and cut to what the task reads."""
    selection = load.selection
    if load.data is not None:
        data = load.data
        first, end = (None, None) if selection.bars is None else selection.bars
        assets = data.assets if selection.assets is None else selection.assets
        last = None if first is None or end is None else max(first, end - 1)
        panel = _lake(data.lake).panel(data.dataset_id, data.fields, assets, first, last)
        return panel if first is None or end is None or first < end else panel.head(0)
    values = [store.read(piece.manifest) for piece in load.pieces]
    if not values:
        raise ParameterError(
            f"input {load.name!r} holds none of {selection}; a stage that reads all of it in "
            "every block names it in whole"
        )
    return join(values, load.pieces[0].kind, selection)


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


def _fitted(output: object, block: Block) -> Value:
    """Cut warm-up and look-ahead off a block's output, and refuse one of another extent."""
    if not isinstance(output, Panel):
        return _tables(output)
    if block.kind == "portfolio":
        raise StageError("a block of portfolios returns tables, got a panel")
    axes = block.axes
    first, end = output.first_bar, output.first_bar + output.n_bars
    if block.kind == "time":
        if axes.first_bar < first or end < axes.end_bar:
            raise StageError(
                f"the output holds bars {first} … {end - 1}, the block needs {axes.first_bar} … "
                f"{axes.end_bar - 1}"
            )
        output = output.rows(axes.first_bar - first, axes.end_bar - first)
    elif axes.first_bar < axes.end_bar and (first, end) != (axes.first_bar, axes.end_bar):
        raise StageError(
            f"the output holds bars {first} … {end - 1}, but the stage declares "
            f"{axes.first_bar} … {axes.end_bar - 1} in axes"
        )
    if axes.assets and output.assets != axes.assets:
        raise StageError(
            f"the output's assets {output.assets[:5]}… are not those that the stage declares in "
            f"axes: {axes.assets[:5]}…"
        )
    return output


def _tables(output: object) -> Tables:
    import polars as pl

    if not isinstance(output, Mapping):
        raise StageError(f"a stage returns a panel or tables by name, got {type(output).__name__}")
    for name, table in output.items():
        if not isinstance(name, str) or not isinstance(table, pl.DataFrame):
            raise StageError(
                f"tables are polars frames by name, got {type(table).__name__} under {name!r}"
            )
    return output


def _require_state(state: Mapping[str, Any]) -> None:
    for name, values in state.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biufcmMSU":
            raise StageError(
                f"a scan's state is arrays of numbers, times or text by name, got {values!r:.60} "
                f"under {name!r}"
            )


@lru_cache(maxsize=8)
def _lake(path: Path) -> PanelReader:
    from plumbline.lake.opening import open_lake

    return open_lake(path)
