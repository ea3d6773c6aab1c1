"""Data sets made from another: its bars put together to coarser ones."""

import json
from collections.abc import Mapping

import polars as pl

from plumbline.core.calendar import Calendar, grid_of
from plumbline.core.digest import digest
from plumbline.core.errors import MissingDataError
from plumbline.core.panel import Panel
from plumbline.lake.dataset import Dataset
from plumbline.lake.ingesting import commit, numbered, require_name
from plumbline.lake.numbering import cut_by_part, row_numbers
from plumbline.lake.panels import load_panel
from plumbline.lake.preparation import make_dataset
from plumbline.lake.prepared import Ingested, PreparedDataset, Progress, Rows, report_bytes
from plumbline.lake.quality import report
from plumbline.lake.resample import resample
from plumbline.lake.store import Store


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
    span = (dataset.first_bar, dataset.last_bar)
    paths = store.paths(dataset)
    panel = load_panel(paths, dataset, dataset.fields, dataset.assets, span)
    grids = {name: Calendar(*grid_of(target)) for name, target in targets.items()}
    made = resample(panel, Calendar(*dataset.grid), list(grids.values()), how)
    prepared = []
    for name, calendar in grids.items():
        bars = _rows(made[f"{calendar.name} {calendar.frequency}"])
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


def _rows(panel: Panel) -> pl.DataFrame:
    """Return a panel as clean bars: null for missing, no bar without a value."""
    fields = sorted(panel)
    long: pl.DataFrame = panel.to_frame().select(
        "bar_close", "asset", pl.col(fields).fill_nan(None)
    )
    zoned = long.with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"))
    has_value = pl.any_horizontal(pl.col(name).is_not_null() for name in fields)
    return zoned.filter(has_value).sort("asset", "bar_close")
