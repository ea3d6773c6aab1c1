"""Portfolios in Parquet files of a project, made visible by one row in its database.

A file is written so that it lasts, then named by a row, in one transaction: a writer that is killed
leaves a file that nothing names, which clearing finds. Files are never changed; a later one takes
the place of the same portfolio-days in earlier ones, and days without a key in it are removed ones.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar, final

import numpy as np
import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from plumbline.core.errors import StoreError
from plumbline.core.settings import current_time
from plumbline.ledger.database import REFUSALS, Base, Database, refusal
from plumbline.ledger.models import StoreFile, StoreLayout
from plumbline.store.duck import query_files
from plumbline.store.layout import Layout, layout_from, require_agreement
from plumbline.store.packed import (
    pack,
    require_removed,
    require_table,
    unpack,
)
from plumbline.store.packed_dates import (
    PackedDates,
    pack_dates,
    pack_removed_dates,
    unpack_dates,
)
from plumbline.store.parquet_files import ParquetFiles, StoredFile, arrow_of, patiently
from plumbline.store.portfolio_store import Chunk, PortfolioStore, Written
from plumbline.store.statement_count import StatementCount
from plumbline.store.tables import (
    DATE_KEYS,
    DATES,
    FRAMES,
    HEAD,
    KEYS,
    PACKED,
    SHARED,
    TABLES,
    columns_of,
)

_FEW = 8  # small files that are not worth merging
_SMALL = 16 << 20  # bytes
_DEAD = 0.25  # of what is there: days that were replaced and are not worth a merge
_REMEMBERED = 4096  # files whose keys are kept in memory
_MERGE_ROWS = {"days": 100_000, "dates": 64}  # of a merged file: half a gigabyte in memory
_ID = ["portfolio", "date"]
_SORT: Final = {"days": _ID, "dates": ["date"]}
_INDEX: Final = {
    "days": {name: HEAD[name] for name in (*_ID, "owner", "key", "n_failures")},
    "dates": DATE_KEYS,
}
_COLUMNS: Final[dict[str, dict[str, Any]]] = {"days": PACKED, "dates": DATES}

T = TypeVar("T")


@final
class ParquetStore(PortfolioStore):
    """Portfolios in files of a project's folder.

    Parameters
    ----------
    folder : of the files.
    database : of the project; its rows say which files there are.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self.files = ParquetFiles(folder)
        self.database = database
        self._statements = StatementCount(database.engine)
        self._indexes: dict[str, pl.DataFrame] = {}
        self._newest: dict[str, tuple[object, pl.DataFrame]] = {}
        self._last: dict[str, tuple[object, pl.DataFrame]] = dict.fromkeys(
            _INDEX, (None, pl.DataFrame())
        )

    @property
    def label(self) -> str:
        """Return the folder."""
        return str(self.files.folder)

    @property
    def statements(self) -> int:
        """Return how many statements the database has executed since this was opened."""
        return self._statements.total

    def keys(self) -> pl.DataFrame:
        """Return the keys of all portfolio-days, sorted; costs a look at each file once."""
        return self._read(lambda: self._all("days")[1].select(*KEYS)).sort(_ID)

    def write(self, chunk: Chunk, run_id: str) -> Written:
        """Write a file and name it."""
        began = time.perf_counter()
        packed = pack(chunk)
        return self._put("days", arrow_of(packed), packed.layout, run_id, began)

    def remove(self, days: pl.DataFrame, run_id: str) -> Written:
        """Write a file that says that days are no more, and name it."""
        began = time.perf_counter()
        gone = require_removed(days)
        return self._put("days", arrow_of(gone), None, run_id, began)

    def date_keys(self) -> pl.DataFrame:
        """Return the keys of the tables of dates, sorted."""
        return self._read(lambda: self._dates(["date", "key"], []))

    def write_dates(
        self, tables: Mapping[str, pl.DataFrame], keys: pl.DataFrame, run_id: str
    ) -> Written:
        """Write a file of tables of dates and name it."""
        began = time.perf_counter()
        return self._put_dates(pack_dates(tables, keys), run_id, began)

    def remove_dates(self, dates: Sequence[date], run_id: str) -> Written:
        """Write a file that says that dates are no more, and name it."""
        began = time.perf_counter()
        return self._put_dates(pack_removed_dates(dates), run_id, began)

    def writers(self) -> list[str]:
        """Return which runs wrote the files that hold what is there."""
        numbers = self._read(lambda: self._all("days")[1]["file"].unique().to_list())
        query = select(StoreFile.run_id).where(StoreFile.number.in_(numbers)).distinct()
        with self.database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def _put_dates(self, packed: PackedDates, run_id: str, began: float) -> Written:
        contents = pl.Series(list(packed.contents), dtype=pl.Binary).to_arrow(
            compat_level=pl.CompatLevel.oldest()
        )
        table = arrow_of(packed.rows).append_column("content", contents)
        return self._put("dates", table, None, run_id, began)

    def read(
        self,
        table: str,
        *,
        portfolios: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> pl.DataFrame:
        """Return rows of a table; only the row groups that hold some are read."""
        require_table(table, TABLES)
        is_asked = [pl.col("date") >= first] if first is not None else []
        is_asked += [pl.col("date") <= last] if last is not None else []
        if table in SHARED:
            columns = columns_of(table)
            return unpack_dates(table, self._read(lambda: self._dates(columns, is_asked)))
        if portfolios is not None:
            is_asked.append(pl.col("portfolio").is_in(list(portfolios)))

        def asked() -> pl.DataFrame:
            files = self._listed("days", first, last, portfolios)
            return self._unpacked(table, files, self._indexed("days", files).filter(*is_asked))

        return self._read(asked)

    def latest(self, table: str = "snapshots") -> pl.DataFrame:
        """Return the rows of each portfolio's newest date; the same files are looked at once."""
        require_table(table, FRAMES)

        def newest() -> pl.DataFrame:
            files, index = self._all("days")
            known, frame = self._newest.get(table, (None, pl.DataFrame()))
            if known != _numbers(files):
                is_newest = pl.col("date") == pl.col("date").max().over("portfolio")
                frame = self._unpacked(table, files, index.filter(is_newest))
                self._newest[table] = _numbers(files), frame
            return frame.clone()  # at no cost; what is done to it in place stays with the caller

        return self._read(newest)

    def sql(self, query: str) -> pl.DataFrame:
        """Return the rows of a query of DuckDB."""

        def asked() -> pl.DataFrame:
            found: list[tuple[dict[int, tuple[Path, int]], pl.DataFrame]] = []
            for kind in ("days", "dates"):
                files, index = self._all(kind)
                live = index.select("file", "row")
                paths = {f.number: (self.files.path(f.digest), f.n_rows) for f in files}
                found.append((paths, live))
            return query_files(query, found[0], found[1], self._layouts())

        return self._read(asked)

    def compact(self) -> int:
        """Merge files where there are more than a few, and let go of those that were replaced."""
        return self._read(lambda: self._compacted("days") + self._compacted("dates"))

    def close(self) -> None:
        """Stop counting statements; the database is the project's."""
        self._statements.close()

    # --- writing ---

    def _put(
        self, kind: str, table: Any, layout: Layout | None, run_id: str, began: float
    ) -> Written:
        before, rows, n_bytes = self._statements.here, table.num_rows, 0
        if rows:
            try:
                n_bytes = self._named(kind, table, layout, run_id)
            except REFUSALS as error:
                raise _refused(self.label, error) from error
        seconds = time.perf_counter() - began
        return Written(rows, self._statements.here - before, seconds, n_bytes)

    def _named(self, kind: str, table: Any, layout: Layout | None, run_id: str) -> int:
        row = self._file_row(kind, table, run_id)
        with self.database.begin() as connection:
            if layout is not None:
                _name_layout(connection, layout)
            last = connection.execute(select(func.max(StoreFile.number))).scalar() or 0
            same = delete(StoreFile).where(StoreFile.digest == row["digest"])
            connection.execute(same)  # the same again is the last again
            connection.execute(insert(StoreFile), {**row, "number": last + 1})
        return int(row["n_bytes"])

    def _file_row(self, kind: str, table: Any, run_id: str) -> dict[str, Any]:
        """Write a file; return the row that names it."""
        digest, n_bytes = self.files.put(kind, table)
        dates = pl.Series(pl.from_arrow(table["date"]))
        owned = table["portfolio"] if kind == "days" else [""]  # they are sorted
        return {
            "kind": kind,
            "digest": digest,
            "n_rows": table.num_rows,
            "first_portfolio": str(owned[0]),
            "last_portfolio": str(owned[-1]),
            "first_date": dates.min(),
            "last_date": dates.max(),
            "n_bytes": n_bytes,
            "run_id": run_id,
            "created": current_time().replace(tzinfo=None),
        }

    def _compacted(self, kind: str) -> int:
        """Merge small files of a kind, and those of which days were replaced.

        All others hold nothing but what is there, so that it does not matter which is the later.
        """
        files, live = self._all(kind)
        counts = dict(live["file"].value_counts().iter_rows())
        small = [file.number for file in files if file.n_bytes < _SMALL]
        dead = [file.number for file in files if counts.get(file.number, 0) < file.n_rows]
        n_dead = sum(file.n_rows for file in files) - live.height
        if len(small) <= _FEW and n_dead <= _DEAD * live.height:
            return 0
        chosen = {*small, *dead}
        kept = live.filter(pl.col("file").is_in(list(chosen))).sort(_SORT[kind])
        step = max(_MERGE_ROWS[kind], -(-kept.height // len(chosen)))  # never more files than were
        merged, newest = [], self._writer(kept["file"].max())
        for start in range(0, kept.height, step):
            rows = self._rows(files, kept.slice(start, step), list(_COLUMNS[kind]))
            table = rows.sort(_SORT[kind]).to_arrow(compat_level=pl.CompatLevel.oldest())
            merged.append(self._file_row(kind, table, newest))
        return self._replace([file for file in files if file.number in chosen], merged)

    def _writer(self, number: Any) -> str:
        """Return which run wrote a file."""
        with self.database.read() as connection:
            query = select(StoreFile.run_id).where(StoreFile.number == number)
            return str(connection.execute(query).scalar())

    def _replace(self, files: Sequence[StoredFile], rows: Sequence[Mapping[str, Any]]) -> int:
        """Name merged files in place of those that they were made of, below all later ones."""
        numbers = sorted(file.number for file in files)
        with self.database.begin() as connection:
            query = select(StoreFile.number, StoreFile.digest)
            found = connection.execute(query.where(StoreFile.number.in_(numbers)))
            if {row.number: row.digest for row in found} != {f.number: f.digest for f in files}:
                return 0  # another process was faster; what was merged here, clearing takes away
            self.files.make_young([file.digest for file in files])  # readers may be at them
            connection.execute(delete(StoreFile).where(StoreFile.number.in_(numbers)))
            placed = [
                {**row, "number": n} for n, row in zip(numbers[: len(rows)], rows, strict=True)
            ]
            if placed:
                connection.execute(insert(StoreFile), placed)
        return len(files) - len(rows)

    # --- reading ---

    def _read(self, act: Callable[[], T]) -> T:
        try:
            return patiently(act)
        except REFUSALS as error:
            raise _refused(self.label, error) from error

    def _listed(
        self,
        kind: str,
        first: date | None = None,
        last: date | None = None,
        portfolios: Sequence[str] | None = None,
    ) -> list[StoredFile]:
        """Return the files that may hold days that are asked for, and all that replaced some."""
        names = [getattr(StoreFile, name) for name in StoredFile._fields]
        query = select(*names).where(StoreFile.kind == kind).order_by(StoreFile.number)
        query = query if first is None else query.where(StoreFile.last_date >= first)
        query = query if last is None else query.where(StoreFile.first_date <= last)
        if portfolios:
            query = query.where(StoreFile.first_portfolio <= max(portfolios))
            query = query.where(StoreFile.last_portfolio >= min(portfolios))
        with self.database.read() as connection:
            return [StoredFile(*row) for row in connection.execute(query)]

    def _layouts(self) -> dict[str, Layout]:
        with self.database.read() as connection:
            return dict(_known_layouts(connection))

    def _indexed(self, kind: str, files: Sequence[StoredFile]) -> pl.DataFrame:
        """Return the keys of what is there, sorted by file, with number of ``file`` and ``row``."""
        schema = {**_INDEX[kind], "file": pl.Int64(), "row": pl.Int64()}
        known, index = self._last[kind]
        if known == _numbers(files):
            return index
        found = [pl.DataFrame(schema=schema), *(self._of_file(kind, file) for file in files)]
        index = pl.concat(found)
        if len(files) > 1:
            index = index.unique(_SORT[kind], keep="last", maintain_order=True)
        return index.filter(pl.col("key").is_not_null())

    def _all(self, kind: str) -> tuple[list[StoredFile], pl.DataFrame]:
        """Return all files and the keys of what is there, which are kept until files change."""
        files = self._listed(kind)
        index = self._indexed(kind, files)
        self._last[kind] = _numbers(files), index
        return files, index

    def _of_file(self, kind: str, file: StoredFile) -> pl.DataFrame:
        """Return the keys of a file; a file is never changed, so it is looked at once."""
        names = list(_INDEX[kind])
        rows = self._indexes.get(file.digest)
        if rows is None:
            if len(self._indexes) > _REMEMBERED:  # of files that were merged, most of them
                self._indexes.clear()
            rows = self.files.rows(file, names, None).with_columns(row=pl.int_range(pl.len()))
            self._indexes[file.digest] = rows
        return rows.select(*names, pl.lit(file.number, pl.Int64).alias("file"), "row")

    def _rows(
        self, files: Sequence[StoredFile], live: pl.DataFrame, columns: Sequence[str]
    ) -> pl.DataFrame:
        """Return packed rows of files, or rows of dates."""
        if not live.height:
            kinds = {**PACKED, **DATES}
            return pl.DataFrame(schema={name: kinds[name] for name in columns})
        by_number = {file.number: file for file in files}
        parts = [
            self.files.rows(by_number[number], columns, np.sort(part["row"].to_numpy()))
            for (number,), part in live.partition_by("file", as_dict=True).items()
        ]
        return pl.concat(parts)

    def _unpacked(
        self, table: str, files: Sequence[StoredFile], live: pl.DataFrame
    ) -> pl.DataFrame:
        columns = columns_of(table)
        rows = self._rows(files, live, columns).sort(_ID)
        return unpack(table, rows, self._layouts() if table == "measures" else {})

    def _dates(self, columns: Sequence[str], is_asked: Sequence[pl.Expr]) -> pl.DataFrame:
        files = self._listed("dates")
        live = self._indexed("dates", files).filter(*is_asked)
        return self._rows(files, live, columns).sort("date")


def _numbers(files: Sequence[StoredFile]) -> tuple[tuple[int, str], ...]:
    """Return what tells lists of files apart."""
    return tuple((file.number, file.digest) for file in files)


def _name_layout(connection: Connection, layout: Layout) -> None:
    known = dict(_known_layouts(connection))
    if layout.digest in known:
        return
    require_agreement(layout, list(known.values()))
    row = {"digest": layout.digest, "number": len(known) + 1, "columns": layout.text}
    connection.execute(insert(Base.metadata.tables[StoreLayout.__tablename__]), row)


def _known_layouts(connection: Connection) -> Iterable[tuple[str, Layout]]:
    query = select(StoreLayout.digest, StoreLayout.columns).order_by(StoreLayout.number)
    for digest, text in connection.execute(query):
        yield digest, layout_from(text)


def _refused(label: str, error: Exception) -> StoreError:
    return StoreError(f"{label}: {refusal(error)}")
