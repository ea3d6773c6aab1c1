"""Open the lake in a folder, whether or not something lies in it."""

from pathlib import Path

from plumbline.core.arguments import Argument, require
from plumbline.lake import catalogue
from plumbline.lake.lake import Lake
from plumbline.lake.store import DATABASE
from plumbline.ledger.database import Database
from plumbline.ledger.place import open_place, read_place


def open_lake(path: Path | str, database: Database | None = None, code: str = "") -> Lake:
    """Open the lake in a folder. Nothing is made: the first ingest makes a lake that is not there.

    Parameters
    ----------
    path : folder of the lake.
    database : metadata database; default: the one that the folder names, else its
        ``plumbline.db``.
    code : digest of the code that reads and cleans; see :class:`Lake`.
    """
    is_folder = isinstance(path, (str, Path)) and path != ""
    require(Argument("path", path, is_folder, "the folder of a lake, as text or a Path"))
    root = Path(path)
    if database is None:
        if not (root / DATABASE).is_file() and read_place(root) is None:
            return Lake(root, None, code)
        database = open_place(root)
    catalogue.create_missing(database)
    return Lake(root, database, code)
