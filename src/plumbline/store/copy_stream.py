"""The binary stream of PostgreSQL's COPY, made from columns as wholes.

A field is its length, four bytes, and its bytes; all numbers have their highest byte first. Each
column becomes the bytes of its fields, one after another, with where each begins; then Arrow joins
the fields of a row. Nothing is done row by row in Python.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int

from plumbline.store.packed import Lists, Packed

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
EPOCH: Final = 10_957  # days from 1970 to 2000, from which PostgreSQL counts
_SLICE_ROWS = 4096  # of which the stream is in memory at once: some 40 MB
WIRE: Final[Mapping[Any, tuple[str, int]]] = {  # how a number is sent, and the number of its type
    pl.Float64(): (">f8", 701),
    pl.Float32(): (">f4", 700),
    pl.Int64(): (">i8", 20),
    pl.Int32(): (">i4", 23),
    pl.Int16(): (">i2", 21),
    pl.Boolean(): ("u1", 16),
    pl.Date(): (">i4", 1082),
}
_TEXT: Final = 25


def stream_of(packed: Packed) -> Iterator[bytes]:
    """Yield the stream of packed rows, piece by piece, header and trailer included.

    Fields stand in the order of ``PACKED``; keys and layouts are UUIDs.
    """
    yield HEADER
    for start in range(0, packed.height, _SLICE_ROWS):
        yield rows_of(packed.part(start, min(start + _SLICE_ROWS, packed.height)))
    yield TRAILER


def rows_of(packed: Packed) -> bytes:
    """Return the bytes of packed rows."""
    return joined(fields_of(packed), packed.height)


def fields_of(packed: Packed) -> list[Any]:
    """Return the fields of packed rows, column by column."""
    fields = []
    for column in packed.scalars.get_columns():
        if column.name in ("key", "layout"):
            fields.append(uuids_of(column))
        elif column.dtype.is_nested():
            ends = np.cumsum(column.list.len().to_numpy(), dtype=np.int64)
            fields.append(lists_of(Lists(np.append(0, ends), column.explode(empty_as_null=False))))
        else:
            fields.append(scalars_of(column))
    return fields + [lists_of(found) for found in packed.lists.values()]


def stream_of_dates(rows: Packed, contents: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the stream of rows whose last field is large, header and trailer included.

    Parameters
    ----------
    rows : the other fields: scalars, of which some may be lists, then lists.
    contents : the last field of each row.
    """
    fields = fields_of(rows)
    yield HEADER
    for head, content in zip(_rows(fields, rows.height, len(fields) + 1), contents, strict=True):
        yield head.as_py() + len(content).to_bytes(4, "big")
        yield content
    yield TRAILER


def joined(fields: list[Any], height: int) -> bytes:
    """Return rows, each with the number of its fields in front."""
    rows = _rows(fields, height, len(fields))
    _, offsets, data = rows.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[rows.offset : rows.offset + height + 1]
    return bytes(memoryview(data)[bounds[0] : bounds[-1]])


def _rows(fields: list[Any], height: int, n_fields: int) -> Any:
    count = np.full(height, n_fields, dtype=">i2").view(np.uint8)
    return _joined(_binary(count, np.arange(height + 1) * 2), *fields)


def scalars_of(column: pl.Series) -> Any:
    """Return the fields of a column of numbers, dates, texts or bytes; null is a length of -1."""
    if column.dtype in (pl.String, pl.Binary):
        return _texts(column)
    items, offsets = _numbers(column)
    return _binary(items, offsets)


def lists_of(found: Lists) -> Any:
    """Return the fields of a column of arrays; one without values is an empty array."""
    values = found.values
    if values.dtype == pl.String:
        oid, texts = _TEXT, _texts(values)
        ends = np.frombuffer(texts.buffers()[1], dtype=np.int64)[: values.len() + 1]
        items = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)[: ends[-1]]
    else:
        oid = WIRE[values.dtype][1]
        items, ends = _numbers(values)
    counts = np.diff(found.offsets)
    body = ends[found.offsets]
    has_null = np.zeros(counts.size, dtype=bool)
    if values.null_count():
        n_null = np.concatenate([[0], np.cumsum(values.is_null().to_numpy())])[found.offsets]
        has_null = np.diff(n_null) > 0
    heads, bounds = _heads(counts, np.diff(body), has_null, oid)
    return _joined(_binary(heads, bounds), _binary(items, body))


