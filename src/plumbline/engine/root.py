"""Where projects lie: the root of a folder's project, and how a command names one."""

import os
from pathlib import Path

STORE = ".plumbline"
_MARK = "format"


def project_root(folder: Path) -> Path | None:
    """Return the project's folder that holds a folder, or None if there is none."""
    start = folder.resolve()
    return next((f for f in (start, *start.parents) if (f / STORE / _MARK).is_file()), None)


def projects_below(folder: Path) -> list[str]:
    """Return the projects right below a folder, as seen from the working folder."""
    return sorted(os.path.relpath(f.parent.parent) for f in folder.glob(f"*/{STORE}/{_MARK}"))


def project_option(root: Path) -> str:
    """Return what a command typed in the working folder needs to find a project; often nothing."""
    return "" if project_root(Path.cwd()) == root else f" --project {os.path.relpath(root)}"
