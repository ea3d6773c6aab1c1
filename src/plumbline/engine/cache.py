"""Stored results by key: rows in the ledger's database, bits in content-addressed files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from sqlalchemy import func, select

from plumbline.core.errors import CorruptEntryError
from plumbline.engine.garbage import (
    GRACE_SECONDS,
    Keeping,
    clear_results,
    left_over_folders,
    remove_folder,
    remove_old,
    stored_files,
)
from plumbline.engine.objects import Manifest, ObjectStore, names_in, state_digest_of
from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, Run, TaskRecord
from plumbline.ledger.session import Ledger


@final
@dataclass(frozen=True)
class Entry:
    """A stored result.

    Parameters
    ----------
    key : what it was stored under.
    digest : digest of the output.
    state_digest : digest of a scan's end state, or None.
    manifest : where its files are.
    n_bytes : size of its files together.
    """

    key: str
    digest: str
    state_digest: str | None
    manifest: Manifest
    n_bytes: int


@final
@dataclass(frozen=True)
class CacheStatistics:
    """What a cache holds."""

    n_results: int
    n_files: int
    n_bytes: int


@final
class Cache:
    """Looks results up and trims the store to its size.

    Parameters
    ----------
    database : holds the rows.
    objects : holds the files.
    """

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self.database = database
        self.objects = objects
        self._rows: dict[str, tuple[str, str, int]] = {}

    def preload(self, pipeline: str) -> None:
        """Read the results of a pipeline's newest runs in one query: the last, the last done."""
        ended = select(Run.id).where(Run.pipeline == pipeline, Run.state != "running")
        newest = ended.order_by(Run.number.desc()).limit(1)
        done = ended.where(Run.state == "done").order_by(Run.number.desc()).limit(1)
        with self.database.read() as connection:
            runs = {*connection.execute(newest).scalars(), *connection.execute(done).scalars()}
            query = (
                select(Artefact.key, Artefact.digest, Artefact.manifest, Artefact.n_bytes)
                .join(TaskRecord, TaskRecord.key == Artefact.key)
                .where(TaskRecord.run_id.in_(runs))
            )
            self._rows = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query)}

    def lookup(self, key: str) -> Entry | None:
        """Return the result of a key, if its row and all its files are there, at full length."""
        row = self._rows.get(key)
        if row is None:
            columns = (Artefact.digest, Artefact.manifest, Artefact.n_bytes)
            query = select(*columns).where(Artefact.key == key)
            with self.database.read() as connection:
                found = connection.execute(query).first()
            if found is None:
                return None
            row = self._rows[key] = (found[0], found[1], found[2])
        return self._entry(key, *row)

    def damages_of(self, key: str) -> list[CorruptEntryError]:
        """Return what is wrong with files of a result that was looked up and not found whole.

        Empty if there is no such result, or if its files are not there at all.
        """
        row = self._rows.get(key)
        found = []
        for name in names_in(json.loads(row[1])) if row else ():
            try:
                self.objects.check(name)
            except CorruptEntryError as error:
                if self.objects.path(name).exists():
                    found.append(error)
        return found

    def lookup_basis(self, basis: str) -> tuple[Entry, Mapping[str, Any]] | None:
        """Return the newest result of a basis, and the parts of the key that it was made under."""
        columns = (Artefact.key, Artefact.digest, Artefact.manifest, Artefact.n_bytes)
        query = (
            select(*columns, Artefact.parts)
            .where(Artefact.basis == basis)
            .order_by(Artefact.created.desc())
        )
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        for key, digest, manifest, n_bytes, parts in rows:
            entry = self._entry(key, digest, manifest, n_bytes)
            if entry is not None:
                return entry, json.loads(parts)
        return None

    def forget(self, file: str, ledger: Ledger) -> int:
        """Drop a damaged file and every result that holds it; return how many results.

        A file that is whole by now, because another process has made it again, stays.
        """
        if self.objects.is_whole(file):
            return 0
        query = select(Artefact.key).where(Artefact.manifest.contains(file))
        with self.database.read() as connection:
            keys = [row[0] for row in connection.execute(query)]
        ledger.drop_artefacts(keys)
        for key in keys:
            self._rows.pop(key, None)
        self.objects.drop(file)
        return len(keys)

    def statistics(self) -> CacheStatistics:
        """Count results, files and bytes."""
        with self.database.read() as connection:
            n_results = connection.execute(select(func.count()).select_from(Artefact)).scalar_one()
        files = stored_files(self.objects.root)
        return CacheStatistics(n_results, len(files), sum(file.n_bytes for file in files))

    def trim(self, max_bytes: int) -> int:
        """Remove the least recently used results until the files fit; return bytes removed.

        What a run that goes on, has just ended or is kept used stays, whatever its size. Files
        that no result names, which a killed process leaves, go too, but none younger than an hour:
        another process may be about to name it.
        """
        cleared = clear_results(self.database, self.objects.root, Keeping(max_bytes))
        folders = left_over_folders(self.objects.root.parent)
        remove_old(folders, GRACE_SECONDS, remove=remove_folder)
        return cleared.n_bytes

    def _entry(self, key: str, digest: str, text: str, n_bytes: int) -> Entry | None:
        manifest: Manifest = json.loads(text)
        if self.objects.size(names_in(manifest)) != n_bytes:
            return None
        return Entry(key, digest, state_digest_of(manifest), manifest, n_bytes)
