"""A short history of a store: what is written one after another, and how all that is there looks.

Every row of a chunk bears the chunk's number, in each table, so that parts of different chunks in
one portfolio-day would show.
"""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from plumbline.core.address import parse_address
from plumbline.engine.collect import collect_garbage
from plumbline.engine.garbage import Keeping
from plumbline.engine.project import create_project
from plumbline.store import parquet_store
from plumbline.store.opening import open_store
from plumbline.store.portfolio_store import Chunk, PortfolioStore
from plumbline.store.postgresql_store import PostgreSQLStore
from plumbline.store.soundness import FOLDER, unnamed_files
from plumbline.store.tables import SHARED, TABLES
from tests.store.made import ID, chunk_of, keys_for

MARKS = {
    "snapshots": "long",
    "exposures": "cost",
    "measures": "var_95",
    "sectors": "tilt",
    "stress": "share",
}
_COUNTED = ", ".join(
    f"{table}.n AS {table}, {table}.lo AS {table}_lo, {table}.hi AS {table}_hi" for table in MARKS
)
_JOINED = " ".join(
    f"LEFT JOIN (SELECT portfolio, date, count(*) AS n, min({mark}) AS lo, max({mark}) AS hi "  # noqa: S608  # ours
    f"FROM {table} GROUP BY portfolio, date) {table} USING (portfolio, date)"
    for table, mark in MARKS.items()
)
DAYS = (
    f"SELECT days.portfolio, days.date, key, n_failures, {_COUNTED} FROM days {_JOINED} "  # noqa: S608  # ours
    "ORDER BY 1, 2"
)
"""One statement that looks at all parts of all portfolio-days."""


class Place:
    """A store for one trial, opened by each process anew.

    Parameters
    ----------
    folder : of the trial.
    server : URL of a server with a schema, or None for files of a project in the folder.
    frames : folder of the frames.
    """

    def __init__(self, folder: Path, server: str | None, frames: Path) -> None:
        self.folder = folder
        self.server = server
        self.frames = frames

    def open(self) -> PortfolioStore:
        if self.server is not None:
            return PostgreSQLStore(parse_address(self.server))
        parquet_store._FEW = 1  # type: ignore[misc]  # so that a few files are merged
        project = create_project(self.folder / "project")
        return open_store("parquet", project.store, project.database)

    def tables(self) -> dict[str, pl.DataFrame]:
        return {n: pl.read_ipc(self.frames / f"{n}.arrow") for n in TABLES}

    def cleared(self) -> int:
        """Clear away what nothing names, as if an hour had passed; return how much is left."""
        if self.server is not None:
            return 0
        project = create_project(self.folder / "project")
        old = time.time() - 7200
        for path in project.store.rglob("*"):
            if path.is_file() and path.suffix in (".parquet", ".part"):
                os.utime(path, (old, old))
        collect_garbage(project, Keeping(max_bytes=10**12))
        parts = list(project.store.rglob("*.part"))
        return len(parts) + len(unnamed_files(project.store / FOLDER, project.database))


def marked(chunk: Chunk, number: int) -> Chunk:
    """Return a chunk whose rows bear a number."""
    frames = {
        name: frame.with_columns(pl.lit(float(number)).alias(MARKS[name]))
        if name in MARKS
        else frame
        for name, frame in chunk.frames.items()
    }
    return Chunk(chunk.days, frames)


def operations(tables: dict[str, pl.DataFrame]) -> list[Callable[[PortfolioStore], Any]]:
    """Return what is done to a store, in order; the first makes it ready to be looked at."""
    names = sorted(tables["snapshots"]["portfolio"].unique())
    dates = sorted(tables["snapshots"]["date"].unique())
    whole = marked(chunk_of(tables), 1)
    other = marked(chunk_of(tables, names[:6], dates[1:4], salt="b"), 2)
    measures = other.frames["measures"].with_columns(another=pl.lit(0.5))
    other = Chunk(other.days, {**other.frames, "measures": measures})
    last = marked(chunk_of(tables, names[3:], dates[-1:], salt="cc"), 3)
    gone = whole.days.select(ID).filter(pl.col("portfolio").is_in(names[4:7])).gather_every(2)
    shared = {name: tables[name] for name in SHARED}
    keys = keys_for(shared["correlations"].select(portfolio=pl.lit("p0"), date="date")).select(
        "date", "key"
    )
    return [
        lambda store: store.write(marked(whole, 0), "run"),
        lambda store: store.write(whole, "run"),
        lambda store: store.write(other, "run"),
        lambda store: store.remove(gone, "run"),
        lambda store: store.write(last, "run"),
        lambda store: store.write_dates(shared, keys, "run"),
        lambda store: store.compact(),
    ]


def digest(frame: pl.DataFrame) -> str:
    """Return a digest of columns, types and values, which tells zeros of other signs apart."""
    text = repr((list(map(str, frame.schema.items())), frame.rows()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def look(store: PortfolioStore) -> dict[str, str]:
    """Return digests of all that is there: of each table, and of all in one statement."""
    found = {table: digest(store.read(table)) for table in TABLES}
    found |= {"keys": digest(store.keys()), "date_keys": digest(store.date_keys())}
    return {**found, "days": digest(store.sql(DAYS))}


def mixed(rows: pl.DataFrame) -> list[Any]:
    """Return the portfolio-days whose parts bear different numbers, of one look at all."""
    bounds = [f"{table}_{end}" for table in MARKS for end in ("lo", "hi")]
    return [
        (row["portfolio"], str(row["date"]))
        for row in rows.iter_rows(named=True)
        if len({row[name] for name in bounds if row[name] is not None}) != 1
    ]
