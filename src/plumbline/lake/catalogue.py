"""The catalogue: tables of datasets, versions and segments in the metadata database."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from plumbline.core.calendar import ALWAYS_OPEN
from plumbline.core.errors import UnknownNameError, nearest_names
from plumbline.lake.dataset import Dataset
from plumbline.lake.fingerprint import FileState
from plumbline.lake.patches import DIGEST_BYTES, Patches
from plumbline.lake.segments import Segment
from plumbline.ledger.columns import words
from plumbline.ledger.database import Base, Database

_ID = String(64)

datasets = Table(  # content of a dataset, and the digests of its patches as one matrix
    "lake_datasets",
    Base.metadata,
    Column("dataset_id", _ID, primary_key=True),
    Column("calendar", String(40), nullable=False),
    Column("frequency", String(8), nullable=False),
    Column("fields", Text, nullable=False),
    Column("assets", Text, nullable=False),
    Column("first_bar", BigInteger, nullable=False),
    Column("last_bar", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("first_month", Integer, nullable=False),
    Column("month_bars", LargeBinary, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("session_closes", LargeBinary),
)
segments = Table(  # Parquet files
    "lake_segments",
    Base.metadata,
    Column("digest", _ID, primary_key=True),
    Column("first_close", BigInteger, nullable=False),
    Column("last_close", BigInteger, nullable=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("n_bytes", BigInteger, nullable=False),
)
dataset_segments = Table(  # which files hold a dataset, in order of time
    "lake_dataset_segments",
    Base.metadata,
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", ForeignKey(segments.c.digest), nullable=False),
)
versions = Table(  # what a name meant, from when
    "lake_versions",
    Base.metadata,
    Column("name", words(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
)
ingests = Table(  # which source, read by which rules and code, gave which version of a name
    "lake_ingests",
    Base.metadata,
    Column("name", words(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("key", _ID, primary_key=True, index=True),
    Column("dataset_id", ForeignKey(datasets.c.dataset_id), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("quality", LargeBinary, nullable=False),
)
files = Table(  # states of source files when their contents were digested
    "lake_files",
    Base.metadata,
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("digest", _ID, nullable=False),
)

_NEWEST_FIRST = ingests.c.position.desc()


class Ingest(NamedTuple):
    """What an ingest gave.

    Parameters
    ----------
    name, version : which version of which name.
    key : digest of all that its result depends on.
    dataset_id : the content.
    source : description of the source, as JSON text.
    quality : the quality report, as Parquet.
    """

    name: str
    version: int
    key: str
    dataset_id: str
    source: str
    quality: bytes


def create_missing(database: Database) -> None:
    """Create the catalogue's tables if they are not there; a look costs no lock."""
    database.create_tables()


def add_dataset(connection: Connection, dataset: Dataset, parts: Iterable[Segment]) -> None:
    """Write a dataset and its segments, as far as they are not there."""
    held = list(parts)
    _add_segments(connection, held)
    if has_dataset(connection, dataset.dataset_id):
        key = dataset_segments.c.dataset_id == dataset.dataset_id
        connection.execute(delete(dataset_segments).where(key))
    else:
        connection.execute(insert(datasets), [_row_of(dataset)])
    links = [
        {"dataset_id": dataset.dataset_id, "position": i, "digest": segment.digest}
        for i, segment in enumerate(held)
    ]
    connection.execute(insert(dataset_segments), links)


def _add_segments(connection: Connection, parts: Iterable[Segment]) -> None:
    rows = {segment.digest: vars(segment) for segment in parts}
    there = select(segments.c.digest).where(segments.c.digest.in_(list(rows)))
    for digest in connection.scalars(there):
        del rows[digest]
    if rows:
        connection.execute(insert(segments), list(rows.values()))


def _row_of(dataset: Dataset) -> dict[str, Any]:
    patches, closes = dataset.patches, dataset.session_closes
    return {
        "dataset_id": dataset.dataset_id,
        "calendar": dataset.calendar_name,
        "frequency": dataset.frequency,
        "fields": json.dumps(patches.fields),
        "assets": json.dumps(patches.assets),
        "first_bar": dataset.first_bar,
        "last_bar": dataset.last_bar,
        "n_rows": dataset.n_rows,
        "first_month": patches.first_month,
        "month_bars": patches.month_bars.astype("<i8").tobytes(),
        "digests": patches.digests.tobytes(),
        "session_closes": None if closes is None else closes.astype("<M8[us]").tobytes(),
    }


