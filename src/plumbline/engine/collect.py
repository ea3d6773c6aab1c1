"""What ``plumbline gc`` does: results, files that nothing names, what killed processes left."""

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
from plumbline.lake.soundness import unnamed_segments


def collect_garbage(project: Project, keeping: Keeping, *, dry_run: bool = False) -> Cleared:
    """Clear a project of what need not be kept; safe beside runs and ingests that go on.

    Parameters
    ----------
    project : which.
    keeping : what stays.
    dry_run : whether nothing is touched, and only told.
    """
    objects = project.engine.cache.objects.root
    cleared = clear_results(project.database, objects, keeping, dry_run=dry_run)
    known = {file.path for file in cleared.files}
    orphans = states_of(unnamed_segments(project.lake))
    loose = [*orphans, *half_written(project.store), *_of_reports(project)]
    others = [file for file in dict.fromkeys(loose) if file.path not in known]
    grace = keeping.grace_seconds
    gone = remove_old(others, grace, dry_run=dry_run)
    folders = left_over_folders(project.store)
    gone += remove_old(folders, grace, dry_run=dry_run, remove=remove_folder)
    return Cleared(cleared.results, cleared.files, tuple(gone))


def _of_reports(project: Project) -> list[File]:
    folder = project.root / "reports"
    return half_written(folder) if folder.is_dir() else []
