"""Make a folder a project."""

from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made if absent.")] = Path(),
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            help="PostgreSQL database of catalogue and ledger, such as "
            "postgresql://me@host/research?schema=study. Default: PLUMBLINE_DATABASE, else a file.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a folder a project, with a recipe to start from.

    Data sets, results and the ledger lie in its .plumbline folder, reports in its reports folder;
    delete the two and the project is gone, your files are not. A project, a study.yaml and a
    .gitignore that are there already are left as they are.

    With --database the ledger and the catalogue lie on a PostgreSQL server. Its password is never
    stored: later commands find it in PGPASSWORD, a passfile (~/.pgpass) or PLUMBLINE_DATABASE.
    """
    from plumbline.api import RECIPE
    from plumbline.cli.templates import STUDY
    from plumbline.core.address import parse_address
    from plumbline.engine.project import create_project

    project = create_project(folder, None if database is None else parse_address(database))
    recipe = project.root / RECIPE
    is_new = not recipe.exists()
    if is_new:
        recipe.write_text(STUDY, encoding="utf-8")
    ignore = project.root / ".gitignore"
    if not ignore.exists():
        ignore.write_text(".plumbline/\nreports/\n", encoding="utf-8")
    data = {
        "project": str(project.root),
        "database": project.database.url,
        "recipe": str(recipe),
        "recipe_written": is_new,
    }
    where = f"database: {project.database.url}\n" if project.database.is_on_server else ""
    console.emit(
        data,
        lambda: (
            f"project in {project.root}\n{where}"
            f"recipe: {recipe}\n"
            "next: put price files beside it, name them in the recipe, then\n"
            f"  cd {project.root} && plumbline plan && plumbline run"
        ),
        as_json=as_json,
    )
