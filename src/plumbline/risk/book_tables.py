"""Tables of a book: cells to text, dates and numbers, or what is wrong with each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, final

import narwhals as nw
import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.errors import nearest_names
from plumbline.core.wording import counted
from plumbline.risk.book_columns import Column

SHOWN: Final = 20  # cells that are named one by one for each column and fault
ROW: Final = "=row"
WHOLE: Final = -1  # in the place of a row: what is wrong with a table as a whole comes first
_REST: Final = 2**62  # what is told of many rows comes last
_TYPES: Final = {"text": pl.String(), "date": pl.Date(), "number": pl.Float64()}


class Fault(NamedTuple):
    """One thing that is wrong.

    Parameters
    ----------
    table : its name, or that of its file.
    row : number of the row, as messages tell it; ``WHOLE`` of the table as a whole.
    text : the message.
    """

    table: str
    row: int
    text: str


def in_order(faults: Iterable[Fault], tables: Iterable[str]) -> list[str]:
    """Return the messages table by table, and in each row by row.

    Parameters
    ----------
    faults : those of one row stay in their order.
    tables : names in their order; what is of none of them comes first.
    """
    places = {name: place for place, name in enumerate(tables)}
    ordered = sorted(faults, key=lambda fault: (places.get(fault.table, -1), fault.row))
    return [fault.text for fault in ordered]


@final
@dataclass(frozen=True, eq=False)
class Origin:
    """Where the rows of a table come from, as messages tell it.

    Parameters
    ----------
    name : of the table, or of its file.
    numbers : of the rows, such as lines of a file; None counts them from 1.
    word : what is numbered, ``row`` or ``line``.
    decimal : decimal mark of numbers that are text.
    faults : what kept it, or some of its rows, from being read.
    """

    name: str
    numbers: Int[np.ndarray, " rows"] | None = None
    word: str = "row"
    decimal: str = "."
    faults: tuple[str, ...] = ()

    def told(self, column: str, cells: pl.Series, rows: pl.Series, fault: str) -> Iterable[Fault]:
        """Yield one fault for each wrong cell; beyond 20, say how many more.

        Parameters
        ----------
        column : of the cells.
        cells : what stands there.
        rows : their numbers.
        fault : what is wrong and what is allowed.
        """
        for cell, row in zip(cells[:SHOWN], rows[:SHOWN], strict=True):
            text = f"{self.name}, {self.word} {row}, column {column!r}: {shown(cell)} {fault}"
            yield Fault(self.name, row, text)
        if cells.len() > SHOWN:
            more = f"{counted(cells.len() - SHOWN, 'more cell')} like these"
            yield self.of_many(column, f"{more}, the last in {self.word} {rows[-1]}")

    def of_many(self, column: str, told: str) -> Fault:
        """Return a fault of more rows than are named one by one."""
        return Fault(self.name, _REST, f"{self.name}, column {column!r}: {told}")


@final
@dataclass(frozen=True, eq=False)
class BookTable:
    """A table whose cells are of the right kinds, or null.

    Parameters
    ----------
    frame : the columns in their order, and ``=row``, the number of each row in messages. A cell
        that is wrong is null, so that the others of its row are looked at all the same.
    origin : of its rows.
    names : cells of its first column; None if rows or that column could not be read, so that there
        may be others.
    lost : column -> numbers of the rows whose cell there is wrong; columns without such left out.
    """

    frame: pl.DataFrame
    origin: Origin
    names: pl.Series | None
    lost: Mapping[str, pl.Series] = field(default_factory=dict)

    def lacks(self, column: str) -> pl.Expr:
        """Return which cells of a column are empty, not those that are wrong."""
        is_null = pl.col(column).is_null()
        if column not in self.lost:
            return is_null
        return is_null & ~pl.col(ROW).is_in(self.lost[column].implode())

    def problems_of(self, is_wrong: pl.Expr, column: str, fault: str) -> Iterable[Fault]:
        """Yield one fault for each row that is wrong; beyond 20, say how many more.

        Parameters
        ----------
        is_wrong : over the frame.
        column : whose value is shown.
        fault : what is wrong and what is allowed.
        """
        bad = self.frame.filter(is_wrong)
        yield from self.origin.told(column, bad[column], bad[ROW], fault)


def read_table(
    given: Any, columns: Sequence[Column], origin: Origin, problems: list[Fault]
) -> BookTable:
    """Return a table with all columns; append what is wrong with its columns and cells.

    Parameters
    ----------
    given : polars, pandas or pyarrow table; None for one without rows. Columns that are not known
        are refused.
    columns : that it has.
    origin : of its rows.
    problems : list that faults are appended to.
    """
    problems.extend(Fault(origin.name, WHOLE, text) for text in origin.faults)
    empty = pl.DataFrame(schema={c.name: _TYPES[c.kind] for c in columns} | {ROW: pl.Int64()})
    if given is None:
        return BookTable(empty, origin, None if origin.faults else empty[columns[0].name])
    try:
        frame = nw.from_native(given, eager_only=True).to_polars()
    except TypeError:
        told = (
            f"{origin.name}: {_kind_of(given)} is no table; give one of polars, pandas or pyarrow"
        )
        problems.append(Fault(origin.name, WHOLE, told))
        return BookTable(empty, origin, None)
    is_guessed = _wrong_columns(frame, columns, origin.name, problems)
    numbers = np.arange(1, frame.height + 1) if origin.numbers is None else origin.numbers
    rows = pl.Series(ROW, numbers, dtype=pl.Int64)
    read, lost = [], {}
    for column in columns:
        if is_guessed and column.name not in frame.columns:  # it may be one that is not known
            empty_cells = pl.Series(column.name, [None], dtype=_TYPES[column.kind])
            cells, wrong = empty_cells.new_from_index(0, frame.height), rows
        else:
            cells, wrong = _read(frame, column, (origin, rows), problems)
        read.append(cells)
        if wrong.len():
            lost[column.name] = wrong
    is_whole = not origin.faults and columns[0].name in frame.columns
    names = read[0].drop_nulls() if is_whole else None
    return BookTable(pl.DataFrame([*read, rows]), origin, names, lost)


def _kind_of(given: object) -> str:
    name = type(given).__name__
    return f"{name}, which is not collected," if name == "LazyFrame" else f"{name} {given!r:.60}"


def _wrong_columns(
    frame: pl.DataFrame, columns: Sequence[Column], name: str, problems: list[Fault]
) -> bool:
    known = [column.name for column in columns]
    needed = [c.name for c in columns if c.default is None and not c.is_optional]
    wrong = [
        f"{name}: no column {have!r} is known; {nearest_names(have, known)}"
        for have in frame.columns
        if have not in known
    ]
    lacking = [column for column in needed if column not in frame.columns]
    if lacking:
        wrong.append(
            f"{name}: the columns {', '.join(lacking)} are missing; it has "
            f"{', '.join(frame.columns) or 'none'}, and may have {', '.join(known)}"
        )
    problems.extend(Fault(name, WHOLE, text) for text in wrong)
    return bool(wrong)


def _read(
    frame: pl.DataFrame, column: Column, place: tuple[Origin, pl.Series], problems: list[Fault]
) -> tuple[pl.Series, pl.Series]:
    """Return the cells of a column, null for those that are wrong, and the rows of these."""
    origin, rows = place
    dtype = _TYPES[column.kind]
    if column.name not in frame.columns:
        empty = pl.Series(column.name, [column.default], dtype=dtype)
        return empty.new_from_index(0, frame.height), rows.clear()
    raw = frame[column.name]
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars()
        raw = pl.select(pl.when(raw != "").then(raw)).to_series().alias(column.name)
    cells = _converted(raw, column, origin.decimal)
    lost = cells.is_null() & raw.is_not_null()
    if column.default is None and not column.is_optional:
        lost |= raw.is_null()
    elif column.default is not None:
        default = pl.when(~lost).then(pl.lit(column.default, dtype))
        cells = cells.fill_null(pl.select(default).to_series())
    wrong = rows.filter(lost)
    problems.extend(origin.told(column.name, raw.filter(lost), wrong, _fault(column)))
    return cells, wrong


def _converted(raw: pl.Series, column: Column, decimal: str) -> pl.Series:
    """Return cells of the column's kind that are allowed, null for the others."""
    if column.kind == "text":
        cells = raw.cast(pl.String, strict=False) if not raw.dtype.is_nested() else _none_of(raw)
        allowed = cells.is_in(list(column.choices)) if column.choices else cells.is_not_null()
        if column.pattern:
            allowed &= cells.str.contains(f"^(?:{column.pattern})$")
    elif column.kind == "date":
        cells = _dates(raw)
        allowed = cells.is_not_null()
    else:
        cells = _numbers(raw, decimal)
        allowed = cells.is_finite() & _in_range(cells, column.least)
        if column.most is not None:
            allowed &= cells <= column.most
    return (
        pl.select(pl.when(allowed.fill_null(value=False)).then(cells)).to_series().alias(raw.name)
    )


