"""Make a folder a project."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson
from plumbline.core.errors import ParameterError, nearest_names


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
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Of the recipe: factor_study (study.yaml) or nightly (nightly.yaml). Default: "
            "that of the one that is there, else factor_study.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a folder a project, with a recipe to start from.

    Data sets, results and the ledger lie in its .plumbline folder, reports in its reports folder;
    delete the two and the project is gone, your files are not. A project, a recipe and a
    .gitignore that are there already are left as they are.

    With --database the ledger and the catalogue lie on a PostgreSQL server. Its password is never
    stored: later commands find it in PGPASSWORD, a passfile (~/.pgpass) or PLUMBLINE_DATABASE.
    """
    from plumbline.cli.templates import TEMPLATES
    from plumbline.core.address import parse_address
    from plumbline.engine.project import create_project

    if kind not in (None, *TEMPLATES):
        raise ParameterError(f"--kind {kind!r}: {nearest_names(str(kind), TEMPLATES)}")
    project = create_project(folder, None if database is None else parse_address(database))
    if kind is None:
        there = [k for k, (name, _) in TEMPLATES.items() if (project.root / name).exists()]
        kind = there[0] if there else next(iter(TEMPLATES))
    name, text = TEMPLATES[kind]
    recipe = project.root / name
    is_new = not recipe.exists()
    if is_new:
        recipe.write_text(text, encoding="utf-8")
    ignore = project.root / ".gitignore"
    if not ignore.exists():
        ignore.write_text(".plumbline/\nreports/\n", encoding="utf-8")
    data = {
        "project": str(project.root),
        "database": project.database.url,
        "kind": kind,
        "recipe": str(recipe),
        "recipe_written": is_new,
    }
    where = f"database: {project.database.url}\n" if project.database.is_on_server else ""
    told = f"project in {project.root}\n{where}recipe: {recipe}\n{_next(project.root, kind)}"
    console.emit(data, lambda: told, as_json=as_json)


def _next(root: Path, kind: str) -> str:
    """Return what to do then, as it can be typed."""
    prices = "put price files beside it, name them in the recipe, then"
    enter = f"  cd {shlex.quote(str(root))} && "
    if kind != "nightly":
        return f"next: {prices}\n{enter}plumbline plan && plumbline run"
    return (
        f"next: {prices} import the book that the recipe names, see what a run would compute, and "
        f"run\n{enter}plumbline portfolios import BOOK --portfolios FILE --trades FILE\n"
        "  plumbline risk plan && plumbline risk run"
    )
