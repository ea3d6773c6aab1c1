"""Data sets made from another: its bars put together to coarser ones."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from plumbline.core.calendar import ALWAYS_OPEN, Calendar, grid_of
from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError
from plumbline.core.panel import Panel
from plumbline.lake.dataset import Dataset
from plumbline.lake.ingesting import commit, numbered, require_name
from plumbline.lake.numbering import cut_by_part, row_numbers
from plumbline.lake.panels import load_panel
from plumbline.lake.parts import part_bars
from plumbline.lake.peaks import of_resampling
from plumbline.lake.preparation import make_dataset
from plumbline.lake.prepared import Ingested, PreparedDataset, Progress, Rows, report_bytes
from plumbline.lake.quality import report
from plumbline.lake.resample import resample
from plumbline.lake.room import Work
from plumbline.lake.store import Store

_DAY = np.timedelta64(86_400_000_000, "us")


def store_resampled(
    store: Store,
    dataset: Dataset,
    targets: Mapping[str, Calendar | str],
    how: Mapping[str, str],
    progress: Progress | None,
) -> dict[str, Ingested]:
    """Store coarser bars of a dataset, one data set a target; the base is read once.

    Parameters
    ----------
    store : where the dataset is, and the others go.
    dataset : base bars.
    targets : name of a data set -> its calendar.
    how : field -> how its values are put together; see :func:`plumbline.lake.resample.resample`.
    progress : told of what is written.

    Returns
    -------
    Name -> what was stored; content that the name has already makes no new version.

    Raises
    ------
    MissingDataError
        If a target has no whole bar; nothing of any is stored.
    """
    for name in targets:
        require_name(name)
    grids = {name: Calendar(*grid_of(target)) for name, target in targets.items()}
    made = _coarse(store, dataset, grids, how)
    prepared = []
    for name, calendar in grids.items():
        bars = pl.concat(made.pop(name)).sort("asset", "bar_close")
        if not bars.height:
            raise MissingDataError(
                f"{dataset.name} has no whole bar of {calendar.name} {calendar.frequency}"
            )
        note = {"resampled": dataset.dataset_id, "name": dataset.name, "how": dict(how)}
        key = digest(("resample", dataset.dataset_id, calendar.name, calendar.frequency, how))
        numbers = row_numbers(bars, calendar)
        found = numbered(store, name, make_dataset(bars, calendar, numbers))
        rows = Rows(cut_by_part(bars, numbers, calendar.frequency))
        empty = report_bytes(report([]))
        prepared.append(PreparedDataset(found, json.dumps(note), key, empty, rows))
    return {one.dataset.name: commit(store, one, progress) for one in prepared}


def _coarse(
    store: Store, dataset: Dataset, grids: Mapping[str, Calendar], how: Mapping[str, str]
) -> dict[str, list[pl.DataFrame]]:
    """Return the coarse bars of each target; the base is read in runs of parts that fit.

    Each run is read with as many bars before it as a coarse bar may have, and gives the coarse bars
    that end in it: what all of the base at once would give.
    """
    base = Calendar(*dataset.grid)
    around = max((_longest(base, calendar) for calendar in grids.values()), default=1)
    made: dict[str, list[pl.DataFrame]] = {name: [] for name in grids}
    for first, last in _runs(store, dataset, list(grids.values()), around):
        start = max(dataset.first_bar, first - around)
        span = (start, last)
        panel = load_panel(
            store.paths(dataset, span), dataset, dataset.fields, dataset.assets, span
        )
        found = resample(panel, base, list(grids.values()), how)
        for name, calendar in grids.items():
            coarse = found[f"{calendar.name} {calendar.frequency}"]
            if first > dataset.first_bar:
                before = dataset.closes(first - 1, first - 1)[0]
                coarse = coarse.rows(
                    int(np.searchsorted(coarse.bars, before, side="right")), coarse.n_bars
                )
            made[name].append(_rows(coarse))
    return made


def _runs(
    store: Store, dataset: Dataset, targets: Sequence[Calendar], around: int
) -> list[tuple[int, int]]:
    """Return first and last bar of runs of whole parts, as long as memory allows.

    Raises
    ------
    MemoryLimitError
        If not even one part fits beside the coarse bars.
    """
    base = Calendar(*dataset.grid)
    n_made = sum(dataset.n_bars // _shortest(base, calendar) + 1 for calendar in targets)
    length = part_bars(dataset.frequency)
    n_parts = dataset.last_bar // length - dataset.first_bar // length + 1

    def work(n: int) -> Work:
        n_bars = min(n * length + around, dataset.n_bars)
        return of_resampling(dataset, n_bars, n_made, len(targets))

    room = store.room.left()
    fits = next((n for n in range(n_parts, 1, -1) if work(n).n_bytes <= room), 1)
    store.room.require(work(fits))
    starts = range(dataset.first_bar // length, dataset.last_bar // length + 1, fits)
    return [
        (max(dataset.first_bar, n * length), min(dataset.last_bar, (n + fits) * length - 1))
        for n in starts
    ]


def _longest(base: Calendar, target: Calendar) -> int:
    """Return how many base bars a coarse bar may have: a session is shorter than two days."""
    whole = target.step if target.name == ALWAYS_OPEN else 2 * _DAY
    return max(1, int(whole / base.step))


def _shortest(base: Calendar, target: Calendar) -> int:
    """Return how many base bars lie between the closes of two coarse bars, at least."""
    whole = target.step if target.name == ALWAYS_OPEN else _DAY // 2
    return max(1, int(whole / base.step))


def _rows(panel: Panel) -> pl.DataFrame:
    """Return a panel as clean bars: null for missing, no bar without a value."""
    fields = sorted(panel)
    long: pl.DataFrame = panel.to_frame().select(
        "bar_close", "asset", pl.col(fields).fill_nan(None)
    )
    zoned = long.with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"))
    has_value = pl.any_horizontal(pl.col(name).is_not_null() for name in fields)
    return zoned.filter(has_value).sort("asset", "bar_close")
