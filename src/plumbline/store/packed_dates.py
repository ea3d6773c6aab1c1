"""Packing: the correlations of a date become one file of Arrow, and files become lists again.

As a list in Parquet or an array on a server, a value would cost several times what it costs here.
"""

import io
from collections.abc import Iterator

import polars as pl

from plumbline.core.errors import ParameterError
from plumbline.store.packed import require_frame, require_keys
from plumbline.store.tables import CORRELATIONS, DATE_HEAD, DATE_KEYS


def pack_dates(
    correlations: pl.DataFrame, keys: pl.DataFrame
) -> tuple[pl.DataFrame, Iterator[bytes]]:
    """Return ``date key symbols n_pairs`` of dates, sorted, and the content of each, made in turn.

    Raises
    ------
    ParameterError
        If they are not of the same dates, once each, or have other columns.
    """
    require_frame("keys", keys, DATE_KEYS)
    require_frame("correlations", correlations, CORRELATIONS)
    require_keys(keys["key"])
    dates, known = correlations["date"], keys["date"]
    if dates.is_duplicated().any() or known.is_duplicated().any():
        raise ParameterError("correlations or their keys have a date twice; each is written once")
    if set(dates) != set(known):
        other = sorted(map(str, set(dates) ^ set(known)))
        raise ParameterError(f"correlations and their keys are of other dates: {', '.join(other)}")
    rows = correlations if dates.is_sorted() else correlations.sort("date")  # they are large
    n_pairs = rows["pairs"].list.len().cast(pl.Int64).alias("n_pairs")
    heads = rows.select("date", "symbols").with_columns(keys.sort("date")["key"], n_pairs)
    return heads.select(*DATE_HEAD), _contents(rows)


def unpack_dates(rows: pl.DataFrame) -> pl.DataFrame:
    """Return correlations from ``date symbols content``."""
    found = [pl.read_ipc(io.BytesIO(content)) for content in rows["content"]]
    lists = {
        name: pl.Series(name, [frame[name] for frame in found], dtype=CORRELATIONS[name])
        for name in ("pairs", "n_obs")
    }
    return rows.select("date", "symbols").with_columns(**lists)


def _contents(rows: pl.DataFrame) -> Iterator[bytes]:
    for pairs, n_obs in zip(rows["pairs"], rows["n_obs"], strict=True):
        buffer = io.BytesIO()
        pl.DataFrame({"pairs": pairs, "n_obs": n_obs}).write_ipc(buffer, compression="lz4")
        yield buffer.getvalue()
