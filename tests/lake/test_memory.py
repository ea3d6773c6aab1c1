"""Memory of work on data: told before it starts, kept to, and refused where it does not fit."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from plumbline.cli.app import call
from plumbline.core.errors import MemoryLimitError
from plumbline.core.memory import process_bytes
from plumbline.lake import panels
from plumbline.lake.lake import Lake
from plumbline.lake.opening import open_lake
from plumbline.lake.room import Room
from plumbline.lake.source import sources

REPOSITORY = Path(__file__).resolve().parents[2]
GRID = "24/7 1m"
MEGA = 1_000_000
START = np.datetime64("2024-01-01T00:01", "us")
TARGETS = {"hours": "24/7 1h", "days": "24/7 1d", "sessions": "XNYS"}

CHILD = """
import json, sys
from pathlib import Path
from plumbline.lake.opening import open_lake
from plumbline.lake.room import Room
from plumbline.lake.source import sources

work, root = sys.argv[1], Path(sys.argv[2])
said = []
kind, _, name = work.partition(" ")
folder = f"lake of {name}" if kind in ("ingest", "archive") else "lake"  # else it is recognised
lake = open_lake(root / folder).within(Room(None, said.append))
if kind == "ingest":
    source = sources["csv" if name.endswith(".csv") else "parquet"]
    more = {"form": "wide", "field": "close"} if "wide" in name else {}
    lake.ingest("x", source(name, **more), calendar="24/7 1m", base=root)
elif kind == "archive":
    lake.ingest("x", sources["binance"](name), calendar="24/7 1m", base=root)
elif kind == "append":
    lake.append("bars", sources["parquet"](name), base=root)
elif kind == "panel":
    lake.panel("bars")
elif kind == "resample":
    lake.resample("bars", {"h": "24/7 1h", "d": "24/7 1d"})
elif kind == "diff":
    lake.diff("bars", "other")
elif kind == "compact":
    lake.compact("pieces")
elif kind == "export":
    lake.export_delta("bars", root / "delta")
