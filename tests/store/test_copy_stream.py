"""What is sent to a server and what comes from it are each other's twin, and psycopg's."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer

from plumbline.store.cells import column_of
from plumbline.store.copy_stream import (
    HEADER,
    TRAILER,
    lists_of,
    scalars_of,
    stream_of_dates,
    uuids_of,
)
from plumbline.store.packed import Lists, Packed

VALUES: dict[Any, Any] = {
    pl.Float64(): st.floats(),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.Boolean(): st.booleans(),
    pl.String(): st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
}
DATES = st.dates(date(1, 1, 1), date(9999, 12, 31))


def cells(fields: Any) -> list[bytes | None]:
    """Return the bytes behind the length of each field; a length of -1 is null."""
    found = []
    for field in fields.to_pylist():
        length = int.from_bytes(field[:4], signed=True)
        assert length in (-1, len(field) - 4)
        found.append(None if length < 0 else field[4:])
    return found


def same(found: pl.Series, expected: pl.Series) -> bool:
    """Return whether two columns hold the same, NaN and zeros of both signs told apart."""
    return found.dtype == expected.dtype and repr(found.to_list()) == repr(expected.to_list())


@pytest.mark.parametrize("kind", list(VALUES))
@settings(max_examples=25)
@given(data=st.data())
def test_arrays_come_back_as_they_were_sent(kind: Any, data: st.DataObject) -> None:
    item = VALUES[kind] if kind == pl.String() else st.none() | VALUES[kind]
    rows = data.draw(st.lists(st.lists(item, max_size=5), min_size=1, max_size=6))
    flat = pl.Series([value for row in rows for value in row], dtype=kind)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    sent = cells(lists_of(Lists(offsets, flat)))
    expected = pl.Series("x", rows, dtype=pl.List(kind))
    assert same(column_of("x", sent, pl.List(kind)), expected)


@pytest.mark.parametrize("kind", [*VALUES, pl.Date()])
@settings(max_examples=25)
@given(data=st.data())
def test_scalars_come_back_as_they_were_sent(kind: Any, data: st.DataObject) -> None:
    item = DATES if kind == pl.Date() else VALUES[kind]
    item = item if kind == pl.String() else st.none() | item
    column = pl.Series("x", data.draw(st.lists(item, min_size=1, max_size=6)), dtype=kind)
    assert same(column_of("x", cells(scalars_of(column)), kind), column)


def test_the_bytes_are_those_that_psycopg_sends() -> None:
    transformer = Transformer()

    def dumped(value: Any) -> bytes:
        found = transformer.get_dumper(value, PyFormat.BINARY).dump(value)
        assert found is not None
        return bytes(found)

    floats = [0.1, -0.0, float("inf"), None, 5e-324]
    sent = cells(lists_of(Lists(np.array([0, 5]), pl.Series(floats, dtype=pl.Float64))))
    assert sent == [dumped(floats)]
    texts = ["a", "", "ünder", "x" * 300]
    assert cells(lists_of(Lists(np.array([0, 4]), pl.Series(texts)))) == [dumped(texts)]
    days = [date(1999, 12, 31), date(2024, 2, 29)]
    assert cells(scalars_of(pl.Series(days))) == [dumped(day) for day in days]
    key = "00112233445566778899aabbccddeeff"
    assert cells(uuids_of(pl.Series([key, None]))) == [bytes.fromhex(key), None]


def test_a_row_of_a_date_ends_with_its_content() -> None:
    heads = pl.DataFrame(
        {
            "date": [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)],
            "key": [f"{number:032x}" for number in range(3)],
            "n_pairs": [1, 0, 0],
            "symbols": [["A", "B"], [], ["C"]],
        },
        schema_overrides={"symbols": pl.List(pl.String)},
    )
    betas = Lists(np.array([0, 2, 2, 3]), pl.Series([0.5, None, 1.5]))
    contents = [b"one", b"", b"x" * 70_000]
    sent = b"".join(stream_of_dates(Packed(heads, {"betas": betas}, None), iter(contents)))
    assert sent.startswith(HEADER)
    assert sent.endswith(TRAILER)
    rest = memoryview(sent)[len(HEADER) : -len(TRAILER)]
    n_fields = len(heads.columns) + 2
    for row, content in enumerate(contents):
        assert int.from_bytes(rest[:2]) == n_fields
        rest, found = rest[2:], []
        for _ in range(n_fields):
            length = int.from_bytes(rest[:4])
            found.append(bytes(rest[4 : 4 + length]))
            rest = rest[4 + length :]
        texts = Lists(np.array([0, len(heads["symbols"][row])]), heads["symbols"][row])
        assert found == [
            cells(scalars_of(heads["date"][row : row + 1]))[0],
            bytes.fromhex(heads["key"][row]),
            heads["n_pairs"][row].to_bytes(8),
            cells(lists_of(texts))[0],
            cells(lists_of(betas.part(row, row + 1)))[0],
            content,
        ]
    assert not rest
