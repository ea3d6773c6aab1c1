"""A short history of a project, step by step: what each does, and all that it leaves behind.

A project is put back to where it was before a step as often as one likes, on either database.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sqlalchemy import select, update

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import UnknownNameError
from plumbline.engine.collect import collect_garbage
from plumbline.engine.executors.serial import Serial
from plumbline.engine.garbage import Keeping
from plumbline.engine.health import checks_of
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, create_project
from plumbline.lake.soundness import forget_version
from plumbline.lake.sources.csv import Csv
from plumbline.ledger.database import Base
from plumbline.ledger.models import Artefact
from tests.engine.toys import Prices, Returns

START = np.datetime64("2022-04-29T00:00", "us")  # five days before a new part of 8,192 bars
STEP = np.timedelta64(4, "h")
GRID = "24/7 4h"
EVERYTHING = Keeping(max_bytes=10**12)
LITTLE = Keeping(max_bytes=1)
_NOT_COMPARED = {  # when, by whom, and in which run: another after a crash
    *("created", "used", "started", "finished", "at", "since", "seconds", "peak_bytes", "worker"),
    *("run_id", "id", "number", "owner", "process", "machine", "state", "reason", "position_at"),
}
_MEMOS = {"lake_files", "project"}  # a memory of files that stand still; who owns the database


class Step(NamedTuple):
    """A step of the history.

    Parameters
    ----------
    name : of the step.
    act : does it; given again it changes nothing more.
    before : prepares what it finds.
    """

    name: str
    act: Callable[[Project], Any]
    before: Callable[[Project], Any] = lambda _project: None


def write_files(folder: Path) -> None:
    """Write the files of the history: first bars, later ones with a gap filled, and corrections."""
    folder.mkdir(parents=True, exist_ok=True)
    number = np.arange(44)
    frames = [
        pl.DataFrame({"bar": number, "symbol": [asset] * 44, "close": base + number % 5})
        for asset, base in (("A", 10.0), ("B", 20.0))
    ]
    rows = pl.concat(frames).with_columns(pl.Series("date", np.tile(START + number * STEP, 2)))
    is_late = (pl.col("bar") >= 36) | ((pl.col("bar") == 9) & (pl.col("symbol") == "B"))
    wrong = rows.filter(pl.col("bar").is_in([7, 30]), symbol="A")
    for name, chosen in (
        ("old", rows.filter(~is_late)),
        ("more", rows.filter(is_late)),
        ("corrections", wrong.with_columns(close=pl.col("close") + 0.5)),
        ("other", rows.filter(symbol="B").with_columns(close=pl.col("close") * 2)),
    ):
        chosen.select("date", "symbol", "close").write_csv(folder / f"{name}.csv")


def pipeline(seed: int) -> Pipeline:
    nodes = (Node("prices", Prices(40, seed)), Node("returns", Returns(), {"prices": "prices"}))
    return Pipeline("small", nodes)


def ingest(project: Project) -> None:
    project.lake.ingest("bars", Csv("old.csv"), calendar=GRID, base=project.root)


def append(project: Project) -> None:
    project.lake.append("bars", Csv("more.csv"), base=project.root)


def correct(project: Project) -> None:
    project.lake.append("bars", Csv("corrections.csv"), corrects=True, base=project.root)


def forget(project: Project) -> None:
    try:
        forget_version(project.lake, "bars", 1)
    except UnknownNameError:  # what a second try is told where the first was done
        assert 1 not in [row["version"] for row in project.lake.datasets("bars")]


def compact(project: Project) -> None:
    project.lake.compact("bars")


def resample(project: Project) -> None:
    project.lake.resample("bars", {"bars.8h": "24/7 8h", "bars.1d": "24/7"})


def run(project: Project) -> None:
    project.engine.run(pipeline(1), Serial())


def litter(project: Project) -> None:
    """Leave results of another run, and what killed processes leave; all of it old."""
    project.engine.run(pipeline(2), Serial())
    project.engine.run(pipeline(1), Serial())
    segments = project.lake.segment_folder
    (segments / ("ab" * 32 + ".parquet")).write_bytes(b"orphan")
    (segments / ".0123.part").write_bytes(b"half")
    (project.store / "objects" / ".0123.part").write_bytes(b"half")
    (project.store / "verify-x").mkdir()
    age(project)


def clear(project: Project) -> None:
    collect_garbage(project, LITTLE)


HISTORY = (
    Step("ingest", ingest),
    Step("append", append),
    Step("compact", compact),
    Step("correct", correct),
    Step("forget", forget),
    Step("resample", resample),
    Step("run", run),
    Step("gc", clear, litter),
)


def store_days(project: Project, folder: Path, name: str, seed: int) -> None:
    """Store a small data set of its own content."""
    folder.mkdir(parents=True, exist_ok=True)
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 20), eager=True)
    table = pl.DataFrame({"date": days, "symbol": "A", "close": [seed + 1.0] * len(days)})
    table.write_csv(folder / f"{name}.csv")
    source = Csv(paths=(str(folder / f"{name}.csv"),))
    project.lake_for(source).ingest(name, source, calendar="24/7")


def age(project: Project) -> None:
    """Make all that is stored look old and long unused."""
    with project.database.begin() as connection:
        connection.execute(update(Artefact).values(used=datetime(2000, 1, 1)))  # noqa: DTZ001  # as stored
    old = time.time() - 7200
    for path in project.store.rglob("*"):
        if path.parent != project.store:
            os.utime(path, (old, old))


def meanings(project: Project) -> dict[str, Any]:
    """Return what each name means, in all its versions, with the segments of each."""
    found: dict[str, Any] = {}
    for row in project.lake.datasets():
        files = [path.stem for path in project.lake.segment_paths(row["dataset_id"])]
        found.setdefault(row["name"], []).append([row["version"], row["dataset_id"], files])
    return found


def rows(project: Project) -> dict[str, str]:
    """Return a digest of the rows of each table, without what is another after a crash.

    Of runs that did not end well only what they stored counts.
    """
    told = {}
    with project.database.read() as connection:
        runs = Base.metadata.tables["runs"]
        done = set(connection.scalars(select(runs.c.id).where(runs.c.state == "done")))
        for name, table in sorted(Base.metadata.tables.items()):
            if name in _MEMOS:
                continue
            owner = table.c.get("id" if name == "runs" else "run_id")
            query = select(table)
            if owner is not None and name != "artefacts":
                query = query.where(owner.in_(done))
            columns = [column.name for column in table.c if column.name not in _NOT_COMPARED]
            found = {
                repr([row[column] for column in columns])
                for row in connection.execute(query).mappings()
            }
            told[name] = hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
    return told


def orphan_rows(project: Project) -> list[str]:
    """Return the rows of the catalogue that nothing leads to."""
    tables = Base.metadata.tables
    versions, data, links, parts, places, segments = (
        tables[f"lake_{name}"]
        for name in ("versions", "datasets", "dataset_parts", "parts", "part_segments", "segments")
    )
    pairs = [
        (data.c.dataset_id, versions.c.dataset_id),
        (parts.c.part_id, links.c.part_id),
        (parts.c.part_id, places.c.part_id),
        (segments.c.digest, places.c.digest),
        (links.c.dataset_id, data.c.dataset_id),
        (tables["lake_ingests"].c.dataset_id, versions.c.dataset_id),
    ]
    with project.database.read() as connection:
        return [
            f"{column}: {value}"
            for column, other in pairs
            for value in connection.scalars(select(column).where(column.not_in(select(other))))
        ]


def wrong(project: Project) -> list[str]:
    """Return what the project itself finds wrong when it reads every stored byte."""
    found = [check.found for check in checks_of(project, deep=True) if not check.ok]
    return found + orphan_rows(project)


def swept(project: Project) -> list[str]:
    """Clear away what is older than the grace period, once all is; return the files that stay."""
    age(project)
    collect_garbage(project, EVERYTHING)
    files = (path for path in project.store.rglob("*") if "plumbline.db" not in path.name)
    return sorted(str(path.relative_to(project.store)) for path in files)


def left(project: Project) -> dict[str, Any]:
    """Return all that a step leaves, then what stays of it when all is old."""
    told = {"means": meanings(project), "rows": rows(project), "wrong": wrong(project)}
    return {**told, "files": swept(project), "wrong after gc": wrong(project)}


class Place:
    """A project in one place, whose states are kept and put back.

    Parameters
    ----------
    folder : of the project and of what is kept.
    server : URL of a server's database; None for a file.
    """

    def __init__(self, folder: Path, server: str | None) -> None:
        self.folder = folder
        self.root = folder / "p"
        self._server = server
        self.schema = f"{folder.parent.name}_{folder.name}".lower().replace("-", "_")

    @property
    def address(self) -> Address | None:
        return parse_address(f"{self._server}&schema={self.schema}") if self._server else None

    def project(self) -> Project:
        return create_project(self.root, self.address)

    def keep(self, name: str) -> None:
        """Keep the state of the project under a name."""
        shutil.copytree(self.root, self.folder / name)
        kept = f"{self.schema}_{name}"
        self._execute(
            [f'CREATE SCHEMA "{kept}"']
            + [
                f'CREATE TABLE "{kept}"."{table}" AS TABLE "{self.schema}"."{table}"'
                for table in Base.metadata.tables
            ]
        )

    def put_back(self, name: str) -> None:
        """Make the project what it was; whoever wrote to it is gone."""
        shutil.rmtree(self.root / ".plumbline")
        shutil.copytree(self.folder / name / ".plumbline", self.root / ".plumbline")
        kept = f"{self.schema}_{name}"
        self._execute(
            ["SET session_replication_role = replica"]  # rows in any order
            + [
                f'DELETE FROM "{self.schema}"."{table}"; '  # noqa: S608  # ours
                f'INSERT INTO "{self.schema}"."{table}" SELECT * FROM "{kept}"."{table}"'
                for table in Base.metadata.tables
            ]
        )

    def _execute(self, statements: list[str]) -> None:
        if self._server is None:
            return
        import psycopg

        with psycopg.connect(self._server) as connection:
            busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'plumbline'"
            until = time.monotonic() + 10
            while connection.execute(busy).fetchone() != (0,) and time.monotonic() < until:
                time.sleep(0.001)  # what was killed may be about to be rolled back
                connection.rollback()
            connection.execute("; ".join(statements))  # type: ignore[arg-type]  # no literal
