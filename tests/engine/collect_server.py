"""Clears a project in forked children and kills them at each point; counts what is left behind."""

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import update

from plumbline.engine.collect import collect_garbage
from plumbline.engine.executors.serial import Serial
from plumbline.engine.garbage import Keeping
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, create_project
from plumbline.lake.sources.csv import Csv
from plumbline.ledger.models import Artefact
from tests.engine.crash_server import Points, forked, recovered
from tests.engine.toys import Prices, Returns

KEEPING = Keeping(max_bytes=1)


def small(seed: int) -> Pipeline:
    nodes = (Node("prices", Prices(30, seed)), Node("returns", Returns(), {"prices": "prices"}))
    return Pipeline("small", nodes)


def ingest(project: Project, folder: Path, name: str, seed: int) -> None:
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


def prepared(folder: Path) -> None:
    """Make a project with results of three runs, orphans, and what killed processes leave."""
    project = create_project(folder)
    for seed in (3, 2, 1):
        project.engine.run(small(seed), Serial())
    ingest(project, folder / "files", "kept", 1)
    segments = project.lake.segment_folder
    (segments / ("ab" * 32 + ".parquet")).write_bytes(b"orphan")
    (segments / ".0123.part").write_bytes(b"half")
    (project.store / "objects" / ".0123.part").write_bytes(b"half")
    (project.store / "verify-x").mkdir()
    age(project)


def cleared(folder: Path) -> Any:
    return collect_garbage(create_project(folder), KEEPING).results


def counted(folder: Path) -> Any:
    points = Points(None)
    points.install()
    return [cleared(folder), points.hits]


def crashed(folder: Path, kill_at: int) -> Any:
    Points(kill_at).install()
    return cleared(folder)


def after(folder: Path) -> Any:
    """Clear once more, look at what is there, and compute again."""
    project = create_project(folder)
    collect_garbage(project, KEEPING)
    files = sorted(str(path.relative_to(folder)) for path in project.store.rglob("*.*"))
    held = [path for path in files if "plumbline.db" not in path]
    return {
        "files": held,
        "first": recovered(folder, small(1)),
        "second": recovered(folder, small(2))["digests"],
        "data": len(project.lake.segment_paths(project.lake.dataset("kept"))),
    }


def at_every_point(folder: Path) -> Any:
    prepared(folder / "template")
    place = Path(shutil.copytree(folder / "template", folder / "undisturbed"))
    _, (n_results, hits) = forked(lambda: counted(place))
    undisturbed = forked(lambda: after(place))[1]
    crashes: list[Sequence[Any]] = []
    for i, kind in enumerate(hits):
        place = Path(shutil.copytree(folder / "template", folder / str(i)))
        status, _ = forked(lambda place=place, i=i: crashed(place, i))
        crashes.append([kind, status, forked(lambda place=place: after(place))[1]])
    return {
        "hits": Counter(hits),
        "n_results": n_results,
        "undisturbed": undisturbed,
        "crashes": crashes,
    }


def main() -> None:
    print(json.dumps(at_every_point(Path(sys.argv[1]))))
