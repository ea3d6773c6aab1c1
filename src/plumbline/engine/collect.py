"""What ``plumbline gc`` does: results, files that nothing names, what killed processes left."""

import fcntl
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

from plumbline.engine.garbage import (
    Cleared,
    File,
    Keeping,
    clear_results,
    half_written,
    left_over_folders,
    remove_folder,
    remove_old,
    states_of,
)
from plumbline.engine.project import Project
from plumbline.lake.soundness import kept_portions, unnamed_segments
from plumbline.lake.table_sets import TableSets
from plumbline.store.soundness import FOLDER, unnamed_files

_LOCK = "lock"


def collect_garbage(project: Project, keeping: Keeping, *, dry_run: bool = False) -> Cleared:
    """Clear a project of what need not be kept; safe beside runs and ingests that go on.

    Parameters
    ----------
    project : which.
    keeping : what stays.
    dry_run : whether nothing is touched, and only told.

    Raises
    ------
    ProjectError
        If the project was moved to another database since it was opened; nothing is touched.
    """
    objects = project.engine.cache.objects.root
    cleared = clear_results(project.database, objects, keeping, dry_run=dry_run)
    known = {file.path for file in cleared.files}
    loose = dict.fromkeys([*half_written(project.store), *_of_reports(project)])
    grace = keeping.grace_seconds
    gone = _unnamed(project, grace, dry_run=dry_run)
    gone += remove_old((f for f in loose if f.path not in known), grace, dry_run=dry_run)
    folders = left_over_folders(project.store)
    gone += remove_old(folders, grace, dry_run=dry_run, remove=remove_folder)
    if keeping.older_than is not None:
        gone += _old_portions(kept_portions(project.lake), keeping.older_than, dry_run=dry_run)
    return Cleared(cleared.results, cleared.files, tuple(gone))


def _unnamed(project: Project, grace_seconds: float, *, dry_run: bool) -> list[File]:
    """Remove the files of data that nothing names, while nobody can come to name one."""
    turn = nullcontext() if dry_run else project.database.removing()
    with turn:
        tables = TableSets(project.store, project.database).unnamed()
        portfolios = unnamed_files(project.store / FOLDER, project.database)
        found = states_of([*unnamed_segments(project.lake), *tables, *portfolios])
        return remove_old(found, grace_seconds, dry_run=dry_run)


def _old_portions(folders: Sequence[Path], age: timedelta, *, dry_run: bool) -> list[File]:
    """Remove what remote sources gave that was not fetched or looked at since; return which files.

    A fetch that goes on holds the lock of its folder, and such a folder is left alone. Folder and
    lock stay, as another fetch may wait for its turn.
    """
    moment = time.time() - age.total_seconds()
    gone: list[File] = []
    for folder in folders:
        lock = folder / _LOCK
        files = states_of(path for path in folder.iterdir() if path.is_file())
        if not lock.exists() or any(file.written >= moment for file in files):
            continue
        with lock.open("rb") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for file in files:
                if file.path != lock:
                    if not dry_run:
                        file.path.unlink(missing_ok=True)
                    gone.append(file)
    return gone


def _of_reports(project: Project) -> list[File]:
    folder = project.root / "reports"
    return half_written(folder) if folder.is_dir() else []
