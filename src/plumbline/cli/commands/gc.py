"""Clear away what a project can do without."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.wording import counted

if TYPE_CHECKING:
    from plumbline.engine.garbage import Cleared, Keeping
    from plumbline.engine.project import Project


def command(
    max_bytes: Annotated[
        str | None,
        typer.Option(
            "--max-bytes",
            metavar="SIZE",
            help="Size that the results may have, such as 5GB; the least recently used go first. "
            "Default: PLUMBLINE_CACHE_BYTES.",
            show_default=False,
        ),
    ] = None,
    keep_runs: Annotated[
        int | None,
        typer.Option(
            "--keep-runs",
            min=1,
            metavar="N",
            help="Keep what the newest N runs of each recipe used, and drop other results.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Drop results that were last used before that, such as 30d or 12h; with "
            "--keep-runs, only such.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and touch nothing.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Remove results that need not be kept, and files that nothing names. Safe beside runs.

    What running runs, the newest run and runs under `plumbline runs RUN --keep` used stays, and
    so does every file younger than an hour. A result that is gone is computed again when a run
    needs it. Data sets stay: `plumbline data NAME --forget` takes them away.
    """
    from plumbline.cli.workspace import find_project
    from plumbline.engine.collect import collect_garbage

    opened = find_project(project)
    keeping = _keeping(max_bytes, keep_runs, older_than)
    cleared = collect_garbage(opened, keeping, dry_run=dry_run)
    data = _data(opened, cleared, dry_run=dry_run)
    console.emit(data, lambda: _text(data), as_json=as_json)


def _keeping(max_bytes: str | None, keep_runs: int | None, older_than: str | None) -> "Keeping":
    from plumbline.core.settings import read_settings
    from plumbline.core.sizes import bytes_of, duration_of
    from plumbline.engine.garbage import Keeping

    size = read_settings().cache_bytes if max_bytes is None else bytes_of("--max-bytes", max_bytes)
    age = None if older_than is None else duration_of("--older-than", older_than)
    return Keeping(size, keep_runs, age)


def _data(project: "Project", cleared: "Cleared", *, dry_run: bool) -> dict[str, Any]:
    held = project.engine.cache.statistics()
    return {
        "dry_run": dry_run,
        "results": cleared.results,
        "files": [
            {"path": str(file.path.relative_to(project.root)), "bytes": file.n_bytes}
            for file in (*cleared.files, *cleared.others)
        ],
        "bytes": cleared.n_bytes,
        "others": [str(file.path.relative_to(project.root)) for file in cleared.others],
        "held": vars(held),
    }


def _text(data: dict[str, Any]) -> str:
    from plumbline.core.sizes import shown_bytes

    done = "would be removed" if data["dry_run"] else "removed"
    n_files = counted(len(data["files"]), "file")
    results = counted(data["results"], "result")
    lines = [f"{results} and {n_files}, {shown_bytes(data['bytes'])}, {done}"]
    lines += [f"  {path}, which nothing names" for path in data["others"]]
    held = data["held"]
    size = f"{held['n_files']} files, {shown_bytes(held['n_bytes'])}"
    return "\n".join([*lines, f"held: {held['n_results']} results in {size}"])