def _heads(
    counts: Int[np.ndarray, "days"], sizes: Int[np.ndarray, "days"], has_null: Any, oid: int
) -> tuple[np.ndarray, Int[np.ndarray, "bounds"]]:
    """Return what stands before the items of an array, and where each of these begins.

    Its length; then how many dimensions it has, whether it holds null, the type; and of the one
    dimension, which an empty array lacks, how many items there are and the number of the first.
    """
    table = np.empty((counts.size, 6), dtype=">i4")
    is_empty = counts == 0
    table[:, 0] = np.where(is_empty, 12, 20 + sizes)
    table[:, 1] = ~is_empty
    table[:, 2] = has_null
    table[:, 3] = oid
    table[:, 4] = counts
    table[:, 5] = 1
    is_sent = np.ones(table.shape, dtype=bool)
    is_sent[is_empty, 4:] = False
    words = np.ascontiguousarray(table[is_sent])
    bounds = np.concatenate([[0], np.cumsum(np.where(is_empty, 16, 24))])
    return words.view(np.uint8), bounds


def _numbers(column: pl.Series) -> tuple[np.ndarray, Int[np.ndarray, "bounds"]]:
    """Return the fields of numbers, and where each begins."""
    code, _ = WIRE[column.dtype]
    kind = np.dtype(code)
    record = np.dtype([("length", ">i4"), ("value", kind)])
    values = column.to_physical() if column.dtype == pl.Date else column
    table = np.empty(column.len(), dtype=record)
    table["length"] = kind.itemsize
    has_null = column.null_count() > 0
    if has_null:
        values = values.fill_null(False if column.dtype == pl.Boolean else 0)
    table["value"] = values.to_numpy()
    if column.dtype == pl.Date:
        table["value"] -= EPOCH
    if not has_null:
        return table.view(np.uint8), np.arange(column.len() + 1) * record.itemsize
    is_null = column.is_null().to_numpy()
    table["length"][is_null] = -1
    unit = np.dtype(np.uint32 if record.itemsize % 4 == 0 else np.uint8)  # wide ones go faster
    rows = table.view(unit).reshape(column.len(), record.itemsize // unit.itemsize)
    is_sent = np.ones(rows.shape, dtype=bool)
    is_sent[is_null, 4 // unit.itemsize :] = False
    sizes = np.where(is_null, 4, record.itemsize)
    return rows[is_sent].view(np.uint8), np.concatenate([[0], np.cumsum(sizes)])


def _texts(column: pl.Series) -> Any:
    """Return the fields of texts or bytes; null is a length of -1."""
    known = column
    if column.null_count():
        known = column.fill_null(b"" if column.dtype == pl.Binary else "")
    arrow = known.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_binary())
    lengths = known.cast(pl.Binary).bin.size().cast(pl.Int32)
    lengths = lengths.set(column.is_null(), -1) if column.null_count() else lengths
    sizes = lengths.to_numpy().astype(">i4").view(np.uint8)
    heads = _binary(sizes, np.arange(column.len() + 1) * 4)
    return _joined(heads, arrow)


def _joined(*fields: Any) -> Any:
    """Return the bytes of fields end to end, row by row."""
    between = _binary(np.zeros(0, dtype=np.uint8), np.zeros(2, dtype=np.int64))[0]
    return pc.binary_join_element_wise(*fields, between)


def uuids_of(column: pl.Series) -> Any:
    """Return the fields of 32 hex digits each; null is a length of -1."""
    bits = np.frombuffer(
        bytes.fromhex("".join(column.drop_nulls().to_list())), dtype=np.uint8
    ).reshape(-1, 16)
    is_null = column.is_null().to_numpy()
    rows = np.zeros((column.len(), 20), dtype=np.uint8)
    rows[:, 3] = 16
    rows[~is_null, 4:] = bits
    rows[is_null, :4] = 255
    is_sent = np.ones(rows.shape, dtype=bool)
    is_sent[is_null, 4:] = False
    return _binary(rows[is_sent], np.concatenate([[0], np.cumsum(np.where(is_null, 4, 20))]))


def _binary(items: np.ndarray, offsets: Int[np.ndarray, "bounds"]) -> Any:
    """Return bytes and where each field begins as an array of Arrow, without a copy."""
    bounds = np.ascontiguousarray(offsets, dtype=np.int64)
    data = pa.py_buffer(np.ascontiguousarray(items))
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), bounds.size - 1, [None, pa.py_buffer(bounds), data]
    )
