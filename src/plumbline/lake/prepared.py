"""What an ingest is about to write, and what it gave."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from plumbline.lake.dataset import Dataset

if TYPE_CHECKING:
    import polars

    from plumbline.lake.segments import Segment

Progress = Callable[[str, int, int], None]


@final
@dataclass(frozen=True)
class Rows:
    """The rows that a dataset has and the lake may lack.

    Parameters
    ----------
    by_part : number of a part -> its rows to write, sorted by asset, then bar.
    kept : number of a part -> segments of an earlier version that hold its other rows.
    base_id : dataset that the rows were added to; None if they are all that there is.
    """

    by_part: "Mapping[int, polars.DataFrame]" = field(repr=False)
    kept: "Mapping[int, tuple[Segment, ...]]" = field(default_factory=dict, repr=False)
    base_id: str | None = None


@final
@dataclass(frozen=True)
class PreparedDataset:
    """Everything that an ingest would write, before it is written.

    Parameters
    ----------
    dataset : what it would be; version 0 unless the name already means this content.
    source : description of the source, as JSON text.
    key : digest of the files, the source, the rules, the calendar and the code.
    quality_bytes : the quality report, as Parquet.
    rows : what may have to be written; None if the files were recognised and not read.
    n_lacking : segments that the lake holds of it in the catalogue and not, or not whole, on disk;
        they are written again.
    """

    dataset: Dataset
    source: str = field(repr=False)
    key: str
    quality_bytes: bytes = field(repr=False)
    rows: Rows | None = field(repr=False)
    n_lacking: int = 0

    @property
    def quality(self) -> "polars.DataFrame":
        """Return the quality report."""
        return report_of(self.quality_bytes)


@final
@dataclass(frozen=True)
class Ingested:
    """What an ingest gave.

    Parameters
    ----------
    dataset : the dataset.
    created : whether the name got a version that it did not have.
    quality_bytes : the quality report, as Parquet.
    healed : how many segments were damaged or missing and are written again.
    """

    dataset: Dataset
    created: bool
    quality_bytes: bytes = field(repr=False)
    healed: int = 0

    @property
    def quality(self) -> "polars.DataFrame":
        """Return the quality report."""
        return report_of(self.quality_bytes)


def report_of(content: bytes) -> "polars.DataFrame":
    """Return a quality report from its Parquet bytes."""
    import polars as pl

    return pl.read_parquet(io.BytesIO(content))


def report_bytes(quality: "polars.DataFrame") -> bytes:
    """Return a quality report as Parquet."""
    buffer = io.BytesIO()
    quality.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def named(progress: Progress | None, name: str) -> Progress:
    """Return a progress whose steps name a data set, as in ``read stocks``; None is silent."""
    if progress is None:
        return silent
    return lambda what, done, of: progress(f"{what} {name}", done, of)


def silent(_what: str, _done: int, _of: int) -> None:
    """Show no progress."""
