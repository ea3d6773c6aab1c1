"""A small lake and small files of bars."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plumbline.lake.lake import Lake
from plumbline.lake.opening import open_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = open_lake(tmp_path / "lake")
    made.make()
    return made


@pytest.fixture
def bars() -> pl.DataFrame:
    """Return 70 days of three assets over two calendar years, with holes in rows and cells."""
    rng = np.random.default_rng(7)
    days = np.arange(np.datetime64("2023-11-20"), np.datetime64("2024-01-29"))
    frames = []
    for i, asset in enumerate(("AAA", "BBB", "C Ä'")):
        close = 50.0 * (i + 1) * np.exp(np.cumsum(0.01 * rng.standard_normal(days.size)))
        keep = rng.random(days.size) > 0.05
        volume = rng.integers(1, 10_000, days.size).astype(float)
        volume[rng.random(days.size) < 0.1] = np.nan
        table = {"date": days[keep], "symbol": [asset] * int(keep.sum())}
        values = {"close": close[keep], "volume": volume[keep]}
        frames.append(
            pl.DataFrame({**table, **values}).with_columns(pl.col("volume").fill_nan(None))
        )
    return pl.concat(frames)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file below the base folder."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file
