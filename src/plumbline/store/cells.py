"""The binary cells of a server's answer, read a column at a time.

A cell is the bytes that PostgreSQL sends for a value, highest byte first; that of an array is a
head of five numbers and then each item behind its length, -1 for null. The cells of a column are
joined, and items are found in all rows at once: the first of each row, then the second, ….
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Int, UInt8

from plumbline.core.arrow import arrow_array
from plumbline.store.copy_stream import EPOCH, WIRE

_TYPES: Final = (16, 17, 20, 21, 23, 25, 700, 701, 1082, 1000, 1005, 1007, 1009, 1016, 1021, 1022)
_HEAD: Final = 20  # bytes before the items of an array that has some


def keep_bytes(cursor: Any) -> None:
    """Have a cursor of psycopg give the bytes of cells, of all types that a store holds."""
    from psycopg.pq import Format

    as_bytes = cursor.adapters.get_loader(17, Format.BINARY)
    for number in _TYPES:
        cursor.adapters.register_loader(number, as_bytes)


def hex_texts(rows: UInt8[np.ndarray, "rows bytes"]) -> pl.Series:
    """Return the hex digits of each row of bytes."""
    digits = np.frombuffer(rows.tobytes().hex().encode(), dtype=np.uint8)
    bounds = np.arange(rows.shape[0] + 1, dtype=np.int64) * 2 * rows.shape[1]
    texts = pa.LargeStringArray.from_buffers(
        rows.shape[0], pa.py_buffer(bounds), pa.py_buffer(digits)
    )
    return pl.Series(pl.from_arrow(texts))


def column_of(name: str, cells: Sequence[bytes | None], kind: Any) -> pl.Series:
    """Return a column.

    Parameters
    ----------
    name : of it.
    cells : bytes of each value; None for null, which arrays are not.
    kind : its type: numbers, texts, bytes and dates, or lists of numbers or texts.
    """
    there = [cell for cell in cells if cell is not None]
    sizes = np.fromiter(map(len, there), dtype=np.int64, count=len(there))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    joined = np.frombuffer(b"".join(there) + bytes(8), dtype=np.uint8)  # read at, never beyond
    if isinstance(kind, pl.List):
        return _lists(name, joined, starts[:-1], kind)
    values = _values(joined, starts[:-1], sizes, kind)
    if len(there) < len(cells):
        is_there = np.array([cell is not None for cell in cells])
        place = pl.Series(np.where(is_there, np.cumsum(is_there) - 1, -1))
        values = values.gather(place.replace(-1, None))
    return values.alias(name)


def _lists(
    name: str, joined: UInt8[np.ndarray, "bytes"], starts: Int[np.ndarray, "rows"], kind: Any
) -> pl.Series:
    is_some = _numbers(joined, starts, ">i4") > 0  # dimensions: an empty array has none
    counts = np.where(is_some, _numbers(joined, np.where(is_some, starts + 12, 0), ">i4"), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    places = np.empty(offsets[-1], dtype=np.int64)
    sizes = np.empty(offsets[-1], dtype=np.int64)
    rows, at = np.flatnonzero(counts), starts[counts > 0] + _HEAD
    item = 0
    while rows.size:
        size = _numbers(joined, at, ">i4").astype(np.int64)
        places[offsets[rows] + item] = at + 4
        sizes[offsets[rows] + item] = size
        item += 1
        at, goes_on = at + 4 + np.maximum(size, 0), counts[rows] > item
        rows, at = rows[goes_on], at[goes_on]
    is_null = sizes < 0
    values = _values(joined, np.where(is_null, 0, places), np.maximum(sizes, 0), kind.inner)
    if is_null.any():
        values = values.zip_with(pl.Series(~is_null), pl.Series([None], dtype=kind.inner))
    array = pa.LargeListArray.from_arrays(arrow_array(offsets), values.to_arrow())
    return pl.Series(name, pl.from_arrow(array), dtype=kind)


def _values(
    joined: UInt8[np.ndarray, "bytes"],
    places: Int[np.ndarray, "values"],
    sizes: Int[np.ndarray, "values"],
    kind: Any,
) -> pl.Series:
    """Return values that lie at places, of which those of texts have sizes."""
    if kind == pl.String:
        return pl.Series(pl.from_arrow(_cut(joined, places, sizes).cast(pa.large_string())))
    if kind == pl.Binary:
        return pl.Series(pl.from_arrow(_cut(joined, places, sizes)))
    code, _ = WIRE[pl.Int16() if kind == pl.UInt16 else kind]
    found = _numbers(joined, places, code)
    found = found.astype(found.dtype.newbyteorder("="))
    if kind == pl.Boolean:
        return pl.Series(found.astype(bool))
    if kind == pl.Date:
        return pl.Series(found + EPOCH).cast(pl.Date)
    return pl.Series(found).cast(kind)


def _numbers(
    joined: UInt8[np.ndarray, "bytes"], places: Int[np.ndarray, "values"], code: str
) -> np.ndarray:
    """Return the numbers that begin at any bytes."""
    kind = np.dtype(code)
    n_places = joined.size - kind.itemsize + 1
    return np.asarray(np.ndarray((n_places,), kind, joined, strides=(1,))[places])


def _cut(
    joined: UInt8[np.ndarray, "bytes"],
    places: Int[np.ndarray, "values"],
    sizes: Int[np.ndarray, "values"],
) -> Any:
    """Return texts or bytes: every other part of all bytes, cut where one begins and ends."""
    bounds = np.empty(2 * places.size + 1, dtype=np.int64)
    bounds[:-1:2], bounds[1::2], bounds[-1] = places, places + sizes, joined.size
    cut = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), 2 * places.size, [None, pa.py_buffer(bounds), pa.py_buffer(joined)]
    )
    return cut[::2]
