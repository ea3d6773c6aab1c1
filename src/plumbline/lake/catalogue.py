"""The catalogue: datasets, their parts and the files that hold them, in the metadata database."""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection, Table, delete, insert, select

from plumbline.core.errors import StaleVersionError
from plumbline.lake.dataset import Dataset
from plumbline.lake.parts import Digests, DigestsOf, Part
from plumbline.lake.patches import DIGEST_BYTES, part_patches
from plumbline.lake.segments import Segment
from plumbline.lake.tables import dataset_parts, datasets, part_segments, parts, segments
from plumbline.ledger.database import Database

BOUND_VALUES = 500  # SQLite binds a limited number of values
_HEAD = (
    parts.c.part_id,
    parts.c.number,
    parts.c.fields,
    parts.c.assets,
    parts.c.first_bar,
    parts.c.last_bar,
    parts.c.n_rows,
)


def create_missing(database: Database) -> None:
    """Create the catalogue's tables if they are not there; a look costs no lock."""
    database.create_tables()


def add_dataset(connection: Connection, dataset: Dataset) -> None:
    """Write a dataset and its parts, as far as they are not there."""
    if has_dataset(connection, dataset.dataset_id):
        return
    ids = [part.part_id for part in dataset.parts]
    known = _known(connection, parts, "part_id", ids)
    fresh = [part for part in dataset.parts if part.part_id not in known]
    if fresh:
        digests = dataset.digests_of([part.part_id for part in fresh])
        if len(digests.keys() & {part.part_id for part in fresh}) < len(fresh):
            raise StaleVersionError(f"parts of {dataset.name!r} were taken away by another process")
        connection.execute(insert(parts), [_part_row(p, digests[p.part_id]) for p in fresh])
    connection.execute(insert(datasets), [_dataset_row(dataset)])
    links = [
        {"dataset_id": dataset.dataset_id, "position": i, "part_id": part_id}
        for i, part_id in enumerate(ids)
    ]
    connection.execute(insert(dataset_parts), links)


def place_part(connection: Connection, part_id: str, held: Sequence[Segment]) -> list[str]:
    """Write which files hold a part; return the files that held it and hold nothing any more."""
    rows = {segment.digest: vars(segment) for segment in held}
    known = _known(connection, segments, "digest", list(rows))
    fresh = [row for digest, row in rows.items() if digest not in known]
    if fresh:
        connection.execute(insert(segments), fresh)
    is_it = part_segments.c.part_id == part_id
    before = set(connection.scalars(select(part_segments.c.digest).where(is_it)))
    connection.execute(delete(part_segments).where(is_it))
    links = [
        {"part_id": part_id, "position": i, "digest": segment.digest}
        for i, segment in enumerate(held)
    ]
    connection.execute(insert(part_segments), links)
    return _drop_unused_segments(connection, before - rows.keys())


def lacks_files(connection: Connection, dataset_id: str) -> bool:
    """Return whether the catalogue knows no file of some part of a dataset."""
    query = (
        select(dataset_parts.c.part_id)
        .outerjoin(part_segments, part_segments.c.part_id == dataset_parts.c.part_id)
        .where(dataset_parts.c.dataset_id == dataset_id, part_segments.c.part_id.is_(None))
    )
    return connection.scalar(query.limit(1)) is not None


def has_dataset(connection: Connection, dataset_id: str) -> bool:
    """Return whether the catalogue holds a dataset."""
    query = select(datasets.c.dataset_id).where(datasets.c.dataset_id == dataset_id)
    return connection.scalar(query) is not None


