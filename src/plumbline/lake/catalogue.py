"""The catalogue: tables of datasets, versions and segments in the metadata database."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from plumbline.core.calendar import ALWAYS_OPEN
from plumbline.lake.blocks import DIGEST_BYTES, Blocks
from plumbline.lake.dataset import Dataset
from plumbline.lake.fingerprint import FileState
from plumbline.lake.segments import Segment
from plumbline.ledger.database import Base, Database


class DatasetRow(Base):
    """Content of a dataset, and the digests of its blocks as one matrix."""

    __tablename__ = "lake_datasets"
    dataset_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    calendar: Mapped[str] = mapped_column(String(40))
    frequency: Mapped[str] = mapped_column(String(8))
    fields: Mapped[str] = mapped_column(Text)
    assets: Mapped[str] = mapped_column(Text)
    first_bar: Mapped[int] = mapped_column(BigInteger)
    last_bar: Mapped[int] = mapped_column(BigInteger)
    n_rows: Mapped[int] = mapped_column(BigInteger)
    first_month: Mapped[int] = mapped_column(Integer)
    month_bars: Mapped[bytes] = mapped_column(LargeBinary)
    digests: Mapped[bytes] = mapped_column(LargeBinary)
    session_closes: Mapped[bytes | None] = mapped_column(LargeBinary)


class SegmentRow(Base):
    """A Parquet file."""

    __tablename__ = "lake_segments"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_close: Mapped[int] = mapped_column(BigInteger)
    last_close: Mapped[int] = mapped_column(BigInteger)
    n_rows: Mapped[int] = mapped_column(BigInteger)
    n_bytes: Mapped[int] = mapped_column(BigInteger)


class DatasetSegmentRow(Base):
    """Which files hold a dataset, in order of time."""

    __tablename__ = "lake_dataset_segments"
    dataset_id: Mapped[str] = mapped_column(
        ForeignKey("lake_datasets.dataset_id"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("lake_segments.digest"))


class VersionRow(Base):
    """What a name meant, from when."""

    __tablename__ = "lake_versions"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("lake_datasets.dataset_id"))
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(Text)


class IngestRow(Base):
    """Which source, read by which rules and code, gave which dataset, and what was found."""

    __tablename__ = "lake_ingests"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("lake_datasets.dataset_id"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(Text)
    quality: Mapped[bytes] = mapped_column(LargeBinary)


class FileRow(Base):
    """State of a source file when its content was digested."""

    __tablename__ = "lake_files"
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    seen_ns: Mapped[int] = mapped_column(BigInteger)
    inode: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


def create_missing(database: Database) -> None:
    """Create the catalogue's tables if they are not there; a look costs no lock."""
    if not inspect(database.engine).has_table(FileRow.__tablename__):
        database.create_tables()


def add_dataset(connection: Connection, dataset: Dataset, segments: Iterable[Segment]) -> None:
    """Write a dataset and its segments, as far as they are not there."""
    _add_segments(connection, segments := list(segments))
    if has_dataset(connection, dataset.dataset_id):
        key = DatasetSegmentRow.dataset_id == dataset.dataset_id
        connection.execute(delete(DatasetSegmentRow).where(key))
    else:
        connection.execute(insert(DatasetRow), [_row_of(dataset)])
    links = [
        {"dataset_id": dataset.dataset_id, "position": i, "digest": segment.digest}
        for i, segment in enumerate(segments)
    ]
    connection.execute(insert(DatasetSegmentRow), links)


def _add_segments(connection: Connection, segments: Iterable[Segment]) -> None:
    rows = {segment.digest: vars(segment) for segment in segments}
    there = select(SegmentRow.digest).where(SegmentRow.digest.in_(list(rows)))
    for digest in connection.scalars(there):
        del rows[digest]
    if rows:
        connection.execute(insert(SegmentRow), list(rows.values()))


def _row_of(dataset: Dataset) -> dict[str, Any]:
    blocks, closes = dataset.blocks, dataset.session_closes
    return {
        "dataset_id": dataset.dataset_id,
        "calendar": dataset.calendar_name,
        "frequency": dataset.frequency,
        "fields": json.dumps(blocks.fields),
        "assets": json.dumps(blocks.assets),
        "first_bar": dataset.first_bar,
        "last_bar": dataset.last_bar,
        "n_rows": dataset.n_rows,
        "first_month": blocks.first_month,
        "month_bars": blocks.month_bars.astype("<i8").tobytes(),
        "digests": blocks.digests.tobytes(),
        "session_closes": None if closes is None else closes.astype("<M8[us]").tobytes(),
    }


