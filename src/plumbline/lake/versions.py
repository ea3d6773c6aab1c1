"""Versions: what a name meant and from when, and which ingest gave it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from plumbline.core.errors import UnknownNameError, nearest_names
from plumbline.lake.catalogue import BOUND_VALUES, get_dataset, remove_dataset
from plumbline.lake.dataset import Dataset
from plumbline.lake.fingerprint import FileState
from plumbline.lake.tables import datasets, files, ingests, versions
from plumbline.ledger.database import Database

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


def find_version(
    connection: Connection, name: str, version: int | None = None
) -> tuple[str, int] | None:
    """Return dataset_id and number of a version of a name, the latest if no number is given."""
    query = select(versions.c.dataset_id, versions.c.version).where(versions.c.name == name)
    if version is not None:
        query = query.where(versions.c.version == version)
    row = connection.execute(query.order_by(versions.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else (row.dataset_id, row.version)


def version_as_of(connection: Connection, name: str, moment: datetime) -> int:
    """Return the number of the version that a name meant at a time.

    Raises
    ------
    UnknownNameError
        If there is no such name, or it meant nothing yet, or perhaps a version that was taken away.
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    query = select(versions.c.version, versions.c.created).where(versions.c.name == name)
    by_then = query.where(versions.c.created <= moment).order_by(versions.c.version.desc())
    row = connection.execute(by_then.limit(1)).one_or_none()
    if row is not None:
        number: int = row.version
        if moment > _utc(row.created):
            _refuse_doubt(connection, name, moment, number)
        return number
    first = connection.execute(query.order_by(versions.c.version).limit(1)).one_or_none()
    if first is None:
        raise _unknown(connection, name)
    raise UnknownNameError(
        f"dataset {name!r} meant nothing at {moment:%Y-%m-%dT%H:%M:%SZ}: version {first.version}, "
        f"the first that is kept, was made at {_utc(first.created):%Y-%m-%dT%H:%M:%SZ}"
    )


def _refuse_doubt(connection: Connection, name: str, moment: datetime, number: int) -> None:
    """Refuse a time between two versions of which those in between were taken away.

    When they were made is not known any more: the name may have meant one of them.
    """
    later = (versions.c.name == name) & (versions.c.version > number)
    kept: int | None = connection.scalar(select(func.min(versions.c.version)).where(later))
    if kept is None or kept == number + 1:
        return
    gone = f"{number + 1}" if kept == number + 2 else f"{number + 1} … {kept - 1}"
    raise UnknownNameError(
        f"what dataset {name!r} meant at {moment:%Y-%m-%dT%H:%M:%SZ} is not known: version {number}"
        f", or {gone}, taken away since; say which, such as version {number} or {kept}"
    )


def named_dataset(
    connection: Connection, database: Database, name: str, version: int | None
) -> Dataset:
    """Return the dataset that a name means, or meant in a version.

    Raises
    ------
    UnknownNameError
        If there is none; the nearest name, or the versions that are there, are given.
    """
    place = find_version(connection, name, version)
    if place is not None:
        found = get_dataset(connection, database, place[0], (name, place[1]))
        if found is not None:
            return found
    query = select(versions.c.version).where(versions.c.name == name)
    numbers = [str(number) for number in connection.scalars(query.order_by(versions.c.version))]
    if not numbers:
        raise _unknown(connection, name)
    shown = numbers if len(numbers) <= 20 else [numbers[0], "…", numbers[-1]]
    raise UnknownNameError(f"dataset {name!r} has no version {version}; it has {', '.join(shown)}")


def _unknown(connection: Connection, name: str) -> UnknownNameError:
    known = list(connection.scalars(select(versions.c.name).distinct()))
    return UnknownNameError(f"the lake has no dataset {name!r}; {nearest_names(name, known)}")


def list_versions(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    """Return all versions of all names, or of one, with the size of their content, in order."""
    extent = ("calendar", "frequency", "first_bar", "last_bar", "n_rows")
    query = (
        select(versions, *(datasets.c[column] for column in extent))
        .join(datasets, datasets.c.dataset_id == versions.c.dataset_id)
        .order_by(versions.c.name, versions.c.version)
    )
    if name is not None:
        query = query.where(versions.c.name == name)
    rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        row["created"] = _utc(row["created"])
    return rows


def names_of(connection: Connection, dataset_id: str) -> list[str]:
    """Return the names that mean a dataset in some version, sorted."""
    query = select(versions.c.name).where(versions.c.dataset_id == dataset_id).distinct()
    return sorted(connection.scalars(query))


def last_created(connection: Connection, name: str) -> datetime:
    """Return when the newest version of a name was made, or a time before all others.

    A version is never older than the one before it, whatever the clock says.
    """
    query = select(func.max(versions.c.created)).where(versions.c.name == name)
    found: datetime | None = connection.scalar(query)
    return datetime.min.replace(tzinfo=UTC) if found is None else _utc(found)


def _utc(moment: datetime) -> datetime:
    """Return a stored time with its zone: SQLite keeps none, and what is written is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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
    return remove_dataset(connection, found[0])


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


def newest_ingest(connection: Connection, name: str) -> Ingest | None:
    """Return the newest ingest of a name, or None."""
    query = select(*(ingests.c[field] for field in Ingest._fields)).where(ingests.c.name == name)
    row = connection.execute(query.order_by(_NEWEST_FIRST).limit(1)).one_or_none()
    return None if row is None else Ingest(*row)


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
    for start in range(0, len(wanted), BOUND_VALUES):
        query = select(files).where(files.c.path.in_(wanted[start : start + BOUND_VALUES]))
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
