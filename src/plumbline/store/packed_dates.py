"""Packing: the tables of a date become one row, and rows become tables again.

The correlations of a date are one file of Arrow: as a list in Parquet or an array on a server, a
pair would cost several times what it costs here.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from typing import final

import numpy as np
import polars as pl

from plumbline.core.errors import ParameterError
from plumbline.store.packed import Lists, Packed, require_frame, require_keys
from plumbline.store.tables import (
    CORRELATIONS,
    DATE_HEAD,
    DATE_KEYS,
    DATED,
    SHARED,
    values_of,
)


@final
@dataclass(frozen=True, eq=False)
class PackedDates:
    """Packed rows of dates, sorted.

    Parameters
    ----------
    rows : scalars are the columns of ``DATE_HEAD``, lists those of ``DATE_LISTS``.
    contents : the last column, made one by one; empty where no correlations are given.
    """

    rows: Packed
    contents: Iterator[bytes]


def pack_dates(tables: Mapping[str, pl.DataFrame], keys: pl.DataFrame) -> PackedDates:
    """Return the packed rows of dates.

    Raises
    ------
    ParameterError
        If there is another table, a table has other columns, dates that have no key or, of
        correlations, lacks dates; or a date is there twice.
    """
    unknown = sorted(set(tables) - set(SHARED))
    if unknown:
        raise ParameterError(
            f"a date has no table {', '.join(unknown)}; known: {', '.join(SHARED)}"
        )
    require_frame("keys", keys, DATE_KEYS)
    require_keys(keys["key"])
    known = keys.sort("date")
    pairs = _correlations(tables.get("correlations"), known)
    lists: dict[str, Lists] = {}
    for table, schema in DATED.items():
        rows = require_frame(table, tables.get(table), schema)
        _require_dates(table, set(rows["date"].unique()) - set(known["date"]))
        rows = rows if rows["date"].is_sorted() else rows.sort("date", maintain_order=True)
        bounds = rows["date"].search_sorted(known["date"], "left").to_numpy()
        offsets = np.append(bounds, rows.height).astype(np.int64)
        for name, (packed, _) in values_of(table, schema).items():
            lists[packed] = Lists(offsets, rows[name].rechunk())
    n_pairs = pairs["pairs"].list.len().cast(pl.Int64).alias("n_pairs")
    heads = known.with_columns(n_pairs, pairs["symbols"]).select(*DATE_HEAD)
    is_given = tables.get("correlations") is not None
    contents = _contents(pairs) if is_given else repeat(b"", heads.height)
    return PackedDates(Packed(heads, lists, None), contents)


def pack_removed_dates(dates: Sequence[date]) -> PackedDates:
    """Return packed rows without a key, of dates that are no more."""
    found = pl.DataFrame({"date": sorted(dates)}, schema={"date": pl.Date()})
    others = (pl.lit(None, kind).alias(name) for name, kind in DATE_HEAD.items() if name != "date")
    heads = found.with_columns(others)
    bounds = np.zeros(found.height + 1, dtype=np.int64)
    lists = {
        packed: Lists(bounds, pl.Series([], dtype=kind))
        for table, schema in DATED.items()
        for packed, kind in values_of(table, schema).values()
    }
    return PackedDates(Packed(heads, lists, None), repeat(b"", found.height))


def unpack_dates(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a table of dates from the columns that ``columns_of`` names, sorted by date."""
    if table in DATED:
        schema = DATED[table]
        named = {packed: name for name, (packed, _) in values_of(table, schema).items()}
        some = rows.filter(pl.col(next(iter(named))).list.len() > 0)
        return some.explode(*named).rename(named).select(*schema)
    some = rows.filter(pl.col("content").bin.size() > 0)
    found = [pl.read_ipc(io.BytesIO(content)) for content in some["content"]]
    lists = {
        name: pl.Series(name, [frame[name] for frame in found], dtype=CORRELATIONS[name])
        for name in ("pairs", "n_obs")
    }
    return some.select("date", "symbols").with_columns(**lists)


def _correlations(frame: pl.DataFrame | None, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the correlations of the dates of keys; empty lists where none are given."""
    dates = keys["date"]
    if frame is None:
        frame = pl.DataFrame({"date": dates}).select(
            "date",
            *(pl.lit([], kind).alias(n) for n, kind in CORRELATIONS.items() if n != "date"),
        )
    require_frame("correlations", frame, CORRELATIONS)
    if dates.is_duplicated().any() or frame["date"].is_duplicated().any():
        raise ParameterError("correlations or their keys have a date twice; each is written once")
    _require_dates("correlations", set(dates) ^ set(frame["date"]))
    return frame if frame["date"].is_sorted() else frame.sort("date")  # they are large


def _require_dates(table: str, others: set[object]) -> None:
    if others:
        named = ", ".join(sorted(map(str, others)))
        raise ParameterError(f"{table} and their keys are of other dates: {named}")


def _contents(rows: pl.DataFrame) -> Iterator[bytes]:
    for pairs, n_obs in zip(rows["pairs"], rows["n_obs"], strict=True):
        buffer = io.BytesIO()
        pl.DataFrame({"pairs": pairs, "n_obs": n_obs}).write_ipc(buffer, compression="lz4")
        yield buffer.getvalue()