def has_dataset(connection: Connection, dataset_id: str) -> bool:
    """Return whether the catalogue holds a dataset."""
    query = select(datasets.c.dataset_id).where(datasets.c.dataset_id == dataset_id)
    return connection.scalar(query) is not None


def get_dataset(connection: Connection, dataset_id: str, name: str, version: int) -> Dataset | None:
    """Return a dataset with the digests of its patches, or None."""
    query = select(datasets).where(datasets.c.dataset_id == dataset_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    fields, assets = tuple(json.loads(row.fields)), tuple(json.loads(row.assets))
    month_bars = np.frombuffer(row.month_bars, dtype="<i8")
    shape = (len(fields), len(month_bars) - 1, len(assets), DIGEST_BYTES)
    patches = Patches(
        (row.calendar, row.frequency),
        fields,
        assets,
        row.first_month,
        month_bars,
        np.frombuffer(row.digests, dtype=np.uint8).reshape(shape),
    )
    closes = row.session_closes
    return Dataset(
        dataset_id,
        name,
        version,
        row.calendar,
        row.frequency,
        row.first_bar,
        row.last_bar,
        row.n_rows,
        patches,
        None if row.calendar == ALWAYS_OPEN else np.frombuffer(closes, dtype="<M8[us]"),
    )


def get_segments(connection: Connection, dataset_id: str) -> list[Segment]:
    """Return the segments of a dataset in order of time."""
    query = (
        select(segments)
        .join(dataset_segments, dataset_segments.c.digest == segments.c.digest)
        .where(dataset_segments.c.dataset_id == dataset_id)
        .order_by(dataset_segments.c.position)
    )
    return [Segment(**row._mapping) for row in connection.execute(query)]


def find_version(
    connection: Connection, name: str, version: int | None = None
) -> tuple[str, int] | None:
    """Return dataset_id and number of a version of a name, the latest if no number is given."""
    query = select(versions.c.dataset_id, versions.c.version).where(versions.c.name == name)
    if version is not None:
        query = query.where(versions.c.version == version)
    row = connection.execute(query.order_by(versions.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else (row.dataset_id, row.version)


def named_dataset(connection: Connection, name: str, version: int | None) -> Dataset:
    """Return the dataset that a name means, or meant in a version.

    Raises
    ------
    UnknownNameError
        If there is none; the nearest name, or the versions that are there, are given.
    """
    place = find_version(connection, name, version)
    found = None if place is None else get_dataset(connection, place[0], name, place[1])
    if found is not None:
        return found
    known = list_versions(connection)
    numbers = [str(v["version"]) for v in known if v["name"] == name]
    if numbers:
        raise UnknownNameError(
            f"dataset {name!r} has no version {version}; it has {', '.join(numbers)}"
        )
    hint = nearest_names(name, {v["name"] for v in known})
    raise UnknownNameError(f"the lake has no dataset {name!r}; {hint}")


def list_versions(connection: Connection) -> list[dict[str, Any]]:
    """Return all versions of all names with the size of their content, by name and number."""
    query = (
        select(
            versions,
            datasets.c.calendar,
            datasets.c.frequency,
            datasets.c.first_bar,
            datasets.c.last_bar,
            datasets.c.n_rows,
        )
        .join(datasets, datasets.c.dataset_id == versions.c.dataset_id)
        .order_by(versions.c.name, versions.c.version)
    )
    rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        if row["created"].tzinfo is None:  # SQLite keeps no zone; what is written is UTC
            row["created"] = row["created"].replace(tzinfo=UTC)
    return rows


def add_version(
    connection: Connection, name: str, dataset_id: str, created: datetime, source: str
) -> int:
    """Write that a name means a dataset from here on; return the number of the version."""
    last = connection.scalar(select(func.max(versions.c.version)).where(versions.c.name == name))
    version = (last or 0) + 1
    row = {
        "name": name,
        "version": version,
        "dataset_id": dataset_id,
        "created": created,
        "source": source,
    }
    connection.execute(insert(versions), [row])
    return version


def name_dataset(
    connection: Connection, dataset: Dataset, source: str, created: datetime
) -> tuple[int, bool]:
    """Write that a name means a dataset, unless it does; return the version and if it is new."""
    latest = find_version(connection, dataset.name)
    if latest is not None and latest[0] == dataset.dataset_id:
        return latest[1], False
    return add_version(connection, dataset.name, dataset.dataset_id, created, source), True


def remove_version(connection: Connection, name: str, version: int) -> list[str]:
    """Delete a version, and its content if nothing else means it; return the files not needed."""
    found = find_version(connection, name, version)
    for table in (versions, ingests):
        is_it = (table.c.name == name) & (table.c.version == version)
        connection.execute(delete(table).where(is_it))
    if found is None or connection.scalar(
        select(versions.c.name).where(versions.c.dataset_id == found[0]).limit(1)
    ):
        return []
    held = [segment.digest for segment in get_segments(connection, found[0])]
    for table in (dataset_segments, datasets):
        connection.execute(delete(table).where(table.c.dataset_id == found[0]))
    needed = set(connection.scalars(select(dataset_segments.c.digest)))
    unused = sorted({*held} - needed)
    for digest in unused:
        connection.execute(delete(segments).where(segments.c.digest == digest))
    return unused


def recall_ingest(connection: Connection, key: str) -> tuple[str, bytes] | None:
    """Return dataset_id and quality report of the newest ingest of a key, or None."""
    query = select(ingests.c.dataset_id, ingests.c.quality).where(ingests.c.key == key)
    row = connection.execute(query.order_by(_NEWEST_FIRST).limit(1)).one_or_none()
    return None if row is None else (row.dataset_id, row.quality)


def remember_ingest(connection: Connection, ingest: Ingest, created: datetime) -> None:
    """Write that an ingest is the newest of its name; write nothing if the newest is the same."""
    query = select(*(ingests.c[field] for field in Ingest._fields))
    of_name = query.where(ingests.c.name == ingest.name).order_by(_NEWEST_FIRST).limit(1)
    if connection.execute(of_name).one_or_none() == ingest:
        return
    is_it = (ingests.c.name == ingest.name) & (ingests.c.version == ingest.version)
    connection.execute(delete(ingests).where(is_it & (ingests.c.key == ingest.key)))
    position = connection.scalar(select(func.max(ingests.c.position))) or 0
    row = {**ingest._asdict(), "position": position + 1, "created": created}
    connection.execute(insert(ingests), [row])


def list_ingests(connection: Connection, name: str) -> list[Ingest]:
    """Return the ingests that are remembered of a name, the newest first."""
    query = select(*(ingests.c[field] for field in Ingest._fields)).where(ingests.c.name == name)
    return [Ingest(*row) for row in connection.execute(query.order_by(_NEWEST_FIRST))]


def get_quality(connection: Connection, dataset: Dataset) -> bytes | None:
    """Return the quality report of the newest ingest that gave a dataset, or None.

    Of a dataset with a name it is the newest that gave this version of the name, else the newest
    that gave its content.
    """
    query = select(ingests.c.quality).where(ingests.c.dataset_id == dataset.dataset_id)
    if dataset.name:
        is_named = (ingests.c.name == dataset.name) & (ingests.c.version == dataset.version)
        query = query.where(is_named)
    return connection.scalar(query.order_by(_NEWEST_FIRST).limit(1))


def get_files(connection: Connection, paths: Iterable[str]) -> dict[str, FileState]:
    """Return the remembered states of files."""
    states: dict[str, FileState] = {}
    wanted = list(paths)
    for start in range(0, len(wanted), 500):  # SQLite binds a limited number of values
        query = select(files).where(files.c.path.in_(wanted[start : start + 500]))
        for row in connection.execute(query):
            states[row.path] = FileState(
                row.size, row.changed_ns, row.seen_ns, row.inode, row.digest
            )
    return states


def put_files(connection: Connection, states: Mapping[str, FileState]) -> None:
    """Remember the states of files."""
    for path, state in states.items():
        connection.execute(delete(files).where(files.c.path == path))
        connection.execute(insert(files), [{"path": path, **state._asdict()}])
