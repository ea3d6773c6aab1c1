"""Which database a project uses: a file of its own, or a server's that its folder names."""

import json
import os
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from sqlalchemy import insert, select

from plumbline.core.address import Address, parse_address
from plumbline.core.errors import ParameterError, PlumblineError, ProjectError
from plumbline.core.settings import read_settings
from plumbline.ledger.database import (
    REFUSALS,
    START_AGAIN,
    Database,
    open_database,
    refusal,
)
from plumbline.ledger.models import ProjectMark
from plumbline.ledger.schema import bring_up_to_date, revision_of, revisions

FILE = "plumbline.db"
RECORD = "database"


@final
@dataclass(frozen=True)
class Place:
    """A database on a server, and the project that it belongs to.

    Parameters
    ----------
    address : of the database.
    project : number of the project, which the database holds too.
    """

    address: Address
    project: str


def read_place(store: Path, given: Address | None = None) -> Place | None:
    """Return the place that a project's folder names, or None: its database is a file there.

    The password comes from an address that is given and names the same database, or from
    ``PLUMBLINE_DATABASE`` likewise; else the client of PostgreSQL finds it, in ``PGPASSWORD`` or a
    passfile.

    Raises
    ------
    ProjectError
        If the record cannot be read.
    """
    path = store / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        address, project = parse_address(record["url"]), str(record["project"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProjectError(
            f"{path}, which names the database of the project, cannot be read: {error}; restore "
            'it from a backup, or write it: {"url": "postgresql://…", "project": "…"} with the id '
            "that the table project of that database holds"
        ) from error
    return Place(with_password(address, given), project)


def with_password(address: Address, given: Address | None = None) -> Address:
    """Return an address with a password: what is given or the setting, if that is the same."""
    for other in (address, given, read_settings().database):
        if other == address and other.password is not None:
            return other
    return address


def open_place(store: Path, given: Address | None = None) -> Database:
    """Open the database of a project's folder, or of a lake's; ``given`` as for its place.

    Raises
    ------
    ProjectError
        If it cannot be opened, or belongs to another project.
    """
    place = read_place(store, given)
    if place is None:
        return open_database(store / FILE)
    database = open_database(place.address)
    with database.read() as connection:
        revision = revision_of(connection)
    if revision is None:
        raise ProjectError(
            f"{database.url} holds no tables, though the project of {store.parent} was made in it; "
            f"{START_AGAIN}"
        )
    bring_up_to_date(database)
    if revision != revisions()[-1]:
        mark(database, place.project, store)  # which the oldest tables lack
    _require_own(database, place.project)
    return database


def choose_place(store: Path, address: Address) -> Place:
    """Write down, once, that the project of a folder will use a database; return what is there.

    Raises
    ------
    ParameterError
        If the folder names another database.
    """
    if (store / FILE).exists():
        raise ProjectError(
            f"{store / FILE} is there, of a creation that was cut short: remove it, or leave the "
            "database on a server out"
        )
    given = Place(address, new_project())
    write_record(store, given, os.link)
    chosen = read_place(store) or given
    if chosen.address != address:
        raise ParameterError(
            f"the project in {store.parent} uses {chosen.address}, not {address}; to move it, "
            "type: plumbline migrate --to URL"
        )
    return replace(chosen, address=address)  # with its password


def new_project() -> str:
    """Return the number of a new project."""
    return uuid.uuid4().hex


def write_record(store: Path, place: Place, put: Callable[[Path, Path], object]) -> None:
    """Write which database a project uses, as a draft that ``put`` gives its name.

    ``os.replace`` takes the place of a record that is there, ``os.link`` leaves it.
    """
    draft = store / f".{RECORD}-{uuid.uuid4().hex}"
    record = {"url": str(place.address), "project": place.project}
    try:
        with draft.open("x", encoding="utf-8") as file:
            file.write(json.dumps(record, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            put(draft, store / RECORD)
    finally:
        draft.unlink(missing_ok=True)


def take_place(place: Place, store: Path) -> Database:
    """Make the tables of a project in the database that it has chosen, and mark them as its own.

    If that fails, the folder names no database, as before.

    Raises
    ------
    ProjectError
        If the database cannot be opened, or its schema belongs to another project.
    """
    try:
        database = open_database(place.address)
        database.create_tables()
        mark(database, place.project, store)
        _require_own(database, place.project)
    except (PlumblineError, *REFUSALS) as error:
        (store / RECORD).unlink(missing_ok=True)  # so that another may be named
        if isinstance(error, PlumblineError):
            raise
        raise ProjectError(f"{place.address} cannot be used: {refusal(error)}") from error
    return database


def mark(database: Database, project: str, store: Path) -> None:
    """Write that a database belongs to a project, unless it belongs to one."""
    row = {"id": project, "place": f"{socket.gethostname()}:{store.parent.resolve()}"}
    with database.begin() as connection:
        if connection.execute(select(ProjectMark.id)).first() is None:
            connection.execute(insert(ProjectMark), [row])


def _require_own(database: Database, project: str) -> None:
    with database.read() as connection:
        found = connection.execute(select(ProjectMark.id, ProjectMark.place)).first()
    if found is None or found[0] != project:
        whose = "no project" if found is None else f"the project of {found[1]}"
        raise ProjectError(
            f"{database.url} belongs to {whose}; each project has a schema of its own: name "
            "another one by ?schema=NAME, or restore the record of this project's database from a "
            "backup"
        )
