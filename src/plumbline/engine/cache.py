"""Stored results by key: rows in the ledger's database, bits in content-addressed files."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from blake3 import blake3
from sqlalchemy import func, select

from plumbline.engine.objects import Manifest, ObjectStore, names_in
from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, Run, TaskRecord
from plumbline.ledger.session import Ledger

_GRACE_SECONDS = 3600.0  # files this young may belong to a result that is being written


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
    """

    key: str
    digest: str
    state_digest: str | None
    manifest: Manifest


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
        self._rows: dict[str, tuple[str, str]] = {}

    def preload(self, pipeline: str) -> None:
        """Read the results of a pipeline's newest finished run in one query."""
        newest = (
            select(Run.id)
            .where(Run.pipeline == pipeline, Run.state != "running")
            .order_by(Run.started.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = (
            select(Artefact.key, Artefact.digest, Artefact.manifest)
            .join(TaskRecord, TaskRecord.key == Artefact.key)
            .where(TaskRecord.run_id == newest)
        )
        with self.database.read() as connection:
            self._rows.update({row[0]: (row[1], row[2]) for row in connection.execute(query)})

    def lookup(self, key: str) -> Entry | None:
        """Return the result of a key, if its row and all its files are there."""
        row = self._rows.get(key)
        if row is None:
            query = select(Artefact.digest, Artefact.manifest).where(Artefact.key == key)
            with self.database.read() as connection:
                found = connection.execute(query).first()
            if found is None:
                return None
            row = self._rows[key] = (found[0], found[1])
        return self._entry(key, row[0], row[1])

    def lookup_basis(self, basis: str) -> Entry | None:
        """Return the newest result that differs from a key by code alone."""
        query = (
            select(Artefact.key, Artefact.digest, Artefact.manifest)
            .where(Artefact.basis == basis)
            .order_by(Artefact.created.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._entry(row[0], row[1], row[2])

    def forget(self, file: str, ledger: Ledger) -> int:
        """Drop a damaged file and every result that holds it; return how many results."""
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
        sizes = [f.stat().st_size for f in self.objects.root.glob("*/*") if f.is_file()]
        return CacheStatistics(n_results, len(sizes), sum(sizes))

    def trim(self, max_bytes: int, ledger: Ledger) -> int:
        """Remove the least recently used results until the files fit; return bytes removed.

        Files younger than an hour stay, because another process may be about to name them.
        """
        query = select(Artefact.key, Artefact.manifest).order_by(Artefact.used.desc())
        with self.database.read() as connection:
            rows = [(row[0], row[1]) for row in connection.execute(query)]
        kept, dropped, total = self._split(rows, max_bytes)
        if not dropped and total <= max_bytes:
            return 0
        ledger.drop_artefacts(dropped)
        removed = 0
        old = time.time() - _GRACE_SECONDS
        for path in self.objects.root.glob("*/*"):
            if path.name not in kept and path.stat().st_mtime < old:
                removed += path.stat().st_size
                path.unlink(missing_ok=True)
        return removed

    def _split(
        self, rows: Sequence[tuple[str, str]], max_bytes: int
    ) -> tuple[set[str], list[str], int]:
        kept: set[str] = set()
        dropped: list[str] = []
        total = 0
        for key, text in rows:
            names = set(names_in(json.loads(text))) - kept
            size = sum(p.stat().st_size for p in map(self.objects.path, names) if p.exists())
            if total + size > max_bytes:
                dropped.append(key)
            else:
                kept |= names
                total += size
        return kept, dropped, total

    def _entry(self, key: str, digest: str, text: str) -> Entry | None:
        manifest: Manifest = json.loads(text)
        if not all(self.objects.path(name).exists() for name in names_in(manifest)):
            return None
        state = manifest.get("state")
        state_digest = None
        if state is not None:
            state_digest = str(blake3(json.dumps(state, sort_keys=True).encode()).hexdigest())
        return Entry(key, digest, state_digest, manifest)
