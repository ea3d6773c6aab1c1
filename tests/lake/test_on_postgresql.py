"""The catalogue on a server: the same data sets, versions and reports as in a file."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from plumbline.core.address import parse_address
from plumbline.engine.project import Project, create_project
from plumbline.lake.soundness import forget_version
from plumbline.lake.sources.csv import Csv
from tests.postgres import Server

NAMES = ("b", "B", "a", "Z")  # sorted by code points: B, Z, a, b


def made(folder: Path, server: Server | None) -> Project:
    return create_project(folder, None if server is None else parse_address(server.fresh()))


def ingested(project: Project, base: Path) -> Any:
    """Ingest several names in two versions, and return all that the lake says of them."""
    lake = project.lake
    for file in ("old.csv", "new.csv", "new.csv"):
        for name in NAMES:
            lake.ingest(name, Csv(file), calendar="24/7", base=base)
    forget_version(lake, "a", 1)
    rows = [{k: v for k, v in row.items() if k != "created"} for row in lake.datasets()]
    assert all(str(row["created"].tzinfo) in ("UTC", "+00:00") for row in lake.datasets())
    quality = [lake.quality(name).to_dicts() for name in NAMES]
    panel = lake.panel("b", assets=["AAA", "C Ä'"])
    return rows, quality, panel, lake.dataset("B", 1)


def test_the_lake_says_the_same_on_both_databases(
    postgres: Server, bars: pl.DataFrame, tmp_path: Path
) -> None:
    bars.head(100).write_csv(tmp_path / "old.csv")
    bars.write_csv(tmp_path / "new.csv")
    on_file = ingested(made(tmp_path / "file", None), tmp_path)
    on_server = ingested(made(tmp_path / "server", postgres), tmp_path)
    assert [row["name"] for row in on_server[0]] == ["B", "B", "Z", "Z", "a", "b", "b"]
    assert on_server == on_file


INGESTER = """
import sys
from pathlib import Path
from plumbline.lake.opening import open_lake
from plumbline.lake.soundness import forget_version
from plumbline.lake.sources.csv import Csv

base, names = Path(sys.argv[1]), sys.argv[2:]
for name in names:
    done = open_lake(base / "p" / ".plumbline").ingest(
        "bars", Csv(name), calendar="24/7", base=base
    )
    print(done.dataset.dataset_id, int(done.created), done.dataset.version)
"""


def test_two_processes_ingest_at_once(postgres: Server, bars: pl.DataFrame, tmp_path: Path) -> None:
    project = made(tmp_path / "p", postgres)
    rounds = [f"bars{i}.csv" for i in range(4)]
    for i, name in enumerate(rounds):
        edited = pl.when(pl.int_range(pl.len()) == i).then(50.0).otherwise("close")
        bars.with_columns(edited.alias("close")).write_csv(tmp_path / name)
    command = [sys.executable, "-c", INGESTER, str(tmp_path), *rounds]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=120)[0].split("\n")[:-1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    rows = project.lake.datasets()
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(int(line.split()[1]) for lines in printed for line in lines) >= 4
    for row in rows:
        assert project.lake.panel(row["dataset_id"]).n_assets == 3
