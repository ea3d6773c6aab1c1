"""Packing: the frames of a chunk become one row a portfolio-day, and rows become frames again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Int

from plumbline.core.arrow import arrow_array
from plumbline.core.errors import ParameterError
from plumbline.store.layout import Layout, layout_of
from plumbline.store.portfolio_store import Chunk
from plumbline.store.tables import (
    DAYS,
    HEAD,
    LISTS,
    LONG,
    OPTIONAL,
    SCALARS,
    SNAPSHOTS,
    values_of,
)

_EXACT = 2**53  # whole numbers up to here are doubles
_ID = ["portfolio", "date"]


@final
@dataclass(frozen=True, eq=False)
class Lists:
    """A column of arrays.

    Parameters
    ----------
    offsets : (days + 1,) where the values of each portfolio-day begin.
    values : of all of them, one after another.
    """

    offsets: Int[np.ndarray, "bounds"]
    values: pl.Series

    def part(self, start: int, stop: int) -> "Lists":
        """Return the arrays of some days."""
        bounds = self.offsets[start : stop + 1]
        values = self.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0]))
        return Lists(bounds - bounds[0], values)

    def arrow(self) -> Any:
        """Return it as an array of Arrow."""
        return pa.LargeListArray.from_arrays(arrow_array(self.offsets), self.values.to_arrow())


@final
@dataclass(frozen=True, eq=False)
class Packed:
    """Packed rows, sorted by portfolio and date.

    Parameters
    ----------
    scalars : the columns of ``HEAD`` and ``SCALARS``.
    lists : the other columns, by name.
    layout : of the measures, or None where no day has any.
    """

    scalars: pl.DataFrame
    lists: Mapping[str, Lists]
    layout: Layout | None

    @property
    def height(self) -> int:
        """Return the number of portfolio-days."""
        return self.scalars.height

    def part(self, start: int, stop: int) -> "Packed":
        """Return some of the rows."""
        lists = {name: found.part(start, stop) for name, found in self.lists.items()}
        return Packed(self.scalars.slice(start, stop - start), lists, self.layout)


def pack(chunk: Chunk) -> Packed:
    """Return the packed rows of a chunk, sorted by portfolio and date.

    Costs a few passes over the rows; columns are taken as they are.

    Raises
    ------
    ParameterError
        If a frame has other columns, rows of days that are no part of the chunk, or is not sorted;
        a key is no 32 hex digits; or a text holds a zero character. The first is named.
    """
    days = require_days(chunk.days)
    unknown = sorted(set(chunk.frames) - {"snapshots", "measures", *LONG})
    if unknown:
        raise ParameterError(f"a chunk has no frame {', '.join(unknown)}")
    places = days.select(*_ID).with_row_index("day")
    frames = {t: require_frame(t, chunk.frames.get(t), s) for t, s in LONG.items()}
    lists: dict[str, Lists] = {}
    for table, frame in frames.items():
        offsets = _offsets(places, frame, table)
        for name, (packed, _) in values_of(table, LONG[table]).items():
            lists[packed] = Lists(offsets, frame[name].rechunk())
    measures, layout, is_measured = _measures(places, chunk.frames.get("measures"))
    snapshots = require_frame("snapshots", chunk.frames.get("snapshots"), SNAPSHOTS)
    has_snapshot = _once(_offsets(places, snapshots, "snapshots"), "snapshots")
    named = {name: packed for name, (packed, _) in values_of("snapshots", SNAPSHOTS).items()}
    digest = None if layout is None else layout.digest
    scalars = (
        days.with_columns(
            n_failures=pl.Series(np.diff(lists["failures_analytic"].offsets)),
            has_snapshot=pl.Series(has_snapshot),
            layout=pl.when(pl.Series(is_measured)).then(pl.lit(digest, pl.String)),
        )
        .join(snapshots.rename(named), on=_ID, how="left", maintain_order="left")
        .select(*HEAD, *SCALARS)
    )
    return Packed(scalars, {"measures": measures, **lists}, layout)


def require_days(days: pl.DataFrame) -> pl.DataFrame:
    """Return the days of a chunk, sorted.

    Raises
    ------
    ParameterError
        If columns or keys are others than they must be, or a day is there twice.
    """
    found = require_frame("days", days, DAYS).sort(_ID)
    twice = found.filter(found.select(_ID).is_duplicated())
    if twice.height:
        raise ParameterError(f"{_day(twice)} is there twice among the days of a chunk")
    require_keys(found["key"])
    return found


def require_keys(keys: pl.Series) -> None:
    """Refuse keys that are not 32 hex digits, lower case.

    Raises
    ------
    ParameterError
        If one is not.
    """
    wrong = keys.filter(~keys.str.contains(r"^[0-9a-f]{32}$"))
    if wrong.len():
        raise ParameterError(f"key {wrong[0]!r} must be 32 hex digits, lower case")


def require_removed(days: pl.DataFrame) -> Packed:
    """Return packed rows without a key, of days that are no more.

    Raises
    ------
    ParameterError
        If there are other columns than ``portfolio date``.
    """
    found = require_frame("days", days, {n: DAYS[n] for n in _ID}).unique(_ID).sort(_ID)
    kinds = {**HEAD, **SCALARS}
    columns = [pl.lit(None, kinds[name]).alias(name) for name in kinds if name not in _ID]
    bounds = np.zeros(found.height + 1, dtype=np.int64)
    kinds = {"measures": pl.Float64(), **LISTS}
    lists = {name: Lists(bounds, pl.Series([], dtype=kind)) for name, kind in kinds.items()}
    return Packed(found.with_columns(columns), lists, None)


def require_frame(
    table: str, frame: pl.DataFrame | None, schema: Mapping[str, Any]
) -> pl.DataFrame:
    """Return a frame, or an empty one in place of none.

    Raises
    ------
    ParameterError
        If it has other columns, a text or date is missing that must be there, or a text holds what
        a server cannot.
    """
    if frame is None:
        return pl.DataFrame(schema=schema)
    if dict(frame.schema) != dict(schema):
        have = ", ".join(f"{name} {kind}" for name, kind in frame.schema.items())
        need = ", ".join(f"{name} {kind}" for name, kind in schema.items())
        raise ParameterError(f"{table} have the columns {have}; needed: {need}")
    _require_texts(table, frame)
    return frame


def _require_texts(table: str, frame: pl.DataFrame) -> None:
    """Refuse what a server cannot hold, and text that is missing."""
    for name in frame.columns:
        column = frame[name]
        must_be = column.dtype in (pl.String, pl.Date) and name not in OPTIONAL
        if must_be and column.null_count():
            raise ParameterError(f"{table} have a row without {name}; every row needs one")
        if column.dtype == pl.String and column.str.contains("\0", literal=True).any():
            raise ParameterError(f"{table} hold a zero character in {name}; no server can store it")


def _offsets(places: pl.DataFrame, frame: pl.DataFrame, table: str) -> Int[np.ndarray, "bounds"]:
    """Return where the rows of each portfolio-day begin in a frame."""
    runs = (
        frame.select(*_ID, run=pl.struct(_ID).rle_id() if frame.height else pl.lit(0))
        .group_by("run", maintain_order=True)
        .agg(pl.col("portfolio").first(), pl.col("date").first(), count=pl.len())
        .join(places, on=_ID, how="left", maintain_order="left")
    )
    missing = runs.filter(pl.col("day").is_null())
    if missing.height:
        raise ParameterError(f"{table} have rows of {_day(missing)}, which is no day of the chunk")
    day = runs["day"].cast(pl.Int64).to_numpy()
    if (np.diff(day) <= 0).any():
        raise ParameterError(f"{table} are not sorted by portfolio and date: sort them")
    counts = np.zeros(places.height, dtype=np.int64)
    counts[day] = runs["count"].to_numpy()
    return np.concatenate([[0], np.cumsum(counts)])


def _once(offsets: Int[np.ndarray, "bounds"], table: str) -> np.ndarray:
    """Return whether a day has a row, of a table that has one a day at most."""
    counts = np.diff(offsets)
    if (counts > 1).any():
        raise ParameterError(f"{table} have several rows of one portfolio and date; one is allowed")
    return np.asarray(counts == 1)


def _measures(
    places: pl.DataFrame, frame: pl.DataFrame | None
) -> tuple[Lists, Layout | None, np.ndarray]:
    """Return measures as arrays of doubles, their layout, and which days have any."""
    bounds = np.zeros(places.height + 1, dtype=np.int64)
    nothing = Lists(bounds, pl.Series([], dtype=pl.Float64))
    if frame is None or not frame.height:
        return nothing, None, np.zeros(places.height, dtype=bool)
    require_frame("measures", frame, {**frame.schema, "portfolio": pl.String, "date": pl.Date})
    layout = layout_of(frame.schema)
    offsets = _offsets(places, frame, "measures")
    values = np.empty((frame.height, len(layout.columns)))
    missing = np.empty(values.shape, dtype=bool)
    for i, name in enumerate(layout.names):
        column = frame[name]
        if layout.is_whole(name):
            _require_exact(name, column)
        missing[:, i] = column.is_null().to_numpy()
        values[:, i] = column.fill_null(0).cast(pl.Float64).to_numpy()
    series = pl.Series(pl.from_arrow(arrow_array(values.ravel(), missing.ravel())))
    return Lists(offsets * len(layout.columns), series), layout, _once(offsets, "measures")


def _require_exact(name: str, column: pl.Series) -> None:
    wrong = column.cast(pl.Int64).filter(~column.cast(pl.Int64).is_between(-_EXACT, _EXACT))
    if wrong.len():
        raise ParameterError(f"measures {name} hold {wrong[0]}; whole numbers go up to 2⁵³")


def unpack(table: str, rows: pl.DataFrame, layouts: Mapping[str, Layout]) -> pl.DataFrame:
    """Return a table from packed rows.

    Parameters
    ----------
    table : which, but no correlations.
    rows : the columns that :func:`~plumbline.store.tables.columns_of` names, sorted.
    layouts : by digest, the first stored first.
    """
    if table == "snapshots":
        named = {p: name for name, (p, _) in values_of("snapshots", SNAPSHOTS).items()}
        return rows.filter("has_snapshot").drop("has_snapshot").rename(named)
    if table == "measures":
        return _unpacked_measures(rows, layouts)
    schema = LONG[table]
    named = {packed: name for name, (packed, _) in values_of(table, schema).items()}
    some = rows.filter(pl.col(next(iter(named))).list.len() > 0)
    return some.explode(*named).rename(named).select(*schema)


def _unpacked_measures(rows: pl.DataFrame, layouts: Mapping[str, Layout]) -> pl.DataFrame:
    found = set(rows["layout"].unique())
    parts = [
        _measured(rows.filter(pl.col("layout") == digest), layout)
        for digest, layout in layouts.items()
        if digest in found
    ]
    if not parts:
        return rows.select(*_ID).clear()
    if len(parts) == 1:
        return parts[0]
    return pl.concat(parts, how="diagonal_relaxed").sort(_ID)


def _measured(rows: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    width = len(layout.columns)
    flat = rows["measures"].explode() if width else rows["measures"].clear()
    columns = [
        flat.gather_every(width, i).cast(kind).alias(name)
        for i, (name, kind) in enumerate(layout.schema.items())
    ]
    return rows.select(*_ID).with_columns(columns)


def require_table(table: str, known: Sequence[str]) -> None:
    """Refuse the name of a table that is not there.

    Raises
    ------
    ParameterError
        If it is not known.
    """
    if table not in known:
        raise ParameterError(f"no table {table!r}; known: {', '.join(known)}")


def _day(rows: pl.DataFrame) -> str:
    portfolio, day = rows.select(*_ID).row(0)
    return f"portfolio {portfolio!r} on {day}"
