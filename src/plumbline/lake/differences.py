"""How two datasets differ: value by value, reading only the parts that they do not share."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from plumbline.core.errors import ParameterError
from plumbline.lake.dataset import Dataset
from plumbline.lake.prepared import PreparedDataset
from plumbline.lake.scan import scan_segments
from plumbline.lake.segments import verified_paths
from plumbline.lake.store import Store

Read = Callable[[int], pl.DataFrame]
"""Returns the rows of the part of a number: bar_close, asset, fields."""

SCHEMA: dict[str, Any] = {
    "asset": pl.String,
    "bar_close": pl.Datetime("us", "UTC"),
    "field": pl.String,
    "before": pl.Float64,
    "after": pl.Float64,
    "change": pl.String,
}
_KEYS = ("asset", "bar_close")


def stored_rows(store: Store, dataset: Dataset) -> Read:
    """Return the reader of a dataset in the lake; it keeps nothing."""

    def rows_of(number: int) -> pl.DataFrame:
        return scan_segments(store.part_paths(dataset, number), dataset.fields).collect()

    return rows_of


def prepared_rows(store: Store, prepared: PreparedDataset) -> Read:
    """Return the reader of a dataset that may not be in the lake yet."""
    rows = prepared.rows
    if rows is None:
        return stored_rows(store, prepared.dataset)
    fields = prepared.dataset.fields

    def rows_of(number: int) -> pl.DataFrame:
        kept = [segment.digest for segment in rows.kept.get(number, ())]
        if not kept:
            return rows.by_part[number]
        there = scan_segments(verified_paths(store.segment_folder, kept), fields).collect()
        return pl.concat([there, rows.by_part[number]], how="diagonal")

    return rows_of


def differences(a: Dataset, b: Dataset, read_a: Read, read_b: Read) -> pl.DataFrame:
    """Return the values in which two datasets differ.

    Parameters
    ----------
    a, b : datasets on one calendar, ``a`` the earlier.
    read_a, read_b : read their rows.

    Returns
    -------
    ``asset bar_close field before after change``, sorted by bar, asset and field; null is
    missing, and ``change`` is added, removed or changed, as seen from ``a``.

    Raises
    ------
    ParameterError
        If the calendars differ.

    Notes
    -----
    Cost: reading and joining the parts that differ.
    """
    if a.grid != b.grid:
        grids = " and ".join(" ".join(dataset.grid) for dataset in (a, b))
        raise ParameterError(f"datasets on {grids} have no bars in common")
    before, after = ({part.number: part.part_id for part in d.parts} for d in (a, b))
    fields = sorted({*a.fields, *b.fields})
    found = [
        _between(_rows(before, read_a, number), _rows(after, read_b, number), fields)
        for number in sorted({*before, *after})
        if before.get(number) != after.get(number)
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found])


def summary(changes: pl.DataFrame) -> dict[str, int]:
    """Return how many values were added, changed and removed."""
    counts = dict(changes.group_by("change").len().iter_rows())
    return {change: counts.get(change, 0) for change in ("added", "changed", "removed")}


def _rows(parts: Mapping[int, str], read: Read, number: int) -> pl.DataFrame:
    if number in parts:
        return read(number)
    return pl.DataFrame(schema={name: SCHEMA[name] for name in _KEYS})


def _between(a: pl.DataFrame, b: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
    before, after = (
        rows.select(*_KEYS, *(_marked(rows, name, mark) for name in fields))
        for rows, mark in ((a, "<"), (b, ">"))
    )
    both = before.join(after, on=_KEYS, how="full", coalesce=True)
    tables = []
    for name in fields:
        old, new = pl.col(f"<{name}"), pl.col(f">{name}")
        is_added = pl.when(old.is_null()).then(pl.lit("added"))
        is_removed = is_added.when(new.is_null()).then(pl.lit("removed"))
        change = is_removed.otherwise(pl.lit("changed"))
        told = both.filter(old.ne_missing(new)).select(
            *_KEYS,
            pl.lit(name).alias("field"),
            old.alias("before"),
            new.alias("after"),
            change.alias("change"),
        )
        tables.append(told)
    return pl.concat(tables).sort("bar_close", "asset", "field")


def _marked(rows: pl.DataFrame, name: str, mark: str) -> pl.Expr:
    values = pl.col(name) if name in rows.columns else pl.lit(None, pl.Float64)
    return values.alias(f"{mark}{name}")
