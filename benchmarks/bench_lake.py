"""The lake: long tables to panels, coarser bars, a day appended, and versions of long ago.

Prices are made. The day is appended to a lake of one year and to one of nine, 50 million rows, to
see that its cost does not grow. Versions are read by a lake that has just been opened.

Run: python -m benchmarks.bench_lake
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip
import polars as pl  # isort: skip

from plumbline.core.calendar import Calendar  # isort: skip
from plumbline.core.panel import Panel  # isort: skip
from plumbline.lake.lake import Lake  # isort: skip
from plumbline.lake.opening import open_lake  # isort: skip
from plumbline.lake.resample import resample  # isort: skip
from plumbline.lake.sources.parquet import Parquet  # isort: skip

FIVE = Calendar("24/7", "5m")
COARSE = ("15m", "30m", "1h", "4h", "8h", "1d")
FIELDS = ("open", "high", "low", "close", "volume")
N_ASSETS = 52


def bars(calendar: Calendar, start: str, n_bars: int, n_assets: int, seed: int) -> pl.DataFrame:
    """Return made bars in the long shape, sorted by asset, then bar."""
    rng = np.random.default_rng(seed)
    first = int(np.datetime64(start, "us").astype(np.int64) // calendar.step.astype(np.int64))
    closes = calendar.closes(first, first + n_bars - 1)
    frames = []
    for i in range(n_assets):
        close = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n_bars)))
        prices = {
            "open": close * 1.0001,
            "high": close * 1.002,
            "low": close * 0.998,
            "close": close,
        }
        stamps = pl.Series("bar_close", closes).dt.replace_time_zone("UTC")
        table = {"bar_close": stamps, "asset": [f"A{i:02d}"] * n_bars, **prices}
        frames.append(pl.DataFrame({**table, "volume": rng.lognormal(5, 1, n_bars)}))
    return pl.concat(frames)


def to_panel(report: Report) -> None:
    frame = bars(Calendar("24/7", "1h"), "2020-01-01T01:00", 33_000, N_ASSETS, 1)
    frame = frame.sample(fraction=1.0, shuffle=True, seed=0)

    def pivoted() -> list[pl.DataFrame]:
        return [
            frame.pivot("asset", index="bar_close", values=name).sort("bar_close")
            for name in FIELDS
        ]

    panel = Panel.from_frame(frame)
    for name, wide in zip(FIELDS, pivoted(), strict=True):
        np.testing.assert_array_equal(panel[name], wide.select(panel.assets).to_numpy())
    report.compare(
        f"long table of {frame.height:,} bars of {N_ASSETS} assets, {len(FIELDS)} fields, to panel",
        Contender("Panel.from_frame", lambda: Panel.from_frame(frame)),
        [Contender("polars pivot, a field at a time", pivoted, rounds=5)],
        {"polars pivot, a field at a time": 1.0},
    )


def to_coarser(report: Report) -> None:
    frame = bars(FIVE, "2020-01-01T00:05", 526_176, 2, 2)
    panel = Panel.from_frame(frame, calendar="24/7 5m")
    targets = [f"24/7 {name}" for name in COARSE]
    how = [
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    ]

    def dynamic() -> list[pl.DataFrame]:
        return [
            frame.group_by_dynamic(
                "bar_close", every=name, group_by="asset", closed="right", label="right"
            ).agg(how)
            for name in COARSE
        ]

    made = resample(panel, FIVE, targets)
    for name, table in zip(COARSE, dynamic(), strict=True):
        own = made[f"24/7 {name}"]
        for column, asset in enumerate(own.assets):
            rows = table.filter(asset=asset).head(own.n_bars)
            np.testing.assert_array_equal(rows["bar_close"].dt.replace_time_zone(None), own.bars)
            for field in FIELDS[:4]:
                np.testing.assert_array_equal(rows[field], own[field][:, column])
            np.testing.assert_allclose(rows["volume"], own["volume"][:, column], rtol=1e-12)
    report.compare(
        "2 x 526,176 bars of five minutes to six frequencies",
        Contender("resample, one scan", lambda: resample(panel, FIVE, targets)),
        [Contender("polars group_by_dynamic, six times", dynamic, rounds=10)],
        {"polars group_by_dynamic, six times": 1.0},
    )


def appended_days(lake: Lake, folder: Path, start: str, n_days: int) -> Iterator[float]:
    """Append days to a data set; yield the seconds that each took."""
    for day in range(n_days):
        moment = np.datetime64(start, "m") + day * np.timedelta64(1, "D")
        bars(FIVE, str(moment), 288, N_ASSETS, 100 + day).write_parquet(folder / "day.parquet")
        started = time.perf_counter()
        done = lake.append("bars", Parquet("day.parquet"), base=folder)
        yield time.perf_counter() - started
        assert done.created


def one_more_day(report: Report, n_years: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = open_lake(folder / "lake")
        for year in range(n_years):
            start = np.datetime64("2015-01-01T00:05") + year * np.timedelta64(365, "D")
            made = bars(FIVE, str(start), 365 * 288, N_ASSETS, year)
            made.write_parquet(folder / "year.parquet")
            source = Parquet("year.parquet")
            if year:
                lake.append("bars", source, base=folder)
            else:
                lake.ingest("bars", source, calendar=FIVE, base=folder)
        end = np.datetime64("2015-01-01T00:05") + n_years * np.timedelta64(365, "D")
        times = list(appended_days(lake, folder, str(end), 15))
        report.add(
            f"one day of {N_ASSETS} assets appended to {lake.dataset('bars').n_rows:,} rows",
            median_s=median(times[1:]),
            slowest_s=max(times[1:]),
            goal_s=0.3,
        )


def long_ago(report: Report, n_versions: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = open_lake(folder / "lake")
        calendar = Calendar("24/7", "1h")
        whole = bars(calendar, "2020-01-01T01:00", 2_000 + n_versions, 5, 3)
        stamps = whole["bar_close"].unique().sort()
        close = pl.col("bar_close")
        whole.filter(close <= stamps[1_999]).write_parquet(folder / "first.parquet")
        lake.ingest("bars", Parquet("first.parquet"), calendar=calendar, base=folder)
        for version in range(1, n_versions):
            whole.filter(close == stamps[1_999 + version]).write_parquet(folder / "bar.parquet")
            lake.append("bars", Parquet("bar.parquet"), base=folder)
        assert lake.dataset("bars").version == n_versions
        created = lake.datasets("bars")[0]["created"]

        def oldest() -> Panel:
            return open_lake(lake.root).panel(lake.dataset("bars", as_of=created))

        def newest() -> Panel:
            return open_lake(lake.root).panel(lake.dataset("bars"))

        assert oldest().n_bars == 2_000
        assert newest().n_bars == 1_999 + n_versions
        times = {run: [_seconds(run) for _ in range(9)] for run in (oldest, newest)}
        report.add(
            f"version 1 of {n_versions:,}, as of its time, beside the newest",
            oldest_s=median(times[oldest]),
            newest_s=median(times[newest]),
            goal_more_s=0.05,
        )


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    report = Report("lake")
    to_panel(report)
    to_coarser(report)
    one_more_day(report, 1)
    one_more_day(report, 9)
    long_ago(report, 2_000)
    report.save()


if __name__ == "__main__":
    main()
