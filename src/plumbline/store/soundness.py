"""Files of portfolios: which nothing names, and which are named and are not whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from blake3 import blake3
from sqlalchemy import delete, select

from plumbline.ledger.database import Database
from plumbline.ledger.models import StoreFile

FOLDER: Final = "portfolios"


def file_path(folder: Path, digest: str) -> Path:
    """Return where the file of a digest lies or would lie."""
    return folder / digest[:2] / f"{digest}.parquet"


def unnamed_files(folder: Path, database: Database) -> list[Path]:
    """Return the files that no row names; half-written ones are not among them.

    A killed writer leaves them, and so does merging. A writer that goes on may be about to name
    one that is young.

    Parameters
    ----------
    folder : of the files.
    database : of the project.
    """
    present = sorted(folder.glob("??/*.parquet"))  # first: what is named by then is told below
    if not present:
        return []
    named = named_files(database)
    return [path for path in present if path.stem not in named]


def named_files(database: Database) -> dict[str, int]:
    """Return the bytes of each file that a row names, by its digest."""
    with database.read() as connection:
        rows = connection.execute(select(StoreFile.digest, StoreFile.n_bytes))
        return {row.digest: row.n_bytes for row in rows}


def lacking_files(folder: Path, database: Database, *, deep: bool) -> dict[str, str]:
    """Return what is wrong with files that rows name: missing, of another length, damaged.

    Parameters
    ----------
    folder, database : as for :func:`unnamed_files`.
    deep : whether bytes are compared with the digests.
    """
    found = {}
    for digest, n_bytes in sorted(named_files(database).items()):
        path = file_path(folder, digest)
        if not path.is_file():
            found[digest] = f"{path} is missing"
        elif path.stat().st_size != n_bytes:
            found[digest] = f"{path} has {path.stat().st_size} bytes of {n_bytes}"
        elif deep and blake3().update_mmap(path).hexdigest() != digest:
            found[digest] = f"{path} is damaged: its bytes differ from its digest"
    return found


def forget_files(database: Database, digests: Sequence[str]) -> None:
    """Forget files, so that their days are what they were before, or not there."""
    with database.begin() as connection:
        connection.execute(delete(StoreFile).where(StoreFile.digest.in_(list(digests))))
