"""Move a project's database, or change the form of its tables."""

from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.cli import console
from plumbline.cli.options import AsJson, ProjectFolder
from plumbline.core.errors import ParameterError

if TYPE_CHECKING:
    from plumbline.engine.project import Project


def command(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL|sqlite",
            help="Move it there: postgresql://me@host/research?schema=study, or sqlite for a file.",
            show_default=False,
        ),
    ] = None,
    tables: Annotated[
        str | None,
        typer.Option(
            "--tables",
            metavar="NUMBER",
            help="Take the tables back to the form of an older version, so that it can open them.",
            show_default=False,
        ),
    ] = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Move the database of a project to PostgreSQL, or back; say where it is without an option.

    Rows are counted and digested on both sides before the project is told of the move; until then
    nothing of it is changed. The old database is kept and named.
    """
    from plumbline.cli.workspace import find_project

    if to is not None and tables is not None:
        raise ParameterError("--to and --tables are two commands: give one, then the other")
    opened = find_project(project)
    if to is not None:
        _move(opened, to, as_json=as_json)
        return
    from plumbline.ledger.schema import change_to, revisions

    newest = revisions()[-1]
    before, after = (newest, newest) if tables is None else change_to(opened.database, tables)
    data = {"database": opened.database.url, "tables": after, "before": before, "newest": newest}
    changed = "" if before == after else f", before: {before}"
    console.emit(
        data,
        lambda: f"database: {opened.database.url}\ntables: version {after}{changed}",
        as_json=as_json,
    )


def _move(project: "Project", to: str, *, as_json: bool) -> None:
    from plumbline.core.address import parse_address
    from plumbline.engine.moving import move_project

    address = None if to == "sqlite" else parse_address(to)

    def told(table: str, n_rows: int) -> None:
        console.note(f"{table}: {n_rows:,} rows")

    copied, kept = move_project(project, address, told)
    now = "sqlite" if address is None else str(address)
    data = {"database": now, "tables": [vars(table) for table in copied], "kept": kept}
    n_rows = sum(table.n_rows for table in copied)
    console.emit(
        data,
        lambda: (
            f"{n_rows:,} rows of {len(copied)} tables moved, with the same digests\n"
            f"database: {now}\n"
            f"the old one is kept as {kept} and refuses to be written; drop it when you have a "
            "backup of the new one"
        ),
        as_json=as_json,
    )
