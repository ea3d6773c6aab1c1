"""Four writers and eight readers of one lake: no row is lost, and no reader sees half a version.

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
from plumbline.lake.sources.parquet import Parquet

SECONDS = float(os.environ.get("PLUMBLINE_TEST_SECONDS", "4"))
N_WRITERS, N_READERS = 4, 8
START = np.datetime64("2024-01-01T01:00", "us")

COMMON = """
import json, sys, time
from pathlib import Path
import numpy as np
import polars as pl
from plumbline.lake.opening import open_lake
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
seen, versions = 0, []
while time.monotonic() < end:
    lake = open_lake(folder / "lake")
    data = lake.dataset("bars")
    close = lake.panel(data)["close"]
    for column in range(close.shape[1]):
        own = close[:, column]
        known = int(np.isfinite(own).sum())
        assert known % 24 == 0 and known, (data.version, known)
        assert (own[:known] == 1.0 + np.arange(known)).all(), data.version
    assert np.isfinite(close).sum() == data.n_rows, data.version
    versions.append(data.version)
    seen += 1
    if number == 0 and seen % 5 == 0:
        lake.compact(data)
print(json.dumps([seen, versions == sorted(versions), versions[-1]]))
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


def test_no_reader_sees_half_a_version_and_no_writer_loses_a_row(folder):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), str(i), str(SECONDS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for program, count in ((WRITER, N_WRITERS), (READER, N_READERS))
        for i in range(count)
    ]
    said = [process.communicate(timeout=SECONDS + 120) for process in started]
    assert [process.returncode for process in started] == [0] * 12, [err for _, err in said]
    told = [json.loads(out) for out, _ in said]
    written, seen = told[:N_WRITERS], told[N_WRITERS:]
    panel = open_lake(folder / "lake").panel("bars")
    assert np.isfinite(panel["close"]).sum(axis=0).tolist() == written
    assert min(written) > 24
    assert all(count > 0 and in_order for count, in_order, _ in seen)
    versions = sum(n // 24 - 1 for n in written) + 1
    assert open_lake(folder / "lake").dataset("bars").version == versions
