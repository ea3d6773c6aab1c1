"""From a source to a clean dataset in memory."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.errors import SourceError
from plumbline.lake.cleaning import clean
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.patches import make_patches
from plumbline.lake.prepared import Progress
from plumbline.lake.problem_text import listed
from plumbline.lake.quality import report, summarise
from plumbline.lake.row_rules import ConflictError
from plumbline.lake.source import Source


class Made(NamedTuple):
    """A dataset in memory, its clean bars, and its quality report as Parquet."""

    dataset: Dataset
    bars: pl.DataFrame
    quality: bytes


def read_clean(
    source: Source, base: Path, calendar: Calendar, rules: CleaningRules, progress: Progress
) -> Made:
    """Read and clean a source, and digest what is left.

    Raises
    ------
    SourceError
        If a file cannot be read, rows conflict, or no bar is left.
    """
    files = source.files(base)
    n_files = len(files)
    progress("read", 0, n_files)
    findings: list[pl.DataFrame] = []
    frames = source.bars(base, calendar, findings)
    progress("read", n_files, n_files)
    rows = sum(frame.height for frame in frames)
    if not rows:
        raise SourceError(f"bars of {source}", ["no file holds a row"])
    progress("clean", 0, rows)
    try:
        bars, quality = clean(pl.concat(frames, how="diagonal"), rules, calendar)
    except ConflictError as error:
        raise error.placed(source.places(base, calendar, error.rows)) from None
    if not bars.height:
        raise SourceError(
            f"bars of {', '.join(path.name for path in files[:5])}", [_why_none(quality)]
        )
    progress("clean", rows, rows)
    buffer = io.BytesIO()
    report([*findings, quality]).write_parquet(buffer, compression="zstd")
    return Made(make_dataset(bars, calendar), bars, buffer.getvalue())


def _why_none(quality: pl.DataFrame) -> str:
    found = [f"{row[0]} {row[1]} {row[2]}" for row in summarise(quality).iter_rows()]
    assets = [repr(name) for name in quality.filter(pl.col("rule") == "no_value")["asset"]]
    return f"no bar is left after cleaning ({', '.join(found)}): no value of {listed(assets, 10)}"


def make_dataset(bars: pl.DataFrame, calendar: Calendar) -> Dataset:
    """Return the unnamed dataset of clean bars.

    Parameters
    ----------
    bars : as :func:`plumbline.lake.cleaning.clean` returns them, at least one row.
    calendar : the grid.
    """
    stamps = bars["bar_close"].dt.replace_time_zone(None)
    ends = np.array([stamps.min(), stamps.max()], dtype="datetime64[us]")
    first, last = (int(number) for number in calendar.numbers(ends))
    closes = calendar.closes(first, last)
    patches = make_patches(bars, (calendar.name, calendar.frequency), first, closes)
    return Dataset(
        patches.digest_of(),
        "",
        0,
        calendar.name,
        calendar.frequency,
        first,
        last,
        bars.height,
        patches,
        None if calendar.name == ALWAYS_OPEN else closes,
    )
