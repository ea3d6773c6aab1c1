"""The most memory that work on the lake takes, from sizes alone: of files, and of the catalogue.

Each factor is what was measured on real bars, and a third or more on top of it, since names are of
other lengths and files of other shapes; ``docs/operations.md`` has the figures.
"""

import mmap
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.sizes import shown_bytes
from plumbline.lake.archive_source import ArchiveSource
from plumbline.lake.dataset import Dataset
from plumbline.lake.packed import allowed
from plumbline.lake.parts import Part
from plumbline.lake.patches import patch_bars
from plumbline.lake.room import Work
from plumbline.lake.source import Source
from plumbline.lake.tabular_source import TabularSource

if TYPE_CHECKING:
    import polars

ONCE = 120_000_000  # libraries and their threads, when they are first used
_TEXT = 8  # of the bytes of a text: it is held whole, cut into cells, and as numbers
_ARCHIVE = 5  # of the bytes of an archive's text, which goes straight into numbers
_TABLE = 7  # of the bytes of numbers in a table: as read, joined, sorted, and cut into parts
_WIDE = 6  # times as much where each value becomes a row of its own
_ROWS = 6  # of the bytes of rows that are read, joined with others, digested and written
_PANEL = 2  # of the bytes of a panel that is put together to another one
_DELTA = 250_000_000  # what the library of Delta tables takes whatever it writes
_NUMBER = 8
_CHANGE = 180  # of a value that differs: its row, twice while all are sorted
_GZIP_SIZE = 4  # bytes at the end of a gzip that tell what it holds
_TABLES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")


def of_reading(name: str, source: Source, base: Path) -> Work:
    """Return what reading and cleaning a source takes."""
    files = source.files(base)
    tables = [path for path in files if path.suffix.lower() in _TABLES]
    texts = [path for path in files if path.suffix.lower() not in _TABLES]
    text, table = sum(map(_text_bytes, texts)), sum(map(_table_bytes, tables))
    wide = _WIDE if isinstance(source, TabularSource) and source.form == "wide" else 1
    factor = _ARCHIVE if isinstance(source, ArchiveSource) else _TEXT
    because = f"{len(files)} files that hold {shown_bytes(text + table)}"
    n_bytes = ONCE + wide * (factor * text + _TABLE * table)
    advice = "ingest some of the files, and append the others in portions"
    return Work(f"reading {name}", n_bytes, because, advice if len(files) > 1 else "")


def of_extension(dataset: Dataset, added: "polars.Series") -> Work:
    """Return what adding rows of some closes takes: the parts around them are made anew."""
    closes = [(_close(dataset, p.first_bar), _close(dataset, p.last_bar)) for p in dataset.parts]
    ordered = added.dt.replace_time_zone(None).sort().to_numpy()
    start = sum(stop < ordered[0] for _, stop in closes)
    stop = sum(begin <= ordered[-1] for begin, _ in closes)
    touched = dataset.parts[max(0, start - 1) : stop + 1]
    because = f"{len(touched)} parts of {dataset.name} around the rows"
    advice = "append rows of a shorter time at once"
    return Work(f"append to {dataset.name}", _rows_bytes(dataset, touched), because, advice)


def of_compaction(dataset: Dataset, parts: Sequence[Part]) -> Work:
    """Return what writing each of some parts as one file takes."""
    largest = max(parts, key=lambda part: part.n_rows, default=None)
    n_bytes = ONCE + _rows_bytes(dataset, [] if largest is None else [largest])
    return Work(f"compaction of {dataset.name}", n_bytes, _largest(dataset))


def of_export(dataset: Dataset) -> Work:
    """Return what writing a Delta table takes, a part at a time."""
    largest = max(dataset.parts, key=lambda part: part.n_rows)
    n_bytes = ONCE + _DELTA + _rows_bytes(dataset, [largest])
    return Work(f"export of {dataset.name}", n_bytes, _largest(dataset))


def of_difference(a: Dataset, b: Dataset) -> Work:
    """Return what the values take in which two datasets differ, and the parts that hold them."""
    before, after = ({part.number: part for part in d.parts} for d in (a, b))
    numbers = [
        number
        for number in before.keys() | after.keys()
        if number not in before
        or number not in after
        or before[number].part_id != after[number].part_id
    ]
    n_values = sum(_differing(a, b, before.get(n), after.get(n)) for n in numbers)
    pairs = ([p for p in (before.get(n), after.get(n)) if p is not None] for n in numbers)
    rows = max((_rows_bytes(b, pair) for pair in pairs), default=0)
    because = f"up to {n_values} values that differ"
    return Work(f"difference of {b.name or a.name}", ONCE + rows + _CHANGE * n_values, because)


