"""From a source to a version of a name: read, clean, compare, store at once."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from sqlalchemy import Connection

from plumbline.core.arguments import Argument, require
from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError, StaleVersionError
from plumbline.core.settings import current_time
from plumbline.lake import catalogue, versions
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import Dataset
from plumbline.lake.fetched import fetched
from plumbline.lake.fingerprint import (
    Listing,
    describe,
    files_digest,
    ingest_key,
    named_files,
    noted_files,
    refuse_moved_files,
)
from plumbline.lake.prepared import Ingested, PreparedDataset, Progress, Rows, named
from plumbline.lake.segments import Segment, lacking, segment_path, write_segments
from plumbline.lake.source import Source
from plumbline.lake.store import DIGEST, Store

if TYPE_CHECKING:
    from plumbline.lake.preparation import Made

_STALE = "data set {!r} was changed by another process meanwhile; give the command again"
_ATTEMPTS = 5  # each fails only if another process changed the lake
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")


@final
@dataclass(frozen=True)
class Request:
    """What is to be ingested.

    Parameters
    ----------
    name : of the data set.
    source : where the bars are.
    grid : name and frequency of the calendar.
    rules : of cleaning.
    base : folder that the source's paths start from.
    progress : told of what is being done.
    """

    name: str
    source: Source
    grid: tuple[str, str]
    rules: CleaningRules = field(default_factory=CleaningRules)
    base: Path = Path()
    progress: Progress | None = None

    def __post_init__(self) -> None:
        example = "a source, such as plumbline.lake.source.sources['csv']('prices.csv')"
        require(
            Argument("name", self.name, isinstance(self.name, str), "text"),
            Argument("source", self.source, isinstance(self.source, Source), example),
        )
        require_name(self.name)


def require_name(name: str) -> None:
    """Refuse a name that no data set may have."""
    if not _NAME.fullmatch(name) or DIGEST.fullmatch(name):
        raise ParameterError(
            f"name {name!r} must be 1 … 100 letters, digits, '_', '.' or '-', and no digest"
        )


def ingest(store: Store, request: Request) -> Ingested:
    """Read, clean and store a source under a name; damaged segments of it are written again.

    Where another process took away meanwhile what it shares with other data sets, it is read again.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _ingested(store, request)
        except StaleVersionError:
            continue
    return _ingested(store, request)


def _ingested(store: Store, request: Request) -> Ingested:
    prepared = prepare(store, request)
    damaged = store.set_damaged_aside(prepared.dataset.dataset_id)
    if damaged and prepared.rows is None:
        prepared = prepare(store, request)
    return replace(commit(store, prepared, request.progress), healed=damaged)


def prepare(store: Store, request: Request) -> PreparedDataset:
    """Do all of :func:`ingest` but the writing; files that are recognised are not read."""
    with fetched_request(store, request) as here:
        return _prepared(store, here)


@contextmanager
def fetched_request(store: Store, request: Request) -> Iterator[Request]:
    """Fetch what a remote source gives; its files stand still meanwhile."""
    database = store.database if store.exists else None
    with fetched(request.source, request.base, request.grid, store.root, database) as base:
        yield replace(request, base=base)


def _prepared(store: Store, request: Request) -> PreparedDataset:
    source, base, rules, grid = request.source, request.base, request.rules, request.grid
    listing = store.source_listing(source, base)
    key = ingest_key(listing.digest, source, rules, grid, store.code)
    note = describe(source, base, listing, rules)
    known = _recall(store, request.name, key)
    if known is not None:
        return PreparedDataset(known[0], note, key, known[1], None)
    from plumbline.lake.peaks import of_reading
    from plumbline.lake.preparation import read_clean

    made = _extended(store, request, listing)
    if made is None:
        store.room.require(of_reading(request.name, source, base))
        progress = named(request.progress, request.name)
        made = read_clean(source, base, Calendar(*grid), rules, progress)
    refuse_moved_files(listing)
    dataset = numbered(store, request.name, made.dataset)
    n_lacking = store.n_lacking(dataset.dataset_id)
    return PreparedDataset(dataset, note, key, made.quality, made.rows, n_lacking)


