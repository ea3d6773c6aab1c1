"""Compute stored results again and compare bits."""

from typing import Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import (
    AsJson,
    ExecutorName,
    Overrides,
    ProjectFolder,
    RecipePath,
    Workers,
)
from plumbline.core.errors import RunError


def command(
    recipe: RecipePath = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help="How many blocks, drawn by --seed. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the sample.")] = 0,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    executor: ExecutorName = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compute stored blocks again, from scratch, and compare every bit with what is stored.

    Exit code 1 if any differs. Nothing stored is touched.
    """
    from plumbline.api import verify
    from plumbline.cli.progress import progress
    from plumbline.cli.workspace import find_workspace, run_options

    with progress(quiet=as_json) as watcher:
        options = run_options(watcher, executor, workers)
        workspace = find_workspace(recipe, project, overrides, watcher.step)
        found = verify(workspace, options, sample, seed)
    rows = [{"node": v.node, "block": v.block, "equal": v.equal, "note": v.note} for v in found]
    different = [row for row in rows if not row["equal"]]
    tail = f"{len(rows)} blocks computed again: " + (
        f"{len(different)} differ" if different else "all equal"
    )
    console.emit(rows, lambda: f"{console.table(rows)}\n{tail}", as_json=as_json)
    if different:
        problems = [f"{row['node']} [{row['block']}]: {row['note']}" for row in different]
        raise RunError("verification", problems)
