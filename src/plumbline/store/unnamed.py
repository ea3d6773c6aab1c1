"""Which files of portfolios nothing names: of writers that were killed, and those replaced."""

from pathlib import Path
from typing import Final

from sqlalchemy import select

from plumbline.ledger.database import Database
from plumbline.ledger.models import StoreFile

FOLDER: Final = "portfolios"


def unnamed_files(folder: Path, database: Database) -> list[Path]:
    """Return the files that no row names; half-written ones are not among them.

    A writer that goes on may be about to name one that is young.

    Parameters
    ----------
    folder : of the files.
    database : of the project.
    """
    present = sorted(folder.glob("??/*.parquet"))  # first: what is named by then is told below
    if not present:
        return []
    with database.read() as connection:
        named = set(connection.execute(select(StoreFile.digest)).scalars())
    return [path for path in present if path.stem not in named]