def _numbers(raw: pl.Series, decimal: str) -> pl.Series:
    """Return cells as numbers, null for those that are none or that a float64 does not hold."""
    if raw.dtype == pl.String and decimal == ",":
        is_plain = ~raw.str.contains(".", literal=True)  # a point that parts thousands, or an error
        raw = pl.select(pl.when(is_plain).then(raw.str.replace(",", ".", literal=True))).to_series()
    if raw.dtype.is_integer():
        floats = raw.cast(pl.Float64)
        is_same = floats.cast(raw.dtype, strict=False) == raw
        return pl.select(pl.when(is_same).then(floats)).to_series()
    is_text = raw.dtype in (pl.String, pl.Categorical, pl.Enum)
    if not (is_text or raw.dtype.is_numeric() or raw.dtype == pl.Null):
        return _none_of(raw).cast(pl.Float64)
    return (raw.cast(pl.String) if is_text else raw).cast(pl.Float64, strict=False)


def _none_of(raw: pl.Series) -> pl.Series:
    return pl.Series(raw.name, [None], dtype=pl.String).new_from_index(0, raw.len())


def _in_range(cells: pl.Series, least: str) -> pl.Series:
    match least:
        case "above 0":
            return cells > 0
        case "0 or more":
            return cells >= 0
        case "not 0":
            return cells != 0
        case _:
            return cells.is_not_null()


