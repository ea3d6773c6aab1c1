"""Typed, canonical digests: equal values give equal hex strings, different types never do.

Every value is written as a tag, a length and its content, so that no two values share an
encoding: ``1``, ``1.0``, ``True`` and ``"1"`` differ, and so do ``["ab"]`` and ``["a", "b"]``.
What has no canonical encoding is refused, with its place in the value, and never guessed.
"""

import dataclasses
import enum
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import numpy as np
from blake3 import blake3

from plumbline.core.errors import UnhashableError

_WIDEST = {"f": 8, "c": 16}  # bytes; wider floats hold padding that is no part of the value
_CHUNK = 1 << 15  # values a step: NaN test and hash stay in the second-level cache


def digest(value: object) -> str:
    """Return the hex digest (BLAKE3, 256 bits) of a value.

    Parameters
    ----------
    value : None, bool, int, float, str, bytes, date, time, datetime, timedelta, Decimal, path,
        enum member, numpy scalar, array or masked array, polars frame or series, Arrow table,
        tuple, list, dict, set, a plug-in, or a frozen dataclass of these.

    Returns
    -------
    64 hex digits. Every NaN has one digest, whatever its bits; 0.0 and -0.0 differ.

    Raises
    ------
    UnhashableError
        If a value, at any depth, has no canonical encoding.

    Notes
    -----
    Cost: one pass; above 1 GB/s a core for float64 arrays.
    """
    hasher = blake3()
    try:
        _write(hasher, value, "value")
    except RecursionError as error:
        raise UnhashableError("value contains itself or is nested too deeply") from error
    return hasher.hexdigest()


def digest_bytes(content: bytes | bytearray | memoryview) -> str:
    """Return the hex digest of raw bytes, as of a file's content."""
    return blake3(content).hexdigest()


def _write(hasher: Any, value: object, where: str) -> None:
    writer = _WRITERS.get(type(value))
    if writer is not None:
        writer(hasher, value, where)
    elif isinstance(value, enum.Enum):
        _tag(hasher, "enum", _qualified(type(value)).encode())
        _tag(hasher, "name", value.name.encode())
    elif isinstance(value, np.ma.MaskedArray):
        _write_masked(hasher, value, where)
    elif isinstance(value, np.ndarray):
        _write_array(hasher, value, where)
    elif isinstance(value, np.generic):
        _tag(hasher, "scalar", value.dtype.str.encode())
        _write_array(hasher, np.asarray(value), where)
    elif hasattr(type(value), "fingerprint"):
        _write_fingerprint(hasher, value, where)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _write_dataclass(hasher, value, where)
    elif isinstance(value, PurePath):
        _tag(hasher, "path", value.as_posix().encode())
    elif isinstance(value, Mapping):
        _write_mapping(hasher, value, where)
    elif type(value).__module__.split(".")[0] in ("polars", "pyarrow"):
        _write_frame(hasher, value, where)
    else:
        raise UnhashableError(
            f"{where} is a {_qualified(type(value))}, which has no canonical digest; use numbers, "
            "text, dates, arrays, frames, plug-ins, frozen dataclasses or containers of these"
        )


def _tag(hasher: Any, kind: str, content: bytes) -> None:
    hasher.update(f"{kind}:{len(content)}:".encode())
    hasher.update(content)


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _float_bytes(value: float) -> bytes:
    return struct.pack("<d", value if value == value else float("nan"))


def _write_sequence(kind: str) -> Callable[[Any, Any, str], None]:
    def write(hasher: Any, value: Any, where: str) -> None:
        _tag(hasher, kind, str(len(value)).encode())
        for i, item in enumerate(value):
            _write(hasher, item, f"{where}[{i}]")

    return write


def _write_set(hasher: Any, value: Any, where: str) -> None:
    _tag(hasher, "set", str(len(value)).encode())
    members = []
    for item in value:
        inner = blake3()
        _write(inner, item, f"{where}{{…}}")
        members.append(inner.digest())
    for member in sorted(members):
        hasher.update(member)


def _write_mapping(hasher: Any, value: Mapping[Any, Any], where: str) -> None:
    _tag(hasher, "dict", str(len(value)).encode())
    entries = []
    for key, item in value.items():
        inner = blake3()
        _write(inner, key, f"{where} key {key!r}")
        entries.append((inner.digest(), key, item))
    for key_digest, key, item in sorted(entries, key=lambda entry: entry[0]):
        hasher.update(key_digest)
        _write(hasher, item, f"{where}[{key!r}]")


def _write_fingerprint(hasher: Any, value: Any, where: str) -> None:
    try:
        fingerprint = value.fingerprint
    except UnhashableError as error:
        raise UnhashableError(f"{where}, a {_qualified(type(value))}: {error}") from error
    _tag(hasher, "plugin", fingerprint.encode())