def of_panel(dataset: Dataset, n_fields: int, n_assets: int, span: tuple[int, int]) -> Work:
    """Return what a panel takes, which is read a few files at a time."""
    n_bars = span[1] - span[0] + 1
    n_bytes = panel_bytes(n_bars, n_assets, n_fields)
    because = f"{n_bars} bars of {n_assets} assets and {n_fields} fields"
    read = min(n_bytes, READ_AT_ONCE) * _ROWS
    advice = "name fewer fields, assets or bars"
    return Work(f"panel of {dataset.name}", ONCE + n_bytes + read, because, advice)


READ_AT_ONCE = 32_000_000  # bytes of numbers that are read at once into a panel


def of_resampling(dataset: Dataset, n_bars: int, n_made: int, n_targets: int) -> Work:
    """Return what putting bars together takes.

    Parameters
    ----------
    dataset : the base bars.
    n_bars : of them that are read at once.
    n_made : coarse bars of all targets together.
    n_targets : how many there are.
    """
    read = panel_bytes(n_bars, len(dataset.assets), len(dataset.fields))
    made = panel_bytes(n_made, len(dataset.assets), len(dataset.fields) + 2)
    n_bytes = ONCE + _PANEL * read + min(read, READ_AT_ONCE) * _ROWS + _ROWS * made
    because = f"{n_bars} bars at once, and {n_made} coarse ones,"
    advice = "name one target at a time" if n_targets > 1 else ""
    return Work(f"resampling of {dataset.name}", n_bytes, because, advice)


def panel_bytes(n_bars: int, n_assets: int, n_fields: int) -> int:
    """Return the bytes of an array of numbers."""
    return n_bars * n_assets * n_fields * _NUMBER


def _close(dataset: Dataset, bar: int) -> np.datetime64:
    found: np.datetime64 = dataset.closes(bar, bar)[0]
    return found


def _largest(dataset: Dataset) -> str:
    return f"the rows of its largest part, of {len(dataset.assets)} assets,"


def _rows_bytes(dataset: Dataset, parts: Sequence[Part]) -> int:
    width = (len(dataset.fields) + 2) * _NUMBER
    return _ROWS * width * sum(part.n_rows for part in parts)


def _differing(a: Dataset, b: Dataset, before: Part | None, after: Part | None) -> int:
    """Return how many values may differ: those of patches whose digests do."""
    known = [(d, part) for d, part in ((a, before), (b, after)) if part is not None]
    digests = [d.digests_of([part.part_id])[part.part_id] for d, part in known]
    length = patch_bars(a.frequency)
    if len(known) == 2:
        (_, one), (_, other) = known
        if (one.fields, one.assets) == (other.fields, other.assets):
            return length * int((digests[0] != digests[1]).any(axis=-1).sum())
    return length * sum(int(matrix.any(axis=-1).sum()) for matrix in digests)


def _text_bytes(path: Path) -> int:
    """Return the bytes of a text, unpacked, by what a packed file says of itself."""
    size = path.stat().st_size
    ending = path.suffix.lower()
    if ending == ".gz":
        with path.open("rb") as file:
            file.seek(max(0, size - _GZIP_SIZE))
            said = int.from_bytes(file.read(_GZIP_SIZE), "little")
        return max(size, min(said, allowed(size)))
    if ending == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                said = sum(member.file_size for member in archive.infolist())
                return max(size, min(said, allowed(size)))
        except (OSError, zipfile.BadZipFile):  # whoever reads it says what is wrong with it
            return size
    return size


def _table_bytes(path: Path) -> int:
    """Return the bytes of the numbers of a table in columns."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    try:
        with path.open("rb") as file:  # the library opens no name that is not UTF-8
            if path.suffix.lower() in (".parquet", ".pq"):
                found = parquet.read_metadata(file)
                return int(found.num_rows * found.num_columns * _NUMBER)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                opened = ipc.open_file(pa.BufferReader(mapped))
                return sum(opened.get_batch(i).nbytes for i in range(opened.num_record_batches))
    except (OSError, ValueError, pa.ArrowException):  # whoever reads it says what is wrong with it
        return path.stat().st_size
