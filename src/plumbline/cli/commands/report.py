"""Write the report of a recipe's results."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, AsOf, Overrides, ProjectFolder, RecipePath


def command(
    recipe: RecipePath = None,
    overrides: Overrides = None,
    project: ProjectFolder = None,
    as_of: AsOf = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Folder. Default: reports/ of the project."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the report of a recipe's stored results: one HTML file and its JSON twin.

    Computes nothing: if results are missing or damaged it says so, and `plumbline run` makes
    them. Price files that are not found are no hindrance if the lake holds what they gave.
    """
    from plumbline.api import read_stored
    from plumbline.cli.workspace import find_workspace

    workspace = find_workspace(recipe, project, overrides, or_last_read=True, as_of=as_of)
    for name, why in workspace.absent.items():
        found = workspace.datasets[name]
        console.note(f"data.{name}: {why}; the lake has {found.name} version {found.version}")
    study = read_stored(workspace)
    paths = study.write_report(to)
    data = {"html": str(paths.html), "json": str(paths.json)}
    console.emit(data, lambda: f"{paths.html}\n{paths.json}", as_json=as_json)
