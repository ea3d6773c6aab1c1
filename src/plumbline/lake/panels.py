"""Segments to a dense panel on the calendar's grid."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.calendar import Calendar
from plumbline.core.errors import MissingDataError
from plumbline.core.panel import Panel
from plumbline.lake.dataset import Dataset
from plumbline.lake.scan import scan_segments

_AT_ONCE = 16_000_000  # bytes of files, packed, that are read at once


def load_panel(
    paths: list[Path],
    dataset: Dataset,
    fields: Sequence[str],
    assets: Sequence[str],
    span: tuple[int, int],
) -> Panel:
    """Read fields of assets over a span of bars.

    Parameters
    ----------
    paths : the segments that hold the span.
    dataset : what they belong to.
    fields, assets : names, known to the dataset; assets sorted.
    span : first and last bar, inside the dataset.

    Returns
    -------
    Panel of float64 arrays with one row a grid bar and one column an asset; NaN for missing.

    Raises
    ------
    MissingDataError
        If files are taken away while they are read.
    """
    try:
        return _panel(paths, dataset, fields, assets, span)
    except FileNotFoundError as error:  # they were there when they were looked at
        raise MissingDataError(
            f"files of version {dataset.version} of {dataset.name!r} were taken away meanwhile"
        ) from error


def _panel(
    paths: list[Path],
    dataset: Dataset,
    fields: Sequence[str],
    assets: Sequence[str],
    span: tuple[int, int],
) -> Panel:
    first, last = span
    closes = dataset.closes(first, last)
    shape = (len(closes), len(assets))
    flat = {name: np.full(shape[0] * shape[1], np.nan) for name in fields}
    for portion in _portions(paths):
        rows = _rows(scan_segments(portion, fields), dataset, assets, closes)
        bar = _bar_numbers(rows["bar_close"].to_numpy(), dataset, closes, first) - first
        cell = bar * shape[1] + rows["asset"].to_numpy()
        for name in fields:
            flat[name][cell] = rows[name].to_numpy()
    arrays = {name: dense.reshape(shape) for name, dense in flat.items()}
    return Panel(arrays, closes, assets, first_bar=first)


def _portions(paths: list[Path]) -> Iterator[list[Path]]:
    """Cut files into runs that are read at once: beside the panel there is room for one."""
    taken: list[Path] = []
    size = 0
    for path in paths:
        n_bytes = path.stat().st_size
        if taken and size + n_bytes > _AT_ONCE:
            yield taken
            taken, size = [], 0
        taken.append(path)
        size += n_bytes
    if taken:
        yield taken


def _rows(
    table: pl.LazyFrame, dataset: Dataset, assets: Sequence[str], closes: np.ndarray
) -> pl.DataFrame:
    """Return the rows of some assets and bars; the asset is its place among them."""
    if len(assets) < len(dataset.assets):
        table = table.filter(pl.col("asset").is_in(list(assets)))
    limits = pl.Series(closes[[0, -1]]).dt.replace_time_zone("UTC")
    table = table.filter(pl.col("bar_close").is_between(limits[0], limits[1]))
    asset = pl.col("asset").cast(pl.Enum(assets)).to_physical()
    stamp = pl.col("bar_close").dt.replace_time_zone(None)
    return table.with_columns(stamp, asset).collect()


def _bar_numbers(
    times: np.ndarray, dataset: Dataset, closes: np.ndarray, first: int
) -> Int[np.ndarray, " rows"]:
    if dataset.session_closes is None:
        return Calendar(dataset.calendar_name, dataset.frequency).numbers(times)
    return np.searchsorted(closes, times) + first
