"""Klines as Binance's archives hold them: twelve columns, read fast, and slowly what is wrong."""

from pathlib import Path

import numpy as np
import polars as pl

from plumbline.core.column_names import field_name
from plumbline.lake.convert import to_floats
from plumbline.lake.delimited import Marks, cells_of, checked_text
from plumbline.lake.packed import unpacked
from plumbline.lake.problem_text import FileProblem, listed
from plumbline.lake.raw_table import RawTable

_SPELLINGS = {  # column -> other names of it; those of futures and spot archives differ
    "open_time": (),
    "open": (),
    "high": (),
    "low": (),
    "close": (),
    "volume": (),
    "close_time": (),
    "quote_volume": ("quote_asset_volume",),
    "count": ("number_of_trades", "num_trades", "trades"),
    "taker_buy_volume": ("taker_buy_base_volume", "taker_buy_base_asset_volume"),
    "taker_buy_quote_volume": ("taker_buy_quote_asset_volume",),
    "ignore": ("unused",),
}
COLUMNS = tuple(_SPELLINGS)
"""The columns of a kline, in order."""
_WHOLE = ("open_time", "close_time", "count")
_NUMBERS = tuple(name for name in COLUMNS if name not in (*_WHOLE, "ignore"))
_SCHEMA: dict[str, type[pl.DataType]] = {
    name: pl.Int64 if name in _WHOLE else pl.Float64 if name in _NUMBERS else pl.String
    for name in COLUMNS
}
_MARK = b"\xef\xbb\xbf"  # byte order mark of UTF-8
_EXACT = float(2**53)  # whole numbers up to here are float64 without loss
_UNITS = {"ms": 1_000, "us": 1}  # microseconds
_EARLIEST = 946_684_800_000_000  # 2000-01-01, in microseconds: no exchange's klines are older
_LATEST = 4_102_444_800_000_000  # 2100-01-01


def read_klines(path: Path, name: str, problems: list[str]) -> RawTable | None:
    """Return the rows of a file, times and counts as whole numbers, the rest as float64, or None.

    Text is cut and parsed by one pass of polars, which takes nothing but plain numbers; what it
    refuses is read again cell by cell, to name what is wrong, or to accept quotes and blanks.

    Parameters
    ----------
    path : a ``.csv``, ``.csv.gz`` or ``.zip`` file, with or without a header line.
    name : how messages call it.
    problems : list that problems are appended to.
    """
    data = unpacked(path, name, problems)
    if data is None:
        return None
    table = _plain(data.removeprefix(_MARK), name)
    return _careful(data, name, problems) if table is None else table


def _plain(text: bytes, name: str) -> RawTable | None:
    """Return the rows of a text of plain numbers alone; None if it is not sure to be one."""
    first = text[: text.find(b"\n")].rstrip(b"\r")
    has_header = not first[:1].isdigit()
    if has_header and _columns_of(first.decode("latin-1").split(",")) != COLUMNS:
        return None
    try:
        frame = pl.read_csv(
            text, has_header=False, skip_rows=int(has_header), schema=_SCHEMA, quote_char=None
        )
    except pl.exceptions.PolarsError:
        return None
    if not frame.height or any(cells.null_count() for cells in frame):
        return None
    if not all(np.abs(frame[name].to_numpy()).max() < _EXACT for name in _NUMBERS):  # NaN is not
        return None
    lines = np.arange(frame.height, dtype=np.int64) + 1 + has_header
    return RawTable(name, frame, lines)


def _columns_of(header: list[str]) -> tuple[str, ...]:
    """Return the names of a header in the spelling of :data:`COLUMNS`, as far as they are known."""
    known = {other: ours for ours, others in _SPELLINGS.items() for other in (ours, *others)}
    names = [field_name(cell.strip().strip('"')) for cell in header]
    return tuple(known.get(name, name) for name in names)


def _careful(data: bytes, name: str, problems: list[str]) -> RawTable | None:
    before = len(problems)
    text = checked_text(data, name, problems)
    if text is None:
        return None
    has_header = not text.lstrip(b'\r\n" \t')[:1].isdigit()
    table = cells_of(text, name, Marks(",", ".", None if has_header else COLUMNS), problems)
    if table is None:
        return None
    if (columns := _columns_of(table.frame.columns)) != COLUMNS:
        held = listed([repr(column) for column in table.frame.columns], 14)
        problems.append(
            f"{name}: the first line holds {held}; klines have the columns {', '.join(COLUMNS)}, "
            "or none named; for other tables say source: csv"
        )
        return None
    table = RawTable(
        name, table.frame.rename(dict(zip(table.frame.columns, columns, strict=True))), table.lines
    )
    table = _without_headers(table, problems)
    if not table.frame.height:
        return None
    typed = {column: _whole_numbers(table, column, problems) for column in _WHOLE}
    typed |= {column: _numbers(table, column, problems) for column in _NUMBERS}
    if len(problems) > before:
        return None
    return RawTable(name, table.frame.with_columns(**typed), table.lines)


