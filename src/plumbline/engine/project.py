"""A project: a folder whose ``.plumbline`` holds the lake, the cache and the ledger."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from plumbline.core.address import Address
from plumbline.core.errors import ParameterError, ProjectError
from plumbline.core.settings import read_settings
from plumbline.engine.cache import Cache
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.objects import ObjectStore
from plumbline.engine.root import STORE, project_root, projects_below
from plumbline.engine.run import Engine
from plumbline.lake.durable import make_folder, sync_folder, write_durably
from plumbline.lake.room import Room
from plumbline.ledger.database import START_AGAIN, Database, open_database
from plumbline.ledger.place import FILE, choose_place, open_place, read_place, take_place
from plumbline.ledger.session import Ledger

if TYPE_CHECKING:
    from plumbline.lake.lake import Lake
    from plumbline.lake.source import Source

FORMAT = "3"


@final
@dataclass(frozen=True)
class Project:
    """An open project.

    Parameters
    ----------
    root : the folder; paths in recipes start from the recipe's own folder, not from here.
    database : lake catalogue, cache index and ledger, in one, so that they commit together.
    room : memory that work on the lake may take, and who is told what it is expected to take.
    """

    root: Path
    database: Database
    room: Room = field(default_factory=Room, compare=False, repr=False)

    @property
    def store(self) -> Path:
        """Return the folder of everything that Plumbline keeps."""
        return self.root / STORE

    @cached_property
    def codes(self) -> CodeDigests:
        """Return the code digests of this process."""
        return CodeDigests(self.database)

    @cached_property
    def lake(self) -> "Lake":
        """Return the lake, for reading."""
        from plumbline.lake.opening import open_lake

        return open_lake(self.store, self.database).within(self.room)

    def lake_for(self, source: "Source") -> "Lake":
        """Return the lake for ingesting a source: data sets are keyed by the code that reads it."""
        from plumbline.lake.opening import open_lake

        code = self.codes.of_ingest(source)
        return open_lake(self.store, self.database, code).within(self.room)

    @cached_property
    def engine(self) -> Engine:
        """Return the engine."""
        objects = ObjectStore(self.store / "objects")
        return Engine(Cache(self.database, objects), Ledger(self.database), self.codes)


def create_project(root: Path, address: Address | None = None) -> Project:
    """Make a folder a project; one that is there already is opened.

    Parameters
    ----------
    address : where a new project has its database; default: what ``PLUMBLINE_DATABASE`` says, else
        a SQLite file in the folder.

    Raises
    ------
    ParameterError
        If the project is there and uses another database.
    ProjectError
        If folder or database cannot be made or used.
    """
    store = root / STORE
    try:
        make_folder(store)
    except (OSError, FileExistsError) as error:
        raise ProjectError(f"cannot create {store}: {error}") from error
    mark = store / "format"
    if mark.exists():
        _require_place(store, address)
        return open_project(root, address)
    address = address or read_settings().database
    place = read_place(store) if address is None else choose_place(store, address)
    if place is None:
        open_database(store / FILE).create_tables()
    else:
        take_place(place, store)  # whose folder names it by now, so that a creation can go on
    write_durably(mark, f"{FORMAT}\n".encode())
    sync_folder(store)
    return open_project(root, address)


def _require_place(store: Path, address: Address | None) -> None:
    place = read_place(store)
    if address is not None and address != (None if place is None else place.address):
        here = f"the file {store / FILE}" if place is None else str(place.address)
        raise ParameterError(
            f"the project in {store.parent} uses {here}, not {address}; to move it, type: "
            "plumbline migrate --to URL"
        )


def open_project(folder: Path, address: Address | None = None) -> Project:
    """Open the project of a folder, or of the nearest folder above that has one.

    Parameters
    ----------
    address : of its database on a server, where the caller knows the password.

    Raises
    ------
    ProjectError
        If there is none, or it was made by a version with another format.
    """
    if not folder.is_dir():
        raise ProjectError(
            f"there is no folder {folder.absolute()} to hold a project; make one with: plumbline "
            f"init {folder}"
        )
    root = project_root(folder)
    if root is None:
        below = projects_below(folder)
        raise ProjectError(
            f"no project in {folder.resolve()} or above it; "
            + (
                f"there is one in {below[0]}: say --project {below[0]}"
                if below
                else f"name one with --project DIR, or make one with: plumbline init {folder}"
            )
        )
    found = (root / STORE / "format").read_text().strip()
    if found != FORMAT:
        raise ProjectError(
            f"{root / STORE} has format {found!r}; this version of Plumbline reads {FORMAT!r}: "
            f"move it away and type `plumbline init {root}`; data are read, results computed again"
        )
    store = root / STORE
    path = store / FILE
    if read_place(store) is None and not (path.is_file() and path.stat().st_size):
        state = "is empty" if path.is_file() else "is not there"  # it is older than the mark
        raise ProjectError(f"{path} {state}, though the project was made; {START_AGAIN}")
    database = open_place(store, address)
    database.create_tables()  # what versions before this one did not have of them
    return Project(root, database)
