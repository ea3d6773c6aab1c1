"""Segments: Parquet files named by the digest of their bytes, written once, checked when read."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.core.digest import digest_bytes
from plumbline.core.errors import CorruptEntryError
from plumbline.lake.durable import sync_folder, write_durably
from plumbline.lake.prepared import Progress

if TYPE_CHECKING:
    import polars

_WHAT = "segment"
_verified: set[tuple[str, int, int, int]] = set()  # path, size, time, inode seen intact


@final
@dataclass(frozen=True)
class Segment:
    """One Parquet file of a dataset: a calendar year of daily bars, or a month of finer ones.

    Parameters
    ----------
    digest : digest of the file's bytes, which is its name.
    first_close, last_close : its earliest and latest close, microseconds since 1970, UTC.
    n_rows : number of rows.
    n_bytes : size of the file.
    """

    digest: str
    first_close: int
    last_close: int
    n_rows: int
    n_bytes: int


def segment_path(folder: Path, digest: str) -> Path:
    """Return the file of a segment."""
    return folder / f"{digest}.parquet"


def encode_segments(bars: "polars.DataFrame", frequency: str) -> Iterator[tuple[Segment, bytes]]:
    """Yield each segment of clean bars with its bytes, in order of time.

    Parameters
    ----------
    bars : bar_close, asset and fields, sorted by asset, then bar.
    frequency : of the grid; decides if a segment is a year or a month.
    """
    import polars as pl

    period = pl.col("bar_close").dt.truncate("1y" if frequency == "1d" else "1mo")
    parts = bars.with_columns(period.alias("period")).partition_by(
        "period", as_dict=True, include_key=False, maintain_order=True
    )
    for key in sorted(parts):
        part = parts[key]
        buffer = io.BytesIO()
        part.write_parquet(buffer, compression="zstd", statistics=True)
        content = buffer.getvalue()
        stamps = part["bar_close"].cast(pl.Int64).to_numpy()
        yield (
            Segment(
                digest_bytes(content),
                int(stamps.min()),
                int(stamps.max()),
                part.height,
                len(content),
            ),
            content,
        )


def put_segment(folder: Path, digest: str, content: bytes) -> bool:
    """Store bytes under their digest unless an intact file is there; return whether it wrote."""
    path = segment_path(folder, digest)
    if path.exists() and digest_bytes(path.read_bytes()) == digest:
        return False
    write_durably(path, content)
    return True


def verified_paths(folder: Path, digests: Sequence[str]) -> list[Path]:
    """Return the files of segments, each checked against its digest once a process.

    Raises
    ------
    CorruptEntryError
        If a file is missing or its bytes differ from its digest.
    """
    paths = [segment_path(folder, digest) for digest in digests]
    for path, digest in zip(paths, digests, strict=True):
        _verify(path, digest)
    return paths


def lacking(folder: Path, segments: Sequence[Segment], *, read: bool) -> list[Segment]:
    """Return the segments whose file is missing, of another size, or, if read, damaged."""
    return [segment for segment in segments if not _is_there(folder, segment, read=read)]


def set_aside(folder: Path, segments: Sequence[Segment]) -> list[Segment]:
    """Rename damaged files to ``.damaged``, so that they can be written again; return all lacking.

    Their bytes stay: a file may be the only copy of something.
    """
    found = lacking(folder, segments, read=True)
    for segment in found:
        path = segment_path(folder, segment.digest)
        if path.exists():
            found_now = digest_bytes(path.read_bytes())[:12]
            path.replace(path.with_suffix(f".{found_now}.damaged"))
    return found


def _is_there(folder: Path, segment: Segment, *, read: bool) -> bool:
    path = segment_path(folder, segment.digest)
    if not path.exists() or path.stat().st_size != segment.n_bytes:
        return False
    return not read or digest_bytes(path.read_bytes()) == segment.digest


def _verify(path: Path, digest: str) -> None:
    try:
        stat = path.stat()
        seen = (str(path.absolute()), stat.st_size, stat.st_ctime_ns, stat.st_ino)
        if seen in _verified:
            return
        found = digest_bytes(path.read_bytes())
    except FileNotFoundError:
        raise CorruptEntryError(digest, str(path), "the file is missing", _WHAT) from None
    if found != digest:
        reason = f"its bytes have the digest {found[:12]}"
        raise CorruptEntryError(digest, str(path), reason, _WHAT)
    _verified.add(seen)


def write_segments(
    folder: Path, bars: "polars.DataFrame", frequency: str, progress: Progress
) -> list[Segment]:
    """Write bars as segments that last; return them in order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    segments = []
    done = 0
    for segment, content in encode_segments(bars, frequency):
        put_segment(folder, segment.digest, content)
        segments.append(segment)
        done += segment.n_rows
        progress("write", done, bars.height)
    sync_folder(folder)
    return segments


def restorable(error: CorruptEntryError, dataset: str) -> CorruptEntryError:
    """Return the error of a damaged segment with what restores the data set that it is part of."""
    advice = (
        f"to restore data set {dataset} type `plumbline doctor --deep`, then the same "
        "command again if its recipe names the source, else `plumbline ingest`"
    )
    return CorruptEntryError(error.digest, error.path, f"{error.reason}; {advice}", _WHAT)