status = Path("/proc/self/status").read_text()  # ru_maxrss starts with the peak of the parent
peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
print(json.dumps({"peak": peak, "said": said}))
"""
WORK = [
    "ingest long.csv",
    "ingest long.parquet",
    "ingest wide.csv",
    "archive months",
    "append behind.parquet",
    "panel",
    "resample",
    "diff",
    "compact",
    "export",
]


def walks(n_bars: int, n_assets: int, seed: int, start: int = 0) -> pl.DataFrame:
    """Return bars of minutes, with holes in rows and cells."""
    rng = np.random.default_rng(seed)
    times = START + np.arange(start, start + n_bars) * np.timedelta64(60_000_000, "us")
    frames = []
    for asset in range(n_assets):
        close = 100 * np.exp(np.cumsum(1e-4 * rng.standard_normal(n_bars)))
        volume = rng.integers(1, 10_000, n_bars).astype(float)
        volume[rng.random(n_bars) < 0.001] = np.nan
        keep = rng.random(n_bars) < 0.999
        prices = {"open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
        table = {"date": times, "symbol": [f"A{asset:02}"] * n_bars, **prices, "volume": volume}
        frames.append(pl.DataFrame(table).filter(pl.Series(keep)))
    return pl.concat(frames).with_columns(pl.col("volume").fill_nan(None))


def write_month(path: Path, bars: pl.DataFrame) -> None:
    """Write bars of one asset as a month of an exchange's archive."""
    import gzip

    opened = pl.col("date").dt.epoch("ms") - 60_000
    price = ("open", "high", "low", "close")
    columns = [opened.alias("open_time"), *price, pl.col("volume").fill_null(0.0)]
    columns += [(opened + 59_999).alias("close_time"), pl.col("volume").fill_null(0.0).alias("q")]
    columns += [pl.lit(7).alias("count"), pl.lit(0.5).alias("b"), pl.lit(0.5).alias("c")]
    text = bars.select(*columns, pl.lit(0).alias("ignore")).write_csv(include_header=False)
    path.write_bytes(gzip.compress(text.encode(), 1))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of files of half a million rows, and a lake that holds some of them."""
    folder = tmp_path_factory.mktemp("memory")
    bars = walks(50_000, 10, 1)
    bars.write_csv(folder / "long.csv")
    bars.write_parquet(folder / "long.parquet")
    wide = bars.pivot("symbol", index="date", values="close").sort("date")
    wide.write_csv(folder / "wide.csv")
    walks(9_000, 10, 3, start=50_000).write_parquet(folder / "behind.parquet")
    walks(30_000, 10, 2).write_parquet(folder / "other.parquet")
    (folder / "months").mkdir()
    for symbol in ("A00", "A01", "A02", "A03"):
        own = bars.filter(symbol=symbol)
        write_month(folder / "months" / f"{symbol}USDT-1m-2024-01.csv.gz", own)
    lake = open_lake(folder / "lake")
    for name, file in (("bars", "long"), ("other", "other"), ("pieces", "other")):
        source = sources["parquet"](f"{file}.parquet")
        lake.ingest(name, source, calendar=GRID, base=folder)
    walks(60, 10, 4, start=30_000).write_parquet(folder / "hour.parquet")
    lake.append("pieces", sources["parquet"]("hour.parquet"), base=folder)
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak")
@pytest.mark.parametrize("work", WORK)
def test_what_work_takes_stays_below_what_it_says_and_near_it(root: Path, work: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, work, str(root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["said"]
    stated = max(size_of(text) for text in told["said"])
    assert told["peak"] <= stated <= 3 * told["peak"], told


def size_of(text: str) -> float:
    """Return the bytes that a statement names, as in ``…: up to 1.2 GB of memory``."""
    number, unit = text.partition("up to ")[2].split()[:2]
    return float(number) * {"MB": MEGA, "GB": 1000 * MEGA}[unit]


def files_below(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "plumbline.db" not in path.name
    }


def refused_work(lake: Lake, root: Path) -> Iterator[tuple[str, Any]]:
    csv, parquet = sources["csv"], sources["parquet"]
    yield "reading x", lambda: lake.ingest("x", csv("long.csv"), calendar=GRID, base=root)
    yield "reading bars", lambda: lake.append("bars", parquet("behind.parquet"), base=root)
    yield "panel of bars", lambda: lake.panel("bars")
    yield "resampling of bars", lambda: lake.resample("bars", TARGETS)
    yield "difference of other", lambda: lake.diff("bars", "other")
    yield "compaction of pieces", lambda: lake.compact("pieces")
    yield "export of bars", lambda: lake.export_delta("bars", root / "no_delta")


def test_what_does_not_fit_is_refused_with_what_would_and_nothing_is_written(root: Path) -> None:
    before, versions = files_below(root), open_lake(root / "lake").datasets()
    lake = open_lake(root / "lake").within(Room(process_bytes() + 20 * MEGA))
    for what, work in refused_work(lake, root):
        with pytest.raises(MemoryLimitError) as caught:
            work()
        told = str(caught.value)
        assert told.startswith(f"{what} needs about "), told
        assert "of memory and may take " in told
        needed = int(told.rpartition("say --memory ")[2].partition("MB")[0]) * MEGA
        assert needed > process_bytes() + 20 * MEGA
    assert files_below(root) == before
    assert lake.datasets() == versions


def test_rows_that_reach_over_more_parts_than_fit_are_refused_before_these_are_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.lake import appending

    days = walks(50_000, 10, 1).filter(pl.col("date").dt.hour() == 0).head(40)
    both = pl.concat([days.head(20), walks(20, 10, 9, start=50_000)])
    both.write_parquet(root / "far.parquet")
    works: list[Any] = []
    monkeypatch.setattr(Room, "require", lambda _room, work: works.append(work))
    monkeypatch.setattr(appending, "extend", lambda *_, **__: (_ for _ in ()).throw(KeyError()))
    lake = open_lake(root / "lake")
    with pytest.raises(KeyError):
        lake.append("bars", sources["parquet"]("far.parquet"), base=root)
    with pytest.raises(KeyError):
        lake.append("bars", sources["parquet"]("behind.parquet"), base=root)
    (_, far), (_, near) = works[:2], works[2:]
    counts = [int(work.because.split()[0]) for work in (far, near)]
    assert counts[0] == len(lake.dataset("bars").parts)
    assert counts[1] <= 3
    assert far.n_bytes > 2 * near.n_bytes


def test_without_a_limit_it_is_what_the_machine_has(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.lake import room

    monkeypatch.setattr(room, "machine_bytes", lambda: process_bytes() + MEGA)
    with pytest.raises(MemoryLimitError, match="and the machine has"):
        open_lake(root / "lake").panel("bars")
    monkeypatch.setenv("PLUMBLINE_MEMORY", "20GB")
    assert open_lake(root / "lake").panel("bars").n_bars
    monkeypatch.setenv("PLUMBLINE_MEMORY", "20MB")
    with pytest.raises(MemoryLimitError, match="may take 20 MB"):
        open_lake(root / "lake").panel("bars")


@pytest.mark.parametrize("n_parts", [1, 2, 3])
def test_coarse_bars_have_the_same_bits_however_few_parts_are_read_at_once(
    root: Path, monkeypatch: pytest.MonkeyPatch, n_parts: int
) -> None:
    from plumbline.lake import derived

    lake = open_lake(root / "lake")
    whole = lake.resample("bars", {f"whole.{n}": grid for n, grid in TARGETS.items()})
    read: list[tuple[int, int]] = []
    load, work = derived.load_panel, derived.of_resampling

    def noted(*given: Any) -> Any:
        read.append(given[4])
        return load(*given)

    monkeypatch.setattr(derived, "load_panel", noted)
    dataset = lake.dataset("bars")
    longest = 2 * 24 * 60  # bars that are read before a run, where a session may have begun
    most = work(dataset, n_parts * 8192 + longest, 3 * 1000, 3).n_bytes
    monkeypatch.setattr(Room, "left", lambda _: most)
    parts = lake.resample("bars", {f"parts.{n}": grid for n, grid in TARGETS.items()})
    assert len(read) == -(-len(dataset.parts) // n_parts)
    assert all(last - first < n_parts * 8192 + longest for first, last in read)
    for name in TARGETS:
        one, other = whole[f"whole.{name}"].dataset, parts[f"parts.{name}"].dataset
        assert one.n_rows > 50
        assert one.dataset_id == other.dataset_id


def test_a_panel_has_the_same_bits_however_few_files_are_read_at_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake(root / "lake")
    whole = {name: lake.panel(name) for name in ("bars", "pieces")}
    monkeypatch.setattr(panels, "_AT_ONCE", 1)
    for name, panel in whole.items():
        found = lake.panel(name)
        assert found.assets == panel.assets
        np.testing.assert_array_equal(found.bars, panel.bars)
        for field in panel:
            np.testing.assert_array_equal(found[field], panel[field])


def test_the_commands_take_a_limit_and_say_what_they_expect(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = call([*words, "--project", str(tmp_path)])
        return code, *capsys.readouterr()

    assert call(["init", str(tmp_path)]) == 0
    monkeypatch.chdir(root)
    ingest = ("ingest", "bars", "hour.parquet", "--calendar", GRID)
    code, out, _ = said(*ingest, "--memory", "60MB", "--json")
    assert (code, json.loads(out)["error"]) == (1, "MemoryLimitError")
    assert json.loads(said("data", "--json")[1]) == []
    code, _, err = said(*ingest)
    assert code == 0
    assert "reading bars: up to " in err.splitlines()[0]
    assert said("append", "bars", "behind.parquet", "--memory", "60MB")[0] == 1
    assert said("append", "bars", "behind.parquet")[0] == 0
    for words in (
        ["resample", "bars", "--to", "24/7 15m"],
        ["compact", "bars"],
        ["diff", "bars"],
        ["export", "bars", "--delta", str(tmp_path / "delta")],
    ):
        code, _, err = said("data", *words, "--memory", "40MB")
        assert (code, "say --memory " in err) == (1, True), words
        code, _, err = said("data", *words)
        assert (code, "of memory" in err) == (0, True), words