def has_dataset(connection: Connection, dataset_id: str) -> bool:
    """Return whether the catalogue holds a dataset."""
    query = select(DatasetRow.dataset_id).where(DatasetRow.dataset_id == dataset_id)
    return connection.scalar(query) is not None


def get_dataset(connection: Connection, dataset_id: str, name: str, version: int) -> Dataset | None:
    """Return a dataset with the digests of its blocks, or None."""
    query = select(DatasetRow.__table__).where(DatasetRow.dataset_id == dataset_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    fields, assets = tuple(json.loads(row.fields)), tuple(json.loads(row.assets))
    month_bars = np.frombuffer(row.month_bars, dtype="<i8")
    shape = (len(fields), len(month_bars) - 1, len(assets), DIGEST_BYTES)
    blocks = Blocks(
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
        blocks,
        None if row.calendar == ALWAYS_OPEN else np.frombuffer(closes, dtype="<M8[us]"),
    )


def get_segments(connection: Connection, dataset_id: str) -> list[Segment]:
    """Return the segments of a dataset in order of time."""
    query = (
        select(SegmentRow.__table__)
        .join(DatasetSegmentRow, DatasetSegmentRow.digest == SegmentRow.digest)
        .where(DatasetSegmentRow.dataset_id == dataset_id)
        .order_by(DatasetSegmentRow.position)
    )
    return [Segment(**row._mapping) for row in connection.execute(query)]


def find_version(
    connection: Connection, name: str, version: int | None = None
) -> tuple[str, int] | None:
    """Return dataset_id and number of a version of a name, the latest if no number is given."""
    query = select(VersionRow.dataset_id, VersionRow.version).where(VersionRow.name == name)
    if version is not None:
        query = query.where(VersionRow.version == version)
    row = connection.execute(query.order_by(VersionRow.version.desc()).limit(1)).one_or_none()
    return None if row is None else (row.dataset_id, row.version)


def list_versions(connection: Connection) -> list[dict[str, Any]]:
    """Return all versions of all names with the size of their content, by name and number."""
    query = (
        select(
            VersionRow.__table__,
            DatasetRow.calendar,
            DatasetRow.frequency,
            DatasetRow.first_bar,
            DatasetRow.last_bar,
            DatasetRow.n_rows,
        )
        .join(DatasetRow, DatasetRow.dataset_id == VersionRow.dataset_id)
        .order_by(VersionRow.name, VersionRow.version)
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
    last = connection.scalar(select(func.max(VersionRow.version)).where(VersionRow.name == name))
    version = (last or 0) + 1
    row = {
        "name": name,
        "version": version,
        "dataset_id": dataset_id,
        "created": created,
        "source": source,
    }
    connection.execute(insert(VersionRow), [row])
    return version


def recall_ingest(connection: Connection, key: str) -> tuple[str, bytes] | None:
    """Return dataset_id and quality report of an ingest done before, or None."""
    query = select(IngestRow.dataset_id, IngestRow.quality).where(IngestRow.key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.dataset_id, row.quality)


def remember_ingest(
    connection: Connection,
    key: str,
    dataset_id: str,
    quality: bytes,
    source: str,
    created: datetime,
) -> None:
    """Write what an ingest gave, replacing what the same key gave before."""
    connection.execute(delete(IngestRow).where(IngestRow.key == key))
    position = connection.scalar(select(func.max(IngestRow.position))) or 0
    row = {
        "key": key,
        "dataset_id": dataset_id,
        "position": position + 1,
        "created": created,
        "source": source,
        "quality": quality,
    }
    connection.execute(insert(IngestRow), [row])


def get_quality(connection: Connection, dataset_id: str) -> bytes | None:
    """Return the quality report of the ingest that first gave a dataset."""
    query = select(IngestRow.quality).where(IngestRow.dataset_id == dataset_id)
    return connection.scalar(query.order_by(IngestRow.position).limit(1))


def get_files(connection: Connection, paths: Iterable[str]) -> dict[str, FileState]:
    """Return the remembered states of files."""
    table = FileRow.__table__
    states: dict[str, FileState] = {}
    wanted = list(paths)
    for start in range(0, len(wanted), 500):  # SQLite binds a limited number of values
        query = select(table).where(FileRow.path.in_(wanted[start : start + 500]))
        for row in connection.execute(query):
            states[row.path] = FileState(row.size, row.mtime_ns, row.seen_ns, row.inode, row.digest)
    return states


def put_files(connection: Connection, states: Mapping[str, FileState]) -> None:
    """Remember the states of files."""
    for path, state in states.items():
        connection.execute(delete(FileRow).where(FileRow.path == path))
        connection.execute(insert(FileRow), [{"path": path, **state._asdict()}])
