"""Rows added to what a name means: from files that lie behind it, or by request."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from plumbline.core.calendar import Calendar
from plumbline.core.digest import digest
from plumbline.core.errors import ParameterError, SourceError, StaleVersionError
from plumbline.lake import versions
from plumbline.lake.dataset import Dataset
from plumbline.lake.differences import stored_rows
from plumbline.lake.extension import Base, arranged_rows, extend, only_adds
from plumbline.lake.fingerprint import describe, ingest_key, noted_rules, refuse_moved_files
from plumbline.lake.ingesting import Request, commit, fetched_request, numbered
from plumbline.lake.peaks import of_extension, of_reading
from plumbline.lake.prepared import (
    Ingested,
    PreparedDataset,
    Progress,
    named,
    report_bytes,
    report_of,
)
from plumbline.lake.quality import report
from plumbline.lake.row_rules import ConflictError
from plumbline.lake.source import Source
from plumbline.lake.store import Store

if TYPE_CHECKING:
    from plumbline.lake.preparation import Made
    from plumbline.lake.versions import Ingest

_PARTS = 16  # that are kept in memory; most rows are added to the last
_ATTEMPTS = 50  # each fails only if another writer succeeded


def base_of(store: Store, dataset: Dataset, quality: bytes) -> Base:
    """Return what rows are added to; a part that is asked for again soon is not read again."""
    read = lru_cache(maxsize=_PARTS)(stored_rows(store, dataset))
    return Base(dataset, report_of(quality), read, partial(store.held, whole=False))


def behind(store: Store, ingest: "Ingest", request: Request) -> "Made | None":
    """Return a data set with the rows of added files, if they all lie behind what is there.

    Parameters
    ----------
    store : where the data set is.
    ingest : the newest of its name.
    request : its source reads the added files alone.
    """
    dataset = store.newest(request.name)
    if dataset is None:
        return None
    base = base_of(store, dataset, ingest.quality)
    how = (request.rules, Calendar(*request.grid))
    findings: list[pl.DataFrame] = []
    store.room.require(of_reading(request.name, request.source, request.base))
    try:
        frames = _read(request, findings)
        new = arranged_rows(frames, how, findings)
        fields = set(new.columns) - {"bar_close", "asset"}
        if fields != set(dataset.fields) or not only_adds(base, new):
            return None
        return extend(base, new, findings, how, corrects=False)
    except (SourceError, ParameterError, StaleVersionError):  # all files say what is wrong
        return None


def append(store: Store, request: Request, *, corrects: bool) -> Ingested:
    """Add the rows of a source to what a name means.

    Where another process changes the data set meanwhile, the rows are added to what it is then.

    Parameters
    ----------
    store : where the data set is.
    request : what to add, with the calendar and rules of the data set; see :func:`request_like`.
    corrects : whether a value takes the place of another that is there; else they conflict.

    Raises
    ------
    SourceError
        If a file cannot be read, or rows conflict; all problems are listed and nothing is stored.
    StaleVersionError
        If other processes changed the data set each time that this one was about to.
    """
    with fetched_request(store, request) as here:
        return _appended(store, here, corrects=corrects)


def _appended(store: Store, request: Request, *, corrects: bool) -> Ingested:
    source, base = request.source, request.base
    listing = store.source_listing(source, base)
    how = (request.rules, Calendar(*request.grid))
    findings: list[pl.DataFrame] = []
    store.room.require(of_reading(request.name, source, base))
    frames = _read(request, findings)
    note = describe(source, base, listing, request.rules)
    key = ingest_key(listing.digest, source, request.rules, request.grid, store.code)
    try:
        new = arranged_rows(frames, how, findings)
        refuse_moved_files(listing)
        for _ in range(_ATTEMPTS):
            there = _newest(store, request.name)
            store.room.require(of_extension(there.dataset, new["bar_close"]))
            try:
                made = extend(there, new, findings, how, corrects=corrects)
            except StaleVersionError as error:
                overtaken = error
                continue
            before = there.dataset.dataset_id
            prepared = PreparedDataset(
                numbered(store, request.name, made.dataset),
                note,
                digest(("append", before, key, corrects)),
                made.quality,
                replace(made.rows, base_id=before),
            )
            try:
                return commit(store, prepared, request.progress)
            except StaleVersionError as error:
                overtaken = error
    except ConflictError as error:
        raise error.placed(source.places(base, how[1], error.rows)) from None
    raise overtaken


def _newest(store: Store, name: str) -> Base:
    dataset = store.dataset(name)
    with store.database.read() as connection:
        quality = versions.get_quality(connection, dataset)
    return base_of(store, dataset, report_bytes(report([])) if quality is None else quality)


def request_like(
    store: Store, name: str, source: Source, base: Path, progress: Progress | None
) -> Request:
    """Return the request for rows of a source, read and cleaned as what a name means was.

    Raises
    ------
    UnknownNameError
        If the name means nothing.
    ParameterError
        If it was not made from a source.
    """
    dataset = store.dataset(name)
    with store.database.read() as connection:
        ingest = versions.newest_ingest(connection, name)
    rules = None if ingest is None else noted_rules(ingest.source)
    if rules is None:
        raise ParameterError(f"data set {name!r} was not read from a source: it takes no rows")
    return Request(name, source, dataset.grid, rules, base, progress)


def _read(request: Request, findings: list[pl.DataFrame]) -> list[pl.DataFrame]:
    n_files = len(request.source.files(request.base))
    progress = named(request.progress, request.name)
    progress("read", 0, n_files)
    frames = request.source.bars(request.base, Calendar(*request.grid), findings)
    progress("read", n_files, n_files)
    if not sum(frame.height for frame in frames):
        raise SourceError(f"bars of {request.source}", ["no file holds a row"])
    return frames