def get_dataset(
    connection: Connection, database: Database, dataset_id: str, place: tuple[str, int]
) -> Dataset | None:
    """Return a dataset, or None; the digests of its patches are read when they are asked for.

    Parameters
    ----------
    connection, database : to read from, now and later.
    dataset_id : its id.
    place : name and version that it was asked for by.
    """
    query = select(datasets).where(datasets.c.dataset_id == dataset_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    listing = (
        select(*_HEAD)
        .join(dataset_parts, dataset_parts.c.part_id == parts.c.part_id)
        .where(dataset_parts.c.dataset_id == dataset_id)
        .order_by(dataset_parts.c.position)
    )
    held = tuple(_part(*found) for found in connection.execute(listing))
    if not held:  # taken away since its row was read
        return None
    return Dataset(
        dataset_id,
        *place,
        row.calendar,
        row.frequency,
        tuple(json.loads(row.fields)),
        tuple(json.loads(row.assets)),
        held,
        None if row.session_closes is None else _unpacked(row.session_closes),
        digests_in(database, held, row.frequency),
    )


def digests_in(database: Database, held: Iterable[Part], frequency: str) -> DigestsOf:
    """Return the function that reads the digests of parts."""
    shapes = {
        part.part_id: (len(part.fields), part_patches(frequency), len(part.assets), DIGEST_BYTES)
        for part in held
    }
    return partial(_digests, database, shapes)


def _digests(
    database: Database, shapes: Mapping[str, tuple[int, ...]], wanted: Sequence[str]
) -> dict[str, Digests]:
    found: dict[str, Digests] = {}
    columns = (parts.c.part_id, parts.c.digests)
    with database.read() as connection:
        for start in range(0, len(wanted), BOUND_VALUES):
            chosen = list(wanted[start : start + BOUND_VALUES])
            query = select(*columns).where(parts.c.part_id.in_(chosen))
            for part_id, content in connection.execute(query):
                matrix = np.frombuffer(content, dtype=np.uint8)
                found[part_id] = matrix.reshape(shapes[part_id])
    return found


def get_segments(
    connection: Connection, dataset_id: str, numbers: Collection[int] | None = None
) -> list[Segment]:
    """Return the segments of a dataset in order of time.

    Parameters
    ----------
    numbers : of the parts that are meant; default: all.
    """
    query = (
        select(segments)
        .join(part_segments, part_segments.c.digest == segments.c.digest)
        .join(dataset_parts, dataset_parts.c.part_id == part_segments.c.part_id)
        .where(dataset_parts.c.dataset_id == dataset_id)
        .order_by(dataset_parts.c.position, part_segments.c.position)
    )
    if numbers is not None:
        query = query.join(parts, parts.c.part_id == part_segments.c.part_id)
        query = query.where(parts.c.number.between(min(numbers), max(numbers)))
    return [Segment(**row._mapping) for row in connection.execute(query)]


def segments_of_parts(
    connection: Connection, part_ids: Sequence[str]
) -> dict[str, tuple[Segment, ...]]:
    """Return the segments of parts that the catalogue holds, in order of time."""
    found: dict[str, list[Segment]] = {}
    for start in range(0, len(part_ids), BOUND_VALUES):
        query = (
            select(part_segments.c.part_id, segments)
            .join(segments, part_segments.c.digest == segments.c.digest)
            .where(part_segments.c.part_id.in_(part_ids[start : start + BOUND_VALUES]))
            .order_by(part_segments.c.part_id, part_segments.c.position)
        )
        for part_id, *values in connection.execute(query):
            found.setdefault(part_id, []).append(Segment(*values))
    return {part_id: tuple(held) for part_id, held in found.items()}


def remove_dataset(connection: Connection, dataset_id: str) -> list[str]:
    """Delete a dataset with the parts that no other holds; return the files not needed."""
    is_it = dataset_parts.c.dataset_id == dataset_id
    held = list(connection.scalars(select(dataset_parts.c.part_id).where(is_it)))
    connection.execute(delete(dataset_parts).where(is_it))
    connection.execute(delete(datasets).where(datasets.c.dataset_id == dataset_id))
    gone = sorted(set(held) - _known(connection, dataset_parts, "part_id", held))
    digests: set[str] = set()
    for part_id in gone:
        of_part = part_segments.c.part_id == part_id
        digests.update(connection.scalars(select(part_segments.c.digest).where(of_part)))
        connection.execute(delete(part_segments).where(of_part))
        connection.execute(delete(parts).where(parts.c.part_id == part_id))
    return _drop_unused_segments(connection, digests)


def all_segments(connection: Connection) -> set[str]:
    """Return the digests of all segments that the catalogue names."""
    return set(connection.scalars(select(segments.c.digest)))


def _drop_unused_segments(connection: Connection, digests: Iterable[str]) -> list[str]:
    candidates = sorted(digests)
    used = _known(connection, part_segments, "digest", candidates)
    unused = [digest for digest in candidates if digest not in used]
    for digest in unused:
        connection.execute(delete(segments).where(segments.c.digest == digest))
    return unused


def _known(connection: Connection, table: Table, column: str, values: Sequence[str]) -> set[str]:
    """Return which values stand in a column."""
    found: set[str] = set()
    for start in range(0, len(values), BOUND_VALUES):
        chosen = values[start : start + BOUND_VALUES]
        query = select(table.c[column]).where(table.c[column].in_(chosen))
        found.update(connection.scalars(query))
    return found


def _dataset_row(dataset: Dataset) -> dict[str, Any]:
    closes = dataset.session_closes
    return {
        "dataset_id": dataset.dataset_id,
        "calendar": dataset.calendar_name,
        "frequency": dataset.frequency,
        "fields": json.dumps(dataset.fields),
        "assets": json.dumps(dataset.assets),
        "first_bar": dataset.first_bar,
        "last_bar": dataset.last_bar,
        "n_rows": dataset.n_rows,
        "session_closes": None if closes is None else _packed(closes),
    }


def _part_row(part: Part, digests: Digests) -> dict[str, Any]:
    row = {**vars(part), "digests": digests.tobytes()}
    return row | {"fields": json.dumps(part.fields), "assets": json.dumps(part.assets)}


def _part(part_id: str, number: int, fields: str, assets: str, *extent: int) -> Part:
    return Part(part_id, number, tuple(json.loads(fields)), tuple(json.loads(assets)), *extent)


def _packed(closes: np.ndarray) -> bytes:
    """Return closes as few bytes: sessions are mostly a day apart."""
    stamps = closes.astype("datetime64[us]").astype("<i8")
    return zlib.compress(np.diff(stamps, prepend=0).tobytes())


def _unpacked(content: bytes) -> np.ndarray:
    stamps = np.cumsum(np.frombuffer(zlib.decompress(content), dtype="<i8"))
    return stamps.astype("<M8[us]")
