"""What has not changed is recognised without the heavy libraries."""

import json
import os
import subprocess
import sys
import time

import pytest

HEAVY = ("polars", "pyarrow", "duckdb", "pandas", "exchange_calendars", "numba", "scipy")

RECOGNISE = """
import json, sys
from pathlib import Path
from plumbline.lake import open_lake
from plumbline.lake.source import sources
lake = open_lake(sys.argv[1])
source = sources["csv"]("p.csv")
prepared = lake.prepare("p", source, calendar="XNYS", base=Path(sys.argv[2]))
data = prepared.dataset
digests = [data.digest_of(("close",), None, data.first_bar, data.first_bar)]
print(json.dumps([prepared.rows is None, digests, sorted(sys.modules)]))
"""


@pytest.mark.parametrize("module", ["lake", "lake.source", "lake.cleaning_rules"])
def test_importing_the_lake_is_light(module):
    script = f"import sys, plumbline.{module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {*HEAVY, "sqlalchemy"}


THREADS = """
import os, pkgutil
from importlib import import_module
import plumbline.lake
for found in pkgutil.walk_packages(plumbline.lake.__path__, "plumbline.lake."):
    import_module(found.name)
names = [open(f"/proc/self/task/{i}/comm").read().strip() for i in os.listdir("/proc/self/task")]
print(*names)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads what threads a process has from /proc")
def test_importing_every_module_of_the_lake_starts_no_thread_that_computes_tables():
    """Such threads do not survive a fork: a child that computes a table waits for ever."""
    done = subprocess.run(
        [sys.executable, "-c", THREADS], check=True, capture_output=True, text=True
    )
    assert "python" in done.stdout
    assert "polars-0" not in done.stdout.split()


def test_files_that_have_not_changed_are_recognised_without_heavy_imports(lake, write, tmp_path):
    from plumbline.lake.sources.csv import Csv

    path = write("p.csv", "date,symbol,close\n2024-07-02,A,1\n2024-07-03,A,2\n")
    moment = time.time() - 60
    os.utime(path, (moment, moment))
    data = lake.ingest("p", Csv("p.csv"), calendar="XNYS", base=tmp_path).dataset
    command = [sys.executable, "-c", RECOGNISE, str(lake.root), str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    recognised, digests, loaded = json.loads(done.stdout)
    assert recognised
    assert digests == [data.digest_of(("close",), None, data.first_bar, data.first_bar)]
    assert not set(loaded) & set(HEAVY)
