"""Moving a project's database: from its file to a server, back, or to another server."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, insert, select

import plumbline.lake.tables  # noqa: F401  # it declares tables
from plumbline.core.address import Address
from plumbline.core.errors import ParameterError, ProjectError
from plumbline.core.settings import clock_time
from plumbline.engine.project import Project
from plumbline.lake.durable import sync_folder
from plumbline.ledger import postgresql, sqlite
from plumbline.ledger.database import Database, open_database
from plumbline.ledger.models import ProjectMark, Run
from plumbline.ledger.place import (
    FILE,
    RECORD,
    Place,
    new_project,
    read_place,
    with_password,
    write_record,
)
from plumbline.ledger.queries import present_states
from plumbline.ledger.transfer import (
    Copied,
    Progress,
    clear_tables,
    copy_tables,
    refuse_unknown_tables,
    rows_in,
    table_names,
)

_ARRIVING = f".{FILE}-arriving"


def move_project(project: Project, to: Address | None, told: Progress) -> tuple[list[Copied], str]:
    """Move the database of a project; return what was copied, and where the old one is kept.

    Everything is copied and compared in one transaction of the new database, while nobody can
    write to the old one. Only then the project is told where its database is. Until that moment
    nothing of the project is changed, and a move that was cut short begins again. The old database
    is kept, and refuses to be written: a file as it is, a schema under another name.

    Parameters
    ----------
    to : a database on a server, or None for a file in the project.
    told : of progress.

    Raises
    ------
    ParameterError
        If the database is there already.
    ProjectError
        If runs go on, the target holds something, or what arrived is not what was sent.
    """
    here = read_place(project.store)
    if (None if here is None else here.address) == to:
        raise ParameterError(f"the database of {project.root} is there already")
    place = None
    if to is not None:
        place = Place(with_password(to), new_project() if here is None else here.project)
    with _target(project, place) as target, _moving(project) as source:
        _refuse_running(source)
        refuse_unknown_tables(source)
        with target.read() as arriving:  # before tables are made there, or brought up to date
            _require_ours(arriving, source, project, target.url)
        target.create_tables()
        with target.begin() as arriving:
            _require_ours(arriving, source, project, target.url)
            clear_tables(arriving)
            copied = copy_tables(source, arriving, told)
            if place is not None:
                arriving.execute(insert(ProjectMark), [_mark_of(project, place)])
        kept = _retire(source, project, clock_time())
        _switch(project, place, target)
    return copied, kept


@contextmanager
def _moving(project: Project) -> Iterator[Connection]:
    """Open the transaction that retires the old database, the last to be committed.

    A file that cannot be, as on a full disk, is the project's database still.
    """
    was_a_file = False
    try:
        with project.database.begin() as source:
            was_a_file = read_place(project.store) is None
            yield source
    except BaseException:
        if was_a_file and read_place(project.store) is not None:
            (project.store / RECORD).unlink()
            sync_folder(project.store)
        raise


@contextmanager
def _target(project: Project, place: Place | None) -> Iterator[Database]:
    if place is not None:
        yield open_database(place.address)
        return
    path = project.store / _ARRIVING
    file = project.store / FILE
    if file.exists() and not sqlite.is_retired(file):
        raise ProjectError(
            f"{file} is there, and is no database that this project left, or one that another "
            "process has open: end that, or move or remove the file"
        )
    try:
        for leftover in path.parent.glob(f"{_ARRIVING}*"):  # of a move that was cut short
            leftover.unlink()
        yield open_database(path)
    finally:
        path.unlink(missing_ok=True)


def _refuse_running(source: Connection) -> None:
    running = sorted(r for r, state in present_states(source).items() if state == "running")
    if running:
        raise ProjectError(
            f"runs go on: {', '.join(running)}; let them end, or end them, and give the command "
            "again"
        )


def _require_ours(arriving: Connection, source: Connection, project: Project, url: str) -> None:
    """Refuse a database that holds something, unless a move of this project left it there."""
    has_mark = ProjectMark.__tablename__ in table_names(arriving)
    mark = arriving.scalar(select(ProjectMark.place)) if has_mark else None
    if mark == _name_of(project):
        lost = set(arriving.scalars(select(Run.id))) - set(source.scalars(select(Run.id)))
        if lost:
            raise ProjectError(
                f"{url} holds {len(lost)} runs that this project lacks, such as {min(lost)}: it is "
                "no copy of it; name an empty schema by ?schema=NAME"
            )
    elif mark is not None or rows_in(arriving):
        whose = "rows" if mark is None else f"the project of {mark}"
        raise ProjectError(f"{url} holds {whose}; name an empty schema by ?schema=NAME")


def _mark_of(project: Project, place: Place) -> dict[str, str]:
    return {"id": place.project, "place": _name_of(project)}


def _name_of(project: Project) -> str:
    return f"{socket.gethostname()}:{project.root.resolve()}"


def _retire(source: Connection, project: Project, now: datetime) -> str:
    """Have the old database refuse whoever has it open still; return the name it will have."""
    if project.database.schema is None:
        sqlite.refuse_writes(source, "the project was moved to another database: open it again")
        return FILE
    kept = f"{project.database.schema[:40]}_moved_{now:%Y%m%d%H%M%S}"
    postgresql.rename_schema(source, project.database.schema, kept)
    return kept


def _switch(project: Project, place: Place | None, target: Database) -> None:
    """Tell the project where its database is."""
    if place is not None:
        write_record(project.store, place, os.replace)
        sync_folder(project.store)
        return
    target.engine.dispose()
    path = project.store / _ARRIVING
    path.replace(project.store / FILE)  # of one that is retired, whose rows have come back
    sync_folder(project.store)
    (project.store / RECORD).unlink()
    sync_folder(project.store)
