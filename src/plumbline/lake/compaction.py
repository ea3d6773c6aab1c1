"""Compaction: the rows of a part that lie in several files become one, and no id changes."""

import os
from typing import NamedTuple, final

from plumbline.core.errors import CorruptEntryError, MissingDataError
from plumbline.lake import catalogue
from plumbline.lake.dataset import Dataset
from plumbline.lake.differences import stored_rows
from plumbline.lake.numbering import row_numbers
from plumbline.lake.parts import make_parts
from plumbline.lake.peaks import of_compaction
from plumbline.lake.prepared import Progress
from plumbline.lake.segments import segment_path, write_segments
from plumbline.lake.store import Store


@final
class Compacted(NamedTuple):
    """What compaction did to a dataset.

    Parameters
    ----------
    n_parts : parts that were written as one file.
    n_before, n_after : files of the dataset.
    n_left : files that no dataset names any more; ``plumbline gc`` takes them away.
    """

    n_parts: int
    n_before: int
    n_after: int
    n_left: int


def compact(store: Store, dataset: Dataset, progress: Progress) -> Compacted:
    """Write each part of a dataset that lies in several files as one.

    A reader that has listed the old files goes on: they stay until they are cleared away as
    nobody's. Files that earlier versions hold stay theirs.

    Raises
    ------
    CorruptEntryError
        If the rows in the files of a part are not those that its id names; nothing is changed.

    Notes
    -----
    Cost: reading and writing those parts. A crash leaves each part in its old files or its new one.
    """
    held = store.held([part.part_id for part in dataset.parts], whole=False)
    if any(part.part_id not in held for part in dataset.parts):
        raise MissingDataError(
            f"version {dataset.version} of {dataset.name!r} was taken away meanwhile; nothing is "
            "merged"
        )
    n_before = sum(len(files) for files in held.values())
    split = [part for part in dataset.parts if len(held[part.part_id]) > 1]
    store.room.require(of_compaction(dataset, split))
    read = stored_rows(store, dataset)
    n_left = 0
    for done, part in enumerate(split):
        progress("compact", done, len(split))
        rows = read(part.number).select("bar_close", "asset", *part.fields)
        rows = rows.sort("asset", "bar_close")
        ((found, _),) = make_parts(rows, dataset.grid, row_numbers(rows, dataset.calendar)).items()
        files = held[part.part_id]
        if found.part_id != part.part_id:
            path = segment_path(store.segment_folder, files[0].digest)
            reason = "the rows of its part are others than its id says"
            raise CorruptEntryError(files[0].digest, str(path), reason, "segment")
        made = write_segments(store.segment_folder, {part.number: rows}, progress)
        for segment in files:  # young again, so that they are not cleared away below a reader
            os.utime(segment_path(store.segment_folder, segment.digest))
        with store.database.begin() as connection:
            left = catalogue.place_part(connection, part.part_id, [made[part.number]])
        n_left += len(left)
    progress("compact", len(split), len(split))
    n_after = n_before - sum(len(held[part.part_id]) - 1 for part in split)
    return Compacted(len(split), n_before, n_after, n_left)
