"""From a source to a clean dataset in memory."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Int

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.errors import SourceError
from plumbline.lake.cleaning import clean
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset, dataset_id_of
from plumbline.lake.numbering import cut_by_part, row_numbers
from plumbline.lake.parts import DigestsOf, Part, make_parts
from plumbline.lake.prepared import Progress, Rows, report_bytes
from plumbline.lake.problem_text import listed
from plumbline.lake.quality import report, summarise
from plumbline.lake.row_rules import ConflictError
from plumbline.lake.source import Source


class Made(NamedTuple):
    """A dataset in memory, its rows, and its quality report as Parquet."""

    dataset: Dataset
    rows: Rows
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
    numbers = row_numbers(bars, calendar)
    dataset = make_dataset(bars, calendar, numbers)
    rows_of = Rows(cut_by_part(bars, numbers, calendar.frequency))
    return Made(dataset, rows_of, report_bytes(report([*findings, quality])))


def _why_none(quality: pl.DataFrame) -> str:
    found = [f"{row[0]} {row[1]} {row[2]}" for row in summarise(quality).iter_rows()]
    assets = [repr(name) for name in quality.filter(pl.col("rule") == "no_value")["asset"]]
    return f"no bar is left after cleaning ({', '.join(found)}): no value of {listed(assets, 10)}"


def make_dataset(
    bars: pl.DataFrame, calendar: Calendar, numbers: Int[np.ndarray, " rows"]
) -> Dataset:
    """Return the unnamed dataset of clean bars.

    Parameters
    ----------
    bars : as :func:`plumbline.lake.cleaning.clean` returns them, at least one row.
    calendar : the grid.
    numbers : calendar number of each row.
    """
    grid = (calendar.name, calendar.frequency)
    made = make_parts(bars, grid, numbers)
    digests = {part.part_id: matrix for part, matrix in made.items()}
    fields = tuple(sorted(set(bars.columns) - {"bar_close", "asset"}))
    assets = tuple(sorted(bars["asset"].unique().to_list()))
    return assembled(calendar, (fields, assets), tuple(made), lambda _wanted: digests)


def assembled(
    calendar: Calendar,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    parts: tuple[Part, ...],
    digests_of: DigestsOf,
) -> Dataset:
    """Return the unnamed dataset of parts; ``names`` are its fields and its assets."""
    grid = (calendar.name, calendar.frequency)
    closes = None
    if calendar.name != ALWAYS_OPEN:
        closes = calendar.closes(parts[0].first_bar, parts[-1].last_bar)
    dataset_id = dataset_id_of(grid, *names, parts)
    return Dataset(dataset_id, "", 0, *grid, *names, parts, closes, digests_of)
