"""Segments: Parquet files named by the digest of their bytes, written once, checked when read."""

import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.core.digest import digest_bytes
from plumbline.core.errors import CorruptEntryError
from plumbline.lake.durable import make_folder, sync_folder, write_durably
from plumbline.lake.prepared import Progress

if TYPE_CHECKING:
    import polars

_WHAT = "segment"
_LEVEL = 1  # of zstd: level 3 takes 1.6 times as long and saves a twentieth
_AT_ONCE = 16  # segments between two words of progress
_THREADS = 4  # one may wait for the disk while another encodes
_verified: set[tuple[str, int, int, int]] = set()  # path, size, time, inode seen intact


@final
@dataclass(frozen=True)
class Segment:
    """One Parquet file of a part of a dataset; a part may lie in several until it is compacted.

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


def encode_segment(rows: "polars.DataFrame") -> tuple[Segment, bytes]:
    """Return a segment of clean bars and its bytes.

    Parameters
    ----------
    rows : bar_close, asset and fields, sorted by asset, then bar.
    """
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=_LEVEL, statistics=True)
    content = buffer.getvalue()
    stamps = rows["bar_close"].dt.epoch("us")
    first, last = int(stamps.min()), int(stamps.max())  # type: ignore[arg-type]  # whole numbers
    return Segment(digest_bytes(content), first, last, rows.height, len(content)), content


def put_segment(folder: Path, digest: str, content: bytes) -> bool:
    """Store bytes under their digest unless an intact file is there; return whether it wrote."""
    path = segment_path(folder, digest)
    if path.exists() and digest_bytes(path.read_bytes()) == digest:
        os.utime(path)  # young again, so that it is not cleared away before it is named
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
    folder: Path, parts: "Mapping[int, polars.DataFrame]", progress: Progress
) -> dict[int, Segment]:
    """Write the rows of parts as segments that last; return each part's segment.

    Parameters
    ----------
    folder : of the segments.
    parts : number of a part -> rows to write of it, sorted by asset, then bar.
    progress : told of the rows written.
    """
    make_folder(folder)
    total, done = sum(rows.height for rows in parts.values()), 0
    made = {}
    numbers = sorted(parts)
    with ThreadPoolExecutor(_THREADS) as threads:  # encoding and the disk give up the lock
        for start in range(0, len(numbers), _AT_ONCE):
            chosen = numbers[start : start + _AT_ONCE]
            stored = threads.map(partial(_stored, folder), [parts[number] for number in chosen])
            for number, segment in zip(chosen, stored, strict=True):
                made[number] = segment
                done += segment.n_rows
                progress("write", done, total)
    sync_folder(folder)
    return made


def _stored(folder: Path, rows: "polars.DataFrame") -> Segment:
    segment, content = encode_segment(rows)
    put_segment(folder, segment.digest, content)
    return segment


def restorable(error: CorruptEntryError, dataset: str) -> CorruptEntryError:
    """Return the error of a damaged segment with what restores the data set that it is part of."""
    advice = (
        f"to restore data set {dataset} type `plumbline doctor --deep`, then the same "
        "command again if its recipe names the source, else `plumbline ingest`"
    )
    return CorruptEntryError(error.digest, error.path, f"{error.reason}; {advice}", _WHAT)
