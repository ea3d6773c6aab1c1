"""Books of portfolios from files, every broken line of all of them named."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.lake.delimited import Marks, cells_of, checked_text
from plumbline.lake.packed import unpacked
from plumbline.lake.raw_table import RawTable
from plumbline.lake.sources.parquet import Parquet
from plumbline.risk.book import Book
from plumbline.risk.book_tables import Origin

_PARQUET_MARK: Final = b"PAR1"
_PARQUET_ENDINGS: Final = (".parquet", ".pq")
_TEXT: Final = Marks()
_NO_LINES: Final = np.zeros(0, dtype=np.int64)


def read_book(
    files: Mapping[str, Path | str],
    *,
    calendar: Calendar | str = "XNYS",
    latest: date | None = None,
    opening_cash: float | None = None,
    marks: Marks = _TEXT,
) -> Book:
    """Return the book of some files.

    Parameters
    ----------
    files : table -> its file, of ``portfolios trades cash_flows instruments positions``: Parquet,
        or delimited text with a header, in UTF-8, plain, ``.gz`` or ``.zip``.
    calendar, latest, opening_cash : as in :meth:`plumbline.risk.Book.from_tables`.
    marks : how cells of text are written; default: the delimiter that each header has most of,
        and decimal points.

    Raises
    ------
    BookError
        If a file, a line or a cell is wrong; all problems of all files are listed, with their
        lines of a text and rows of Parquet, and nothing is taken.
    """
    given: dict[str, Any] = {}
    origins = {}
    for table, path in files.items():
        given[table], origins[table] = read_table_file(Path(path), marks)
    return Book.from_tables(
        given, calendar=calendar, latest=latest, origins=origins, opening_cash=opening_cash
    )


def read_table_file(path: Path, marks: Marks = _TEXT) -> tuple[pl.DataFrame | None, Origin]:
    """Return the cells of a file as they are written there, and where they stand.

    Parameters
    ----------
    path : as in :func:`read_book`.
    marks : how cells of text are written.

    Returns
    -------
    None where the file cannot be read; what is wrong with it, or with some of its lines, stands
    among the faults of the origin.
    """
    name, problems = str(path), list[str]()
    table = _cells(path, name, marks, problems)
    if table is None:
        return None, Origin(name, faults=tuple(problems))
    word = "row" if table.lines is None else "line"
    return table.frame, Origin(name, table.lines, word, table.decimal, tuple(problems))


def _cells(path: Path, name: str, marks: Marks, problems: list[str]) -> RawTable | None:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET_MARK)) == _PARQUET_MARK
    except OSError as error:
        problems.append(f"{name}: cannot be read: {error.strerror}")
        return None
    if is_parquet:
        return Parquet(paths=name).table(path, name, problems)
    if path.suffix.lower() in _PARQUET_ENDINGS:
        problems.append(f"{name}: holds no Parquet; name delimited text with .csv")
        return None
    data = unpacked(path, name, problems)
    text = None if data is None else checked_text(data, name, problems)
    return None if text is None else _text_cells(text, name, marks, problems)


def _text_cells(text: bytes, name: str, marks: Marks, problems: list[str]) -> RawTable | None:
    header = text.strip(b"\r\n")
    if marks.header is not None or b"\n" in header:
        return cells_of(text, name, marks, problems)
    alone = cells_of(header + b"\n" + header, name, marks, problems)  # it stands for a row too
    return None if alone is None else replace(alone, frame=alone.frame.clear(), lines=_NO_LINES)
