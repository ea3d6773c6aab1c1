"""Segments to a dense panel on the calendar's grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.calendar import Calendar
from plumbline.core.panel import Panel
from plumbline.lake.dataset import Dataset
from plumbline.lake.scan import scan_segments


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
    """
    first, last = span
    closes = dataset.closes(first, last)
    shape = (len(closes), len(assets))
    table = scan_segments(paths, fields)
    if len(assets) < len(dataset.assets):
        table = table.filter(pl.col("asset").is_in(list(assets)))
    limits = pl.Series(closes[[0, -1]]).dt.replace_time_zone("UTC")
    table = table.filter(pl.col("bar_close").is_between(limits[0], limits[1]))
    asset = pl.col("asset").cast(pl.Enum(assets)).to_physical()
    stamp = pl.col("bar_close").dt.replace_time_zone(None)
    rows = table.with_columns(stamp, asset).collect()
    bar = _bar_numbers(rows["bar_close"].to_numpy(), dataset, closes, first) - first
    cell = bar * shape[1] + rows["asset"].to_numpy()
    arrays = {}
    for name in fields:
        dense = np.full(shape[0] * shape[1], np.nan)
        dense[cell] = rows[name].to_numpy()
        arrays[name] = dense.reshape(shape)
    return Panel(arrays, closes, assets, first_bar=first)


def _bar_numbers(
    times: np.ndarray, dataset: Dataset, closes: np.ndarray, first: int
) -> Int[np.ndarray, " rows"]:
    if dataset.session_closes is None:
        return Calendar(dataset.calendar_name, dataset.frequency).numbers(times)
    return np.searchsorted(closes, times) + first
