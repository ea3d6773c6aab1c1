"""Clearing away: which results a project can do without, and what no result names.

Rows go first, in one transaction, then files: a crash in between leaves files that nothing names,
which the next clearing finds. A file younger than the grace period stays, since another process
may be about to name it.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, final

from sqlalchemy import Connection, bindparam, delete, func, or_, select

from plumbline.core.errors import ParameterError
from plumbline.core.settings import clock_time
from plumbline.engine.objects import names_in
from plumbline.ledger.database import Database
from plumbline.ledger.models import Artefact, KeptRun, Run, TaskRecord

GRACE_SECONDS = 3600.0
_READING_SECONDS = 60.0  # results of a run are read this long after it, for its report


@final
@dataclass(frozen=True)
class Keeping:
    """What is kept when a project is cleared.

    What running runs, the newest run, and runs that are kept for ever used stays in any case.

    Parameters
    ----------
    max_bytes : size that the results may have; the least recently used go first.
    keep_runs : results that the newest so many runs of each recipe used stay, whatever their size,
        and others go; None does not ask that.
    older_than : with ``keep_runs`` or alone: results that were used since then do not go, unless
        the size asks for it.
    grace_seconds : files younger than this stay.
    """

    max_bytes: int
    keep_runs: int | None = None
    older_than: timedelta | None = None
    grace_seconds: float = GRACE_SECONDS

    def __post_init__(self) -> None:
        wrong = []
        if self.max_bytes < 1:
            wrong.append(f"max_bytes={self.max_bytes} must be at least 1")
        if self.keep_runs is not None and self.keep_runs < 1:
            wrong.append(f"keep_runs={self.keep_runs} must be at least 1, or None")
        if self.older_than is not None and self.older_than < timedelta(0):
            wrong.append(f"older_than={self.older_than} must not be negative")
        if self.grace_seconds < 0:
            wrong.append(f"grace_seconds={self.grace_seconds} must not be negative")
        if wrong:
            raise ParameterError("; ".join(wrong))


class File(NamedTuple):
    """A file of the store, with its size and when it was written."""

    path: Path
    n_bytes: int
    written: float


@final
@dataclass(frozen=True)
class Cleared:
    """What was cleared away, or would be.

    Parameters
    ----------
    results : how many results.
    files : files of results, and those that no result names.
    others : what else: half-written files, segments that no data set names, left-over folders.
    """

    results: int
    files: tuple[File, ...]
    others: tuple[File, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(file.n_bytes for file in (*self.files, *self.others))


class _Row(NamedTuple):
    key: str
    names: tuple[str, ...]
    is_old: bool


def clear_results(
    database: Database, objects: Path, keeping: Keeping, *, dry_run: bool = False
) -> Cleared:
    """Drop results that need not be kept, and remove files that no result names.

    Parameters
    ----------
    database : holds the rows.
    objects : folder of the files.
    keeping : what stays.
    dry_run : whether nothing is touched, and only told.

    Raises
    ------
    ProjectError
        If the project was moved to another database; nothing is touched.
    """
    files = list(_stored_files(objects))
    sizes = {file.path.name: file.n_bytes for file in files}
    with database.read() as connection:
        kept, dropped = _split(connection, sizes, keeping)
    if not dry_run:
        with database.removing() as connection:
            if dropped:  # what was used meanwhile stays
                kept, dropped = _split(connection, sizes, keeping)
            if dropped:
                gone = delete(Artefact).where(Artefact.key == bindparam("this"))
                connection.execute(gone, [{"this": key} for key in dropped])
    doomed = [file for file in files if file.path.name not in kept]
    return Cleared(len(dropped), tuple(remove_old(doomed, keeping.grace_seconds, dry_run=dry_run)))


def remove_old(
    files: Iterable[File],
    grace_seconds: float,
    *,
    dry_run: bool = False,
    remove: Callable[[Path], None] | None = None,
) -> list[File]:
    """Remove the files that are older than the grace period, by now; return which.

    A writer that names a file again makes it young first, so each is looked at once more.
    """
    moment = time.time() - grace_seconds
    act = remove or _unlink
    gone = []
    for file in files:
        if file.written < moment and _is_older(file.path, moment):
            if not dry_run:
                act(file.path)
            gone.append(file)
    return gone


def left_over_folders(store: Path) -> list[File]:
    """Return the folders of verifications that were killed."""
    return states_of(path for path in store.glob("verify-*") if path.is_dir())


def half_written(folder: Path) -> list[File]:
    """Return the files below a folder that a killed process left half-written."""
    found = (path for path in folder.rglob(".*") if path.suffix == ".part")
    return states_of(path for path in found if path.is_file())


def states_of(paths: Iterable[Path]) -> list[File]:
    """Return the states of files or folders, without those that another process took away."""
    found = []
    for path in paths:
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found.append(File(path, state.st_size if path.is_file() else 0, state.st_mtime))
    return found


def remove_folder(path: Path) -> None:
    """Remove a folder; what another process removes meanwhile is gone as well."""
    shutil.rmtree(path, ignore_errors=True)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _stored_files(objects: Path) -> Iterator[File]:
    """Yield each stored file, half-written ones included."""
    for folder in objects.glob("*/"):
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat()
                except FileNotFoundError:  # another process took it away or renamed it
                    continue
                yield File(Path(entry.path), found.st_size, found.st_mtime)


def stored_files(objects: Path) -> list[File]:
    """Return the stored files that are whole."""
    return [file for file in _stored_files(objects) if not file.path.name.startswith(".")]


def _split(
    connection: Connection, sizes: dict[str, int], keeping: Keeping
) -> tuple[set[str], list[str]]:
    """Return the names of the files to keep and the keys of the results to drop."""
    protected = _protected(connection, keeping)
    asks = keeping.keep_runs is not None or keeping.older_than is not None
    kept: set[str] = set()
    dropped: list[str] = []
    total = 0
    rows = _rows(connection, keeping.older_than)
    for row in sorted(rows, key=lambda row: row.key not in protected):  # stable
        names = set(row.names) - kept
        size = sum(sizes.get(name, 0) for name in names)
        is_asked = asks and row.is_old
        if row.key not in protected and (is_asked or total + size > keeping.max_bytes):
            dropped.append(row.key)
        else:
            kept |= names
            total += size
    return kept, dropped


def _rows(connection: Connection, older_than: timedelta | None) -> Sequence[_Row]:
    """Return the results, the latest used first, and whether they were last used long ago."""
    query = select(Artefact.key, Artefact.manifest, Artefact.used).order_by(Artefact.used.desc())
    moment = clock_time() - (older_than or timedelta(0))
    return [
        _Row(key, tuple(names_in(json.loads(text))), older_than is None or used < moment)
        for key, text, used in connection.execute(query)
    ]


def _protected(connection: Connection, keeping: Keeping) -> set[str]:
    """Return the keys of results that stay whatever their size."""
    newest = select(Run.id).order_by(Run.number.desc()).limit(1).scalar_subquery()
    is_kept = [Run.state == "running", Run.id.in_(newest), Run.id.in_(select(KeptRun.run_id))]
    if keeping.keep_runs is not None:
        place = func.row_number().over(partition_by=Run.pipeline, order_by=Run.number.desc())
        placed = select(Run.id, place.label("place")).subquery()
        latest = select(placed.c.id).where(placed.c.place <= keeping.keep_runs)
        is_kept.append(Run.id.in_(latest))
    query = select(TaskRecord.key).join(Run, Run.id == TaskRecord.run_id).where(or_(*is_kept))
    keys = {key for key in connection.execute(query).scalars() if key is not None}
    recent = clock_time() - timedelta(seconds=_READING_SECONDS)
    used = select(Artefact.key).where(Artefact.used >= recent)
    return keys | set(connection.execute(used).scalars())


def _is_older(path: Path, moment: float) -> bool:
    """Return whether a file is old still."""
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        return False
