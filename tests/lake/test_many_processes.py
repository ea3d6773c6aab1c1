"""Writers, readers and who forgets, in one lake: no row is lost, and nobody sees half a version.

``PLUMBLINE_TEST_SECONDS`` says how long; the suite takes a few seconds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plumbline.lake.opening import open_lake
from plumbline.lake.soundness import lacking_versions
from plumbline.lake.sources.parquet import Parquet

SECONDS = float(os.environ.get("PLUMBLINE_TEST_SECONDS", "4"))
N_WRITERS, N_READERS, N_FORGETTERS = 4, 8, 2
START = np.datetime64("2024-01-01T01:00", "us")

COMMON = """
import json, sys, time
from pathlib import Path
import numpy as np
import polars as pl
from plumbline.core.errors import *
from plumbline.lake.opening import open_lake
from plumbline.lake.soundness import forget_dataset, forget_version
from plumbline.lake.sources.parquet import Parquet

folder, number, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds
"""
WRITER = (
    COMMON
    + """
own = f"W{number}"
written = 24
while time.monotonic() < end:
    at = np.arange(written, written + 24)
    times = np.datetime64("2024-01-01T01:00", "us") + at * np.timedelta64(1, "h")
    stamps = pl.Series(times).dt.replace_time_zone("UTC")
    frame = pl.DataFrame({"bar_close": stamps, "asset": [own] * 24, "close": 1.0 + at})
    frame.write_parquet(folder / f"{own}.parquet")
    open_lake(folder / "lake").append("bars", Parquet(f"{own}.parquet"), base=folder)
    written += 24
print(json.dumps(written))
"""
)
READER = (
    COMMON
    + """
seen, versions, gone = 0, [], 0
while time.monotonic() < end:
    lake = open_lake(folder / "lake")
    data = lake.dataset("bars")
    try:
        close = lake.panel(data)["close"]
    except (CorruptEntryError, MissingDataError):  # told, if the version was forgotten meanwhile
        assert data.version not in [row["version"] for row in lake.datasets("bars")]
        gone += 1
        continue
    for column in range(close.shape[1]):
        own = close[:, column]
        known = int(np.isfinite(own).sum())
        assert known % 24 == 0 and known, (data.version, known)
        assert (own[:known] == 1.0 + np.arange(known)).all(), data.version
    assert np.isfinite(close).sum() == data.n_rows, data.version
    versions.append(data.version)
    seen += 1
    try:
        if number == 0 and seen % 5 == 0:
            lake.compact(data)
    except MissingDataError:  # it was forgotten meanwhile
        assert data.version not in [row["version"] for row in lake.datasets("bars")]
print(json.dumps([seen, versions == sorted(versions), gone]))
"""
)
FORGETTER = (
    COMMON
    + """
at = np.arange(24, 48)
stamps = pl.Series(np.datetime64("2024-01-01T01:00", "us") + at * np.timedelta64(1, "h"))
rows = {"bar_close": stamps.dt.replace_time_zone("UTC"), "asset": [f"W{number}"] * 24}
pl.DataFrame({**rows, "close": 1.0 + at}).write_parquet(folder / f"F{number}.parquet")
n_forgotten, refused = [0, 0], 0
while time.monotonic() < end:
    lake = open_lake(folder / "lake")
    numbers = [row["version"] for row in lake.datasets("bars")]
    try:
        if len(numbers) > 1:
            forget_version(lake, "bars", numbers[0])
            n_forgotten[1] += 1
        lake.ingest("twin", Parquet("first.parquet"), calendar="24/7 1h", base=folder)
        lake.append("twin", Parquet(f"F{number}.parquet"), base=folder)
        forget_dataset(lake, "twin")
        n_forgotten[0] += 1
    except (UnknownNameError, StaleVersionError):  # another was faster
        refused += 1
print(json.dumps([n_forgotten, refused]))
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    times = START + np.arange(24) * np.timedelta64(1, "h")
    frames = [
        pl.DataFrame(
            {"bar_close": times, "asset": [f"W{i}"] * 24, "close": 1.0 + np.arange(24)}
        ).with_columns(pl.col("bar_close").dt.replace_time_zone("UTC"))
        for i in range(N_WRITERS)
    ]
    pl.concat(frames).write_parquet(tmp_path / "first.parquet")
    lake = open_lake(tmp_path / "lake")
    lake.ingest("bars", Parquet("first.parquet"), calendar="24/7 1h", base=tmp_path)
    return tmp_path


def test_no_reader_sees_half_a_version_and_no_writer_loses_a_row_whoever_forgets_beside(folder):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), str(i), str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program, count in (
            (WRITER, N_WRITERS),
            (READER, N_READERS),
            (FORGETTER, N_FORGETTERS),
        )
        for i in range(count)
    ]
    said = [process.communicate(timeout=SECONDS + 120) for process in started]
    assert [err for _, err in said if err] == []
    assert [process.returncode for process in started] == [0] * 14
    told = [json.loads(out) for out, _ in said]
    written, seen = told[:N_WRITERS], told[N_WRITERS:-N_FORGETTERS]
    print("forgotten", told[-N_FORGETTERS:], "told that it is gone", [gone for *_, gone in seen])
    assert all(sum(counts) + refused for counts, refused in told[-N_FORGETTERS:])
    lake = open_lake(folder / "lake")
    assert lacking_versions(lake, deep=True) == []
    n_forgotten = sum(counts[1] for counts, _ in told[-N_FORGETTERS:])
    n_gone = lake.dataset("bars").version - len(lake.datasets("bars"))
    assert (n_gone > 0) == (n_forgotten > 0)  # two may have forgotten one, at once
    assert n_gone <= n_forgotten
    assert n_forgotten > 0 or SECONDS < 10  # a busy machine makes few versions in less
    panel = lake.panel("bars")
    assert np.isfinite(panel["close"]).sum(axis=0).tolist() == written
    assert min(written) > 24
    assert all(count > 0 and in_order for count, in_order, _ in seen)
    versions = sum(n // 24 - 1 for n in written) + 1
    assert lake.dataset("bars").version == versions
