"""Books of a project: imported from files, kept in versions, exported."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.errors import BookError, ExportError, ParameterError, UnknownNameError
from plumbline.core.settings import current_time
from plumbline.engine.project import Project
from plumbline.lake.delimited import Marks
from plumbline.lake.durable import make_folder, write_durably
from plumbline.lake.table_sets import TableSet, TableSets, parquet_bytes
from plumbline.risk.book import GIVEN, TABLES, Book, Conventions
from plumbline.risk.book_tables import Origin
from plumbline.stages.book_files import read_table_file
from plumbline.stages.data_section import NAME

FORMATS: Final = ("csv", "parquet")
_NAME: Final = re.compile(str(NAME["pattern"]))
_PREFIX: Final = "book "
_TEXT: Final = Marks()


@final
@dataclass(frozen=True)
class Import:
    """How files become a book.

    Parameters
    ----------
    is_appended : rows of a table come beside those that the book has; else they take their place.
    calendar : of a new book; default: XNYS.
    opening_cash : of portfolios that positions open.
    marks : how cells of text are written.
    """

    is_appended: bool = False
    calendar: str | None = None
    opening_cash: float | None = None
    marks: Marks = _TEXT


@final
@dataclass(frozen=True)
class Imported:
    """What an import did.

    Parameters
    ----------
    version : that the name means from then on.
    is_new : whether it differs from the one before.
    rows : table -> rows.
    before : table -> rows that it had; empty for a new book.
    """

    version: TableSet
    is_new: bool
    rows: Mapping[str, int]
    before: Mapping[str, int]


def import_book(
    project: Project, name: str, files: Mapping[str, Path | str], how: Import | None = None
) -> Imported:
    """Store the book of some files as the newest version of a name; nothing if a row is wrong.

    Parameters
    ----------
    project : that keeps it.
    name : of the book; tables that are not given stay as they are in its newest version. If no
        version was ever given instruments, symbols that are new are equities.
    files : table -> file, as for :func:`plumbline.stages.book_files.read_book`.
    how : whether rows are added, and how cells are read.

    Raises
    ------
    BookError
        If a file, a line or a cell is wrong, or a date lies in the future; all problems of all
        files are listed.
    ParameterError
        If no file is named, or another calendar than the book's.
    """
    how = how or Import()
    if not _NAME.fullmatch(name):
        raise ParameterError(f"the name of a book must be {NAME['description']}, not {name!r}")
    if not files:
        raise ParameterError(f"name a file of at least one table: {', '.join(GIVEN)}")
    given: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for table, path in files.items():
        given[table], origins[table] = read_table_file(Path(path), how.marks)
    sets = TableSets(project.store, project.database)
    known = sets.versions(_PREFIX + name)
    calendar = _calendar(name, known, how)
    before = sets.read(known[0]) if known else {}
    if before:
        _join(given, origins, before, is_appended=how.is_appended)
    lists = "instruments" in files or (bool(known) and json.loads(known[0].note)["lists"])
    try:
        book = Book.from_tables(
            given,
            calendar=calendar,
            latest=current_time().date(),
            origins=origins,
            opening_cash=how.opening_cash,
            adds_equities=not lists,
        )
    except BookError as error:
        raise BookError(f"book {name}, nothing is imported", error.problems) from error
    _refuse_empty(book, files)
    frames = {table: getattr(book, table) for table in TABLES}
    named = {table: str(path) for table, path in files.items()}
    note = json.dumps({"calendar": calendar, "lists": lists, "files": named})
    stored = sets.store(_PREFIX + name, frames, note)
    is_new = not known or stored.version != known[0].version
    rows = {table: frame.height for table, frame in frames.items()}
    return Imported(stored, is_new, rows, {table: one.height for table, one in before.items()})


def _calendar(name: str, known: list[TableSet], how: Import) -> str:
    own = json.loads(known[0].note)["calendar"] if known else None
    if own is not None and how.calendar not in (None, own):
        raise ParameterError(
            f"book {name!r} has the calendar {own}, not {how.calendar}; give the new one another "
            "name"
        )
    return str(own or how.calendar or "XNYS")


def _refuse_empty(book: Book, files: Mapping[str, Path | str]) -> None:
    if not book.portfolios.height:
        named = ", ".join(str(path) for path in files.values())
        raise BookError("book", [f"no portfolio stands in {named}; give one a row in portfolios"])


def _join(
    given: dict[str, Any],
    origins: dict[str, Origin],
    before: Mapping[str, pl.DataFrame],
    *,
    is_appended: bool,
) -> None:
    """Put the rows of the version before beside those given, or in the place of tables not given.

    Positions are trades that are not written yet, so without ``is_appended`` they stand for all.
    """
    replaced = {"trades"} if given.get("positions") is not None and not is_appended else set()
    for table, rows in before.items():
        if table not in given:
            if table not in replaced:
                given[table] = rows
        elif is_appended and given[table] is not None and table not in _wrong(given, origins):
            given[table], origins[table] = _beside(rows, given[table], origins[table])


def _wrong(given: Mapping[str, Any], origins: Mapping[str, Origin]) -> set[str]:
    """Return the tables of which rows could not be read: they are refused as they are."""
    return {table for table in given if table in origins and origins[table].faults}


def _beside(rows: pl.DataFrame, more: pl.DataFrame, origin: Origin) -> tuple[pl.DataFrame, Origin]:
    """Return known rows with more behind them, all as text; known ones are numbered 0."""
    texts = rows.select(pl.all().cast(pl.String))
    if origin.decimal != ".":
        numbers = [name for name, dtype in rows.schema.items() if dtype == pl.Float64]
        texts = texts.with_columns(pl.col(numbers).str.replace(".", origin.decimal, literal=True))
    numbers_of = np.arange(1, more.height + 1) if origin.numbers is None else origin.numbers
    joined = pl.concat([texts, more.select(pl.all().cast(pl.String))], how="diagonal")
    lines = np.concatenate([np.zeros(rows.height, dtype=np.int64), numbers_of])
    return joined, Origin(origin.name, lines, origin.word, origin.decimal, origin.faults)


def stored_book(
    project: Project, name: str, version: int | None = None, conventions: Conventions | None = None
) -> tuple[Book, TableSet]:
    """Return a book of a project, and which version it is.

    Raises
    ------
    UnknownNameError
        If there is no such book or version; it says how to import one.
    CorruptEntryError
        If a file is damaged.
    """
    sets = TableSets(project.store, project.database)
    try:
        found = sets.find(_PREFIX + name, version)
    except UnknownNameError as error:
        names = book_names(project)
        if name in names:
            raise UnknownNameError(str(error).replace(_PREFIX, "book ")) from None
        known = ", ".join(names) or "none"
        raise UnknownNameError(
            f"no book {name!r} in this project; there are: {known}; to make one: plumbline "
            f"portfolios import {name} --portfolios FILE --trades FILE"
        ) from None
    frames = sets.read(found)
    calendar = Calendar(json.loads(found.note)["calendar"])
    book = Book(**frames, calendar=calendar, conventions=conventions or Conventions())
    return book, found


def book_names(project: Project) -> list[str]:
    """Return the names of the books of a project, sorted."""
    sets = TableSets(project.store, project.database)
    own = [name for name in sets.names() if name.startswith(_PREFIX)]
    return [name.removeprefix(_PREFIX) for name in own]


def forget_book(project: Project, name: str) -> int:
    """Take a book and all its versions away; return how many. Results stay in their store.

    Raises
    ------
    UnknownNameError
        If there is no such book.
    """
    stored_book(project, name)
    return TableSets(project.store, project.database).forget(_PREFIX + name)


def book_versions(project: Project, name: str) -> list[TableSet]:
    """Return the versions of a book, the newest first."""
    return TableSets(project.store, project.database).versions(_PREFIX + name)


def export_book(book: Book, folder: Path, form: str = "csv") -> dict[str, Path]:
    """Write the tables of a book as files that an import takes; return table -> file.

    Parameters
    ----------
    folder : made if it is not there; it may hold none of the files.
    form : ``csv`` or ``parquet``.

    Raises
    ------
    ParameterError
        If the form is none of these.
    ExportError
        If a file is there already, or cannot be written.
    """
    if form not in FORMATS:
        raise ParameterError(f"form={form!r} must be one of {', '.join(FORMATS)}")
    files = {table: folder / f"{table}.{form}" for table in TABLES}
    present = [str(path) for path in files.values() if path.exists()]
    if present:
        raise ExportError(f"{', '.join(present)}: there already; name another folder")
    try:
        make_folder(folder)
        for table, path in files.items():
            frame: pl.DataFrame = getattr(book, table)
            if form == "csv":
                write_durably(path, frame.write_csv().encode())
            else:
                write_durably(path, parquet_bytes(frame))
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error.strerror}") from error
    return files
