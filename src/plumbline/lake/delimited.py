"""Delimited text into a table of cells, every broken line named."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.lake.content import why_no_text
from plumbline.lake.packed import gunzipped
from plumbline.lake.problem_text import FileProblem
from plumbline.lake.raw_table import RawTable

DELIMITERS = (",", ";", "\t", "|")
_QUOTE = 0x22
_SHOWN = 20
_FEW = 3  # lines that are named one by one, even if there are no others
_MARK = b"\xef\xbb\xbf"  # byte order mark of UTF-8


class _Lines(NamedTuple):
    """Records of a text: first byte, byte after the last, number of cells, line it starts on."""

    start: Int[np.ndarray, " records"]
    stop: Int[np.ndarray, " records"]
    cells: Int[np.ndarray, " records"]
    line: Int[np.ndarray, " records"]


class Marks(NamedTuple):
    """How the cells of a text are written.

    Parameters
    ----------
    delimiter : mark between cells; None takes the one of ``, ; tab |`` that the header has most of.
    decimal : decimal mark of its numbers.
    header : names of the columns of a text that has none; None if its first line holds them.
    """

    delimiter: str | None = None
    decimal: str = "."
    header: tuple[str, ...] | None = None


def read_delimited(
    path: Path, name: str, delimiter: str | None, decimal: str, problems: list[str]
) -> RawTable | None:
    """Return the cells of a text file, all as text, or None.

    Parameters
    ----------
    path : a file, UTF-8, plain or ``.gz``; the first line that is not blank is the header.
    name : how messages call it.
    delimiter, decimal : see :class:`Marks`.
    problems : list that problems are appended to. Lines with too many or too few cells are
        named and left out, so that the rest can be checked too.
    """
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".gz":
            data = gunzipped(data)
    except (OSError, ValueError) as error:
        problems.append(f"{name}: cannot be read: {error}")
        return None
    text = checked_text(data, name, problems)
    return None if text is None else cells_of(text, name, Marks(delimiter, decimal), problems)


def cells_of(data: bytes, name: str, marks: Marks, problems: list[str]) -> RawTable | None:
    """Return the cells of a text that :func:`checked_text` let pass, all as text, or None.

    Parameters
    ----------
    data : the text.
    name, problems : as in :func:`read_delimited`.
    marks : how its cells are written.
    """
    first = data.lstrip(b"\r\n").split(b"\n", 1)[0].decode()
    mark = marks.delimiter or max(DELIMITERS, key=first.count)
    lines = _lines(data, mark)
    if lines is None:
        problems.append(f"{name}: a quotation mark is opened and never closed")
        return None
    names: Sequence[str] | None = marks.header
    if names is None:
        names = _header(data[lines.start[0] : lines.stop[0]].decode(), mark, name, problems)
    if names is None:
        return None
    header = [column.strip() for column in names]
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        problems.append(f"{name}: columns stand twice: {', '.join(map(repr, twice))}")
        return None
    rows = lines if marks.header is not None else _Lines(*(part[1:] for part in lines))
    if not rows.start.size:
        problems.append(f"{name}: the file is empty: it has a header and no row")
        return None
    wrong = _width_problems(rows, mark, name, (len(header), marks.header is None))
    if (wrong or len(header) == 1) and (other := _other_delimiter(data, mark)) is not None:
        problems.append(f"{name}: cells end with {other!r}, not {mark!r}: say delimiter: {other!r}")
        return None
    problems.extend(wrong)
    kept = _Lines(*(part[rows.cells == len(header)] for part in rows))
    if not kept.start.size:
        return None
    padded = {own: raw for own, raw in zip(header, names, strict=True) if own != raw}
    frame = _frame(_body(data, rows, kept), header, mark, name, problems)
    if frame is not None and frame.height != kept.start.size:
        problems.append(
            f"{name}: {kept.start.size} lines gave {frame.height} rows; check its quotes"
        )
        return None
    return None if frame is None else RawTable(name, frame, kept.line, marks.decimal, padded)


def _frame(
    body: bytes, header: Sequence[str], mark: str, name: str, problems: list[str]
) -> pl.DataFrame | None:
    try:
        return _cells(body, header, mark)
    except pl.exceptions.PolarsError as error:
        problems.append(f"{name}: cannot be read as delimited text: {error}; check its quotes")
        return None


def _header(line: str, delimiter: str, name: str, problems: list[str]) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        problems.append(f"{name}: the header cannot be read: {error}")
        return None


def _other_delimiter(data: bytes, mark: str) -> str | None:
    """Return a mark that cuts every line into the same number of cells, if another one does."""
    for other in DELIMITERS:
        lines = None if other == mark else _lines(data, other)
        if lines is not None and lines.cells[0] > 1 and (lines.cells == lines.cells[0]).all():
            return other
    return None


def checked_text(data: bytes, name: str, problems: list[str]) -> bytes | None:
    """Return UTF-8 text without its byte order mark, or None; append what else it is.

    Parameters
    ----------
    data : bytes of a file.
    name : how messages call it.
    problems : list that problems are appended to.
    """
    if other := why_no_text(data[:4]):
        problems.append(f"{name}: {other}")
        return None
    data = data.removeprefix(_MARK)
    if not data.strip():
        problems.append(f"{name}: the file is empty")
        return None
    try:
        data.decode()
        place = data.find(b"\0")
    except UnicodeDecodeError as error:
        place = error.start
    if place >= 0:
        line = data.count(b"\n", 0, place) + 1
        problems.append(
            f"{name}, line {line}: byte {data[place]:#04x} is no UTF-8 text; save the file as UTF-8"
        )
        return None
    if data.count(b"\r") > data.count(b"\r\n") and (at := _lone_return(data)) is not None:
        problems.append(
            f"{name}, line {at}: a line ends with a carriage return alone; save the file with "
            "line ends of Unix (LF) or Windows (CR LF)"
        )
        return None
    return data


def _lone_return(data: bytes) -> int | None:
    """Return the line of the first carriage return outside quotes that no line feed follows."""
    text = data.rstrip(b"\r\n")
    for found in re.finditer(rb"\r(?!\n)", text):
        if text.count(b'"', 0, found.start()) % 2 == 0:
            return text.count(b"\n", 0, found.start()) + 1
    return None


def _lines(data: bytes, delimiter: str) -> _Lines | None:
    buffer = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(buffer == 0x0A)
    marks = np.flatnonzero(buffer == ord(delimiter))
    newlines = ends
    quotes = np.flatnonzero(buffer == _QUOTE) if b'"' in data else np.zeros(0, dtype=np.int64)
    if quotes.size % 2:
        return None
    if quotes.size:  # what stands inside quotation marks separates nothing
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    stop = np.append(ends, buffer.size)
    start = np.append(0, ends + 1)
    cells = np.diff(np.searchsorted(marks, np.append(0, stop))) + 1
    line = np.searchsorted(newlines, start) + 1
    length = stop - start
    is_return = (length == 1) & (buffer[np.minimum(start, buffer.size - 1)] == 0x0D)
    is_text = (length > 0) & ~is_return
    return _Lines(start[is_text], stop[is_text], cells[is_text], line[is_text])


def _width_problems(lines: _Lines, mark: str, name: str, wanted: tuple[int, bool]) -> list[str]:
    """Return which lines have another number of cells than wanted, which a header may have said."""
    width, is_said = wanted
    rule = f"the header has {width}" if is_said else f"a line has {width}"
    wrong = np.flatnonzero(lines.cells != width)
    too_many = f'; a cell that holds {mark!r} stands in quotes, as "1{mark}5"'
    advice = np.where(lines.cells > width, too_many, "")
    if (
        wrong.size > max(_FEW, (lines.cells.size + 1) // 2)
        and np.unique(lines.cells[wrong]).size == 1
    ):
        first = wrong[0]
        count = f"{wrong.size} of {lines.cells.size} lines, such as line {lines.line[first]},"
        fault = f" have {lines.cells[first]} cells; {rule}{advice[first]}"
        return [FileProblem(f"{name}: ", count, fault)]
    shown = [
        f"{name}, line {lines.line[i]}: {lines.cells[i]} cells, {rule}{advice[i]}"
        for i in wrong[:_SHOWN]
    ]
    if wrong.size > _SHOWN:
        shown.append(f"{name}: {wrong.size - _SHOWN} more lines like these")
    return shown


def _body(data: bytes, lines: _Lines, kept: _Lines) -> bytes:
    is_whole = kept.start.size == lines.start.size
    is_dense = np.array_equal(kept.stop[:-1] + 1, kept.start[1:])
    if is_whole and is_dense:
        return data[kept.start[0] : kept.stop[-1]]
    return b"\n".join(data[a:b] for a, b in zip(kept.start, kept.stop, strict=True))


def _cells(body: bytes, header: Sequence[str], delimiter: str) -> pl.DataFrame:
    columns = [f"{i}" for i in range(len(header))]
    frame = pl.read_csv(
        io.BytesIO(body),
        has_header=False,
        new_columns=columns,
        schema_overrides=dict.fromkeys(columns, pl.String),
        infer_schema=False,
        separator=delimiter,
    )
    return frame.rename(dict(zip(columns, header, strict=True)))