def _extended(store: Store, request: Request, listing: Listing) -> "Made | None":
    """Return the dataset if the newest of its name was made from some of the files, alike.

    Only the other files are then read. None if there is no such, or if their rows do not all lie
    behind those that are there, or cannot be read by themselves: then all files are read.
    """
    if not store.exists:
        return None
    with store.database.read() as connection:
        newest = versions.find_version(connection, request.name)
        ingest = versions.newest_ingest(connection, request.name)
    if ingest is None or newest != (ingest.dataset_id, ingest.version):
        return None
    known = noted_files(ingest.source)
    present = named_files(request.base, listing)
    how = (request.source, request.rules, request.grid, store.code)
    if ingest.key != ingest_key(files_digest(known), *how) or not known.items() < present.items():
        return None
    added = [request.base / name for name in present if name not in known]
    source = request.source.only(added)
    if source is None or store.n_lacking(ingest.dataset_id):
        return None
    from plumbline.lake.appending import behind

    return behind(store, ingest, replace(request, source=source))


def numbered(store: Store, name: str, dataset: Dataset) -> Dataset:
    """Return a dataset under a name, with the version that the name has of it already, else 0."""
    latest = store.newest(name)
    is_same = latest is not None and latest.dataset_id == dataset.dataset_id
    return replace(dataset, name=name, version=latest.version if latest and is_same else 0)


def commit(store: Store, prepared: PreparedDataset, progress: Progress | None = None) -> Ingested:
    """Store what was prepared.

    Segments become durable first; then one transaction writes all rows. A crash before it
    ends leaves the catalogue as it was, and at most files that nothing refers to.

    Raises
    ------
    StaleVersionError
        If rows were added to a version that is not the newest any more, or another process took
        parts away that the dataset shares; nothing is written.
    """
    store.make()
    dataset, rows = prepared.dataset, prepared.rows
    placed = {} if rows is None else _written(store, dataset, rows, named(progress, dataset.name))
    with store.database.begin() as connection:
        created = max(current_time(), versions.last_created(connection, dataset.name))
        _refuse_stale(dataset.name, rows, versions.find_version(connection, dataset.name))
        if rows is not None:
            catalogue.add_dataset(connection, dataset)
            for part_id, held in placed.items():
                catalogue.place_part(connection, part_id, held)
        if not _is_whole(store, connection, dataset.dataset_id, placed):
            raise StaleVersionError(_STALE.format(dataset.name))
        version, is_new = versions.name_dataset(connection, dataset, prepared.source, created)
        ingest = versions.Ingest(
            dataset.name,
            version,
            prepared.key,
            dataset.dataset_id,
            prepared.source,
            prepared.quality_bytes,
        )
        versions.remember_ingest(connection, ingest, created)
    return Ingested(replace(dataset, version=version), is_new, prepared.quality_bytes)


def _is_whole(
    store: Store,
    connection: Connection,
    dataset_id: str,
    placed: Mapping[str, tuple[Segment, ...]],
) -> bool:
    """Return whether a dataset is in the catalogue with files that nobody took away meanwhile.

    Whoever takes files away looks at the catalogue under the same lock.
    """
    if not catalogue.has_dataset(connection, dataset_id):
        return False
    if catalogue.lacks_files(connection, dataset_id):
        return False
    folder = store.segment_folder
    own = (segment for held in placed.values() for segment in held)
    return all(segment_path(folder, segment.digest).exists() for segment in own)


def _written(
    store: Store, dataset: Dataset, rows: Rows, progress: Progress
) -> dict[str, tuple[Segment, ...]]:
    """Write the rows of the parts that the lake does not hold, whole; return their segments."""
    own = [part for part in dataset.parts if part.number in rows.by_part]
    there = store.held([part.part_id for part in own], whole=True)
    wanted = [part for part in own if part.part_id not in there]
    if not wanted:
        return {}
    cut = {part.number: rows.by_part[part.number] for part in wanted}
    made = write_segments(store.segment_folder, cut, progress)
    return {p.part_id: (*rows.kept.get(p.number, ()), made[p.number]) for p in wanted}


def _refuse_stale(name: str, rows: Rows | None, newest: tuple[str, int] | None) -> None:
    base = None if rows is None else rows.base_id
    if base is not None and (newest is None or newest[0] != base):
        raise StaleVersionError(_STALE.format(name))


def _recall(store: Store, name: str, key: str) -> tuple[Dataset, bytes] | None:
    if not store.exists:
        return None
    with store.database.read() as connection:
        known = versions.recall_ingest(connection, key)
        if known is None:
            return None
        segments = catalogue.get_segments(connection, known[0])
        if lacking(store.segment_folder, segments, read=False):
            return None
        latest = versions.find_version(connection, name)
        version = latest[1] if latest is not None and latest[0] == known[0] else 0
        place = (name, version)
        dataset = catalogue.get_dataset(connection, store.database, known[0], place)
    return None if dataset is None else (dataset, known[1])
