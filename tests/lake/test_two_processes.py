"""Two processes that ingest into one lake at once: each finds its rows, and no version is lost."""

import subprocess
import sys

import polars as pl

from plumbline.lake.opening import open_lake

INGESTER = """
import sys
from pathlib import Path
from plumbline.lake.opening import open_lake
from plumbline.lake.sources.csv import Csv

base, names = Path(sys.argv[1]), sys.argv[2:]
for name in names:
    lake = open_lake(base / "lake")
    done = lake.ingest("bars", Csv(name), calendar="24/7", base=base)
    print(done.dataset.dataset_id, int(done.created), done.dataset.version)
"""


def test_two_processes_ingest_at_once(bars, tmp_path):
    rounds = [f"bars{i}.csv" for i in range(6)]
    for i, name in enumerate(rounds):
        edited = bars.with_columns(
            pl.when(pl.int_range(pl.len()) == i).then(50.0).otherwise("close").alias("close")
        )
        edited.write_csv(tmp_path / name)
    command = [sys.executable, "-c", INGESTER, str(tmp_path), *rounds]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [worker.communicate(timeout=120)[0].split("\n")[:-1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    lines = [[line.split() for line in lines] for lines in printed]
    assert [line[0] for line in lines[0]] == [line[0] for line in lines[1]]
    lake = open_lake(tmp_path / "lake")
    rows = lake.datasets()
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(int(line[1]) for worker in lines for line in worker) >= len(rounds)
    assert {row["dataset_id"] for row in rows} == {line[0] for line in lines[0]}
    for row in rows:
        assert lake.panel(row["dataset_id"]).n_assets == 3