def _write_dataclass(hasher: Any, value: Any, where: str) -> None:
    if not value.__dataclass_params__.frozen:
        raise UnhashableError(
            f"{where} is a {_qualified(type(value))}, which can change; make it frozen"
        )
    _tag(hasher, "dataclass", _qualified(type(value)).encode())
    for field in dataclasses.fields(value):
        _tag(hasher, "field", field.name.encode())
        _write(hasher, getattr(value, field.name), f"{where}.{field.name}")


def _write_array(hasher: Any, value: np.ndarray, where: str) -> None:
    too_wide = value.dtype.itemsize > _WIDEST.get(value.dtype.kind, value.dtype.itemsize)
    if value.dtype.kind not in "biufcmMSU" or too_wide:
        raise UnhashableError(
            f"{where} is an array of dtype {value.dtype}, which has no canonical digest; "
            "use numbers, times, fixed-width text or booleans"
        )
    kind = value.dtype.newbyteorder("<")
    _tag(hasher, "array", f"{kind.str}{value.shape}".encode())
    flat = np.ascontiguousarray(value, dtype=kind).reshape(-1)
    if kind.kind == "c":
        flat = flat.view(f"<f{kind.itemsize // 2}")
    if kind.kind not in "fc":
        hasher.update(flat.view(np.uint8).data if flat.size else b"")
        return
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        missing = np.isnan(chunk)
        if missing.any():
            chunk = np.where(missing, np.array(np.nan, dtype=chunk.dtype), chunk)
        hasher.update(chunk.view(np.uint8).data)


def _write_masked(hasher: Any, value: np.ma.MaskedArray[Any, Any], where: str) -> None:
    mask = np.ma.getmaskarray(value)
    _tag(hasher, "masked", b"")
    _write_array(hasher, mask, where)
    _write_array(hasher, np.where(mask, np.zeros((), value.dtype), value.data), where)


def _write_frame(hasher: Any, value: Any, where: str) -> None:
    import polars as pl

    if not isinstance(value, (pl.DataFrame, pl.Series)):
        try:
            value = pl.from_arrow(value)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise UnhashableError(f"{where}: {error}") from error
    columns = [value] if isinstance(value, pl.Series) else value.get_columns()
    _tag(hasher, "series" if isinstance(value, pl.Series) else "frame", str(len(columns)).encode())
    for column in columns:
        _write_column(hasher, column, where)


def _write_column(hasher: Any, column: Any, where: str) -> None:
    import polars as pl

    _tag(hasher, "column", column.name.encode())
    _tag(hasher, "dtype", str(column.dtype).encode())
    _write_array(hasher, column.is_null().to_numpy(), where)
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype in (pl.String, pl.Binary):
        content = column.cast(pl.Binary).fill_null(b"")
        _write_array(hasher, content.bin.size().cast(pl.UInt64).to_numpy(), where)
        hasher.update(b"".join(content.to_list()))
    elif isinstance(column.dtype, pl.List):
        _write_array(hasher, column.list.len().fill_null(0).cast(pl.UInt64).to_numpy(), where)
        filled = column.filter(column.list.len() > 0)
        _write_column(hasher, filled.explode().alias("item"), where)
    elif isinstance(column.dtype, pl.Decimal):
        _write_column(hasher, column.cast(pl.String), where)
    elif column.dtype.is_nested() or column.dtype == pl.Object:
        raise UnhashableError(
            f"{where}: column {column.name!r} of type {column.dtype} has no canonical digest"
        )
    elif column.dtype == pl.Boolean:
        _write_array(hasher, column.fill_null(value=False).to_numpy(), where)
    elif column.dtype != pl.Null:
        _write_array(hasher, column.to_physical().fill_null(0).to_numpy(), where)


_WRITERS: dict[type, Callable[[Any, Any, str], None]] = {
    type(None): lambda h, _v, _w: _tag(h, "none", b""),
    bool: lambda h, v, _w: _tag(h, "bool", b"1" if v else b"0"),
    int: lambda h, v, _w: _tag(h, "int", f"{v:x}".encode()),
    float: lambda h, v, _w: _tag(h, "float", _float_bytes(v)),
    complex: lambda h, v, _w: _tag(h, "complex", _float_bytes(v.real) + _float_bytes(v.imag)),
    str: lambda h, v, _w: _tag(h, "str", v.encode("utf-8", "surrogatepass")),
    bytes: lambda h, v, _w: _tag(h, "bytes", v),
    datetime: lambda h, v, _w: _tag(h, "datetime", v.isoformat().encode()),
    date: lambda h, v, _w: _tag(h, "date", v.isoformat().encode()),
    time: lambda h, v, _w: _tag(h, "time", v.isoformat().encode()),
    timedelta: lambda h, v, _w: _tag(h, "timedelta", repr(v).encode()),
    Decimal: lambda h, v, _w: _tag(h, "decimal", str(v).encode()),
    tuple: _write_sequence("tuple"),
    list: _write_sequence("list"),
    set: _write_set,
    frozenset: _write_set,
    dict: _write_mapping,
}