def _dates(raw: pl.Series) -> pl.Series:
    if raw.dtype == pl.String:
        is_date = raw.str.contains(r"^\d{4}-\d{2}-\d{2}$")
        text = pl.select(pl.when(is_date).then(raw)).to_series()
        return text.str.to_date("%Y-%m-%d", strict=False).alias(raw.name)
    if isinstance(raw.dtype, pl.Datetime):
        dates = raw.dt.date()
        is_midnight = raw == dates.cast(raw.dtype)
        return pl.select(pl.when(is_midnight).then(dates)).to_series().alias(raw.name)
    if raw.dtype == pl.Date:
        return raw
    return pl.Series(raw.name, [None] * raw.len(), dtype=pl.Date)


def _fault(column: Column) -> str:
    if column.kind == "date":
        return "must be a date such as 2024-01-31"
    if column.kind == "number":
        rule = (
            ""
            if column.least == "any"
            else f" {'other than 0' if column.least == 'not 0' else column.least}"
        )
        most = "" if column.most is None else f", {column.most:g} at most"
        hint = f": {column.hint}" if column.hint else ""
        return f"must be a finite number{rule}{most}{hint}"
    if column.pattern:
        return f"must be {column.hint}"
    if column.choices:
        return f"must be one of {', '.join(column.choices)}"
    return "must be a text that is not empty"


def shown(cell: object) -> str:
    """Return a cell as messages show it."""
    return "nothing" if cell is None else repr(cell) if isinstance(cell, str) else str(cell)