def _without_headers(table: RawTable, problems: list[str]) -> RawTable:
    """Drop and name the lines that are a header in the middle of a file."""
    first = table.frame["open_time"].str.strip_chars().str.to_lowercase()
    is_header = (first.is_in(["open_time", "open time"])).fill_null(value=False).to_numpy()
    if not is_header.any():
        return table
    rows = np.flatnonzero(is_header)
    shown = ", ".join(f"line {int(table.lines[row])}" for row in rows[:5])  # type: ignore[index]  # cells_of gives lines
    problems.append(
        FileProblem(
            f"{table.name}, ",
            shown,
            ": the header stands in the middle; the file is several files joined, cut it there",
        )
    )
    kept = np.flatnonzero(~is_header)
    return RawTable(
        table.name, table.frame[kept], None if table.lines is None else table.lines[kept]
    )


def _whole_numbers(table: RawTable, column: str, problems: list[str]) -> pl.Series:
    numbers = table.frame[column].str.strip_chars().cast(pl.Int64, strict=False)
    what = "is no whole number; no cell of a kline may be empty"
    problems.extend(table.cell_problems(column, numbers.is_null().to_numpy(), what))
    return numbers


def _numbers(table: RawTable, column: str, problems: list[str]) -> pl.Series:
    inexact: list[str] = []
    numbers = to_floats(table, column, inexact)
    is_odd = ~numbers.is_finite()  # what is no number as well, which came out as NaN
    if is_odd.any():
        what = "is no finite number such as 1234.5; no cell of a kline may be empty"
        problems.extend(table.cell_problems(column, is_odd.to_numpy(), what))
    else:
        problems.extend(inexact)
    return numbers


def kline_closes(
    table: RawTable, step_us: int, odd_closes: str, problems: list[str]
) -> tuple[pl.Series, pl.Series]:
    """Return when the bars of a file close, and which rows say another time than they should.

    Stamps of a file count milliseconds or microseconds, all of them the same: the first row tells
    which, by its size.

    Parameters
    ----------
    table : as :func:`read_klines` returns it.
    step_us : length of a bar, microseconds.
    odd_closes : ``refuse``, or ``flag`` to let rows pass whose ``close_time`` is not the last unit
        of the bar.
    problems : list that problems are appended to.

    Returns
    -------
    Closes, microseconds UTC, which are opening times and the length of a bar; and the rows let
    pass.
    """
    before = len(problems)
    opens = stamps_us(table, table.frame["open_time"], problems)
    if len(problems) > before:
        return opens, opens.is_null()
    factor = _UNITS[_unit(table.frame["open_time"])]
    is_odd = table.frame["close_time"] * factor != opens + (step_us - factor)
    if is_odd.any() and odd_closes == "refuse":
        seconds = step_us // 1_000_000
        unit = _unit(table.frame["open_time"])
        what = (
            f"must be open_time and {seconds} seconds less one unit ({unit}); if the exchange "
            "wrote it so, say odd_closes: flag"
        )
        problems.extend(table.cell_problems("close_time", is_odd.to_numpy(), what))
    closes = (opens + step_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return closes.alias("bar_close"), is_odd


def stamps_us(table: RawTable, stamps: pl.Series, problems: list[str]) -> pl.Series:
    """Return counts of milliseconds or microseconds since 1970 as microseconds.

    Parameters
    ----------
    table : the file.
    stamps : a column of it, whole numbers; the first tells the unit of all.
    problems : list that messages about cells are appended to, then what is returned is no time.
    """
    unit = _unit(stamps)
    factor = _UNITS[unit]
    is_time = (stamps >= _EARLIEST // factor) & (stamps < _LATEST // factor)
    if not is_time.all():
        problems.extend(_wrong_stamps(table, stamps, is_time, unit))
        return stamps
    return stamps * factor


def _unit(stamps: pl.Series) -> str:
    return "us" if stamps[0] >= _EARLIEST else "ms"


def _wrong_stamps(table: RawTable, stamps: pl.Series, is_time: pl.Series, unit: str) -> list[str]:
    other = "ms" if unit == "us" else "us"
    factor = _UNITS[other]
    is_other = ~is_time & (stamps >= _EARLIEST // factor) & (stamps < _LATEST // factor)
    mixed = f"counts {other}, the first row {unit}: stamps are mixed; write one file for each"
    wrong = "is no time; allowed: milliseconds or microseconds since 1970, of 2000 … 2099"
    return [
        *table.cell_problems(stamps.name, is_other.to_numpy(), mixed),
        *table.cell_problems(stamps.name, (~is_time & ~is_other).to_numpy(), wrong),
    ]
