"""Years of five-minute klines in gzip become a data set, beside reading them alone.

Run: python -m benchmarks.bench_ingest

The other side unpacks and parses the same files with polars and checks, cleans, digests and stores
nothing: it is the least that any ingest can cost here. Both use all cores.
"""

import gzip
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness import Contender, Report

for _name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS"):  # an ingest is one of all cores
    os.environ[_name] = str(os.cpu_count() or 1)

import numpy as np  # isort: skip  # noqa: E402  # after the threads are set
import polars as pl  # isort: skip  # noqa: E402  # after the threads are set

from plumbline.lake.dataset import Dataset  # isort: skip  # noqa: E402  # after the threads are set
from plumbline.lake.opening import open_lake  # isort: skip  # noqa: E402  # after the threads are set
from plumbline.lake.sources.binance import Binance  # isort: skip  # noqa: E402  # after the threads are set

ASSETS = ("BTCUSDT", "ETHUSDT")
MONTHS = np.arange(np.datetime64("2020-01"), np.datetime64("2025-01"))
STEP_MS = 300_000
AT_LEAST = 1.5e6  # bars a second
MOST_BYTES = 1e9


def main() -> None:
    report = Report("ingest")
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        n_bars = sum(_write(base / "klines", asset, seed) for seed, asset in enumerate(ASSETS))
        ingest = _ingest_of(base)
        read = ingest()
        assert read.n_rows == n_bars == sum(frame.height for frame in _parsed(base))
        report.compare(
            f"{n_bars / 1e6:.2f} million bars in {len(ASSETS) * len(MONTHS)} files",
            Contender("plumbline ingest", ingest, rounds=5),
            [Contender("polars, unpacked and parsed alone", lambda: _parsed(base), rounds=5)],
            {},
        )
    taken = report.comparisons[-1]["timings"]
    assert isinstance(taken, list)
    report.add(
        f"wanted: {AT_LEAST:g} bars a second, {MOST_BYTES:g} bytes",
        bars_a_second=n_bars / taken[0]["median_s"],
        peak_bytes=taken[0]["peak_bytes"],
    )
    report.save()


def _ingest_of(base: Path) -> Callable[[], Dataset]:
    """Return an ingest of all files into a lake of its own, which is taken away again."""

    def ingest() -> Dataset:
        place = Path(tempfile.mkdtemp(dir=base))
        try:
            lake = open_lake(place)
            return lake.ingest("x", Binance("klines"), calendar="24/7 5m", base=base).dataset
        finally:
            shutil.rmtree(place)

    return ingest


def _parsed(base: Path) -> list[pl.DataFrame]:
    def parsed(path: Path) -> pl.DataFrame:
        return pl.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(parsed, sorted((base / "klines").iterdir())))


def _write(folder: Path, asset: str, seed: int) -> int:
    """Write the months of an asset, a random walk in the form of the archives."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    price, n_bars = 7000.0, 0
    for month in MONTHS:
        first, last = (m.astype("datetime64[ms]").astype(np.int64) for m in (month, month + 1))
        opens = np.arange(first, last, STEP_MS)
        close = price * np.exp(np.cumsum(0.002 * rng.standard_normal(opens.size)))
        start = np.append(price, close[:-1])
        spread = 1 + 0.001 * rng.random((2, opens.size))
        volume = rng.gamma(2.0, 200.0, opens.size)
        columns = {
            "open_time": opens,
            "open": start.round(2),
            "high": (np.maximum(start, close) * spread[0]).round(2),
            "low": (np.minimum(start, close) / spread[1]).round(2),
            "close": close.round(2),
            "volume": volume.round(3),
            "close_time": opens + STEP_MS - 1,
            "quote_volume": (volume * close).round(5),
            "count": rng.integers(1, 9000, opens.size),
            "taker_buy_volume": (volume / 2).round(3),
            "taker_buy_quote_volume": (volume * close / 2).round(5),
            "ignore": np.zeros(opens.size, dtype=np.int64),
        }
        text = pl.DataFrame(columns).write_csv().encode()
        (folder / f"{asset}-5m-{month}.csv.gz").write_bytes(gzip.compress(text, 6, mtime=0))
        price, n_bars = float(close[-1]), n_bars + opens.size
    return n_bars


if __name__ == "__main__":
    main()
