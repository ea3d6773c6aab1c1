"""The portions of remote sources that the lake keeps: fetched once, checked when they are read."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline.core.calendar import Calendar
from plumbline.core.digest import digest_bytes
from plumbline.core.errors import ProjectError
from plumbline.lake.breaker import Breaker
from plumbline.lake.calls import Calls
from plumbline.lake.durable import sync_folder, write_durably
from plumbline.lake.remote_source import PORTION, Fetch, Portion, RemoteSource, portion_name
from plumbline.lake.source import Source
from plumbline.ledger.database import Database

FOLDER = "fetched"
_FINAL, _LAST = "final", "last"  # a portion that stays as it is, and one that may grow
_DIGITS = 32  # of a digest, 128 bits


@contextmanager
def fetched(
    source: Source, base: Path, grid: tuple[str, str], root: Path, database: Database | None
) -> Iterator[Path]:
    """Fetch what a remote source gives; the folder of its portions stands still meanwhile.

    Each portion is kept durably as soon as it is whole, so a fetch that is broken off goes on where
    it was. What another process fetches of the same source waits for its turn.

    Parameters
    ----------
    source : any source; one that is not remote is left as it is.
    base : folder that its relative paths start from.
    grid : name and frequency of the calendar.
    root : folder of the lake.
    database : metadata database, which knows the state of the source's breaker.

    Yields
    ------
    The folder that the source reads its files from.

    Raises
    ------
    SourceError
        If the other side fails.
    ProjectError
        If the portions cannot be kept.
    """
    if not isinstance(source, RemoteSource):
        yield base
        return
    calendar = Calendar(*grid)
    folder = root / FOLDER / source.place(calendar)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError as error:
        raise ProjectError(f"portions cannot be kept in {folder}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        calls = Calls(source.label, source.patience, Breaker(source.label, database))
        _fetch(source, folder, Fetch(base, calendar, _held(folder), calls))
        yield folder


def _fetch(source: RemoteSource, folder: Path, fetch: Fetch) -> None:
    """Keep each portion of a source, then take away those that it gives no more."""
    wanted: set[str] = set()
    for portion in source.portions(fetch):
        if portion.content is None:
            wanted.update(path.name for path in _files_of(folder, portion.name))
            continue
        name = _file_name(portion, portion.content)
        wanted.add(name)
        if not (folder / name).exists():
            write_durably(folder / name, portion.content)
            sync_folder(folder)
    for path in folder.glob(f"*{PORTION}"):
        if path.name not in wanted:
            path.unlink()


def _held(folder: Path) -> frozenset[str]:
    """Return the names of final portions whose bytes are as their digest says; drop all others."""
    held = set()
    for path in folder.glob(f"*{PORTION}"):
        kind, digest = path.name.removesuffix(PORTION).rsplit("-", 2)[1:]
        if digest_bytes(path.read_bytes())[:_DIGITS] != digest:
            path.unlink()
        elif kind == _FINAL:
            held.add(portion_name(path))
    return frozenset(held)


def _files_of(folder: Path, name: str) -> list[Path]:
    return [path for path in folder.glob(f"*-{_FINAL}-*{PORTION}") if portion_name(path) == name]


def _file_name(portion: Portion, content: bytes) -> str:
    kind = _FINAL if portion.is_final else _LAST
    return f"{portion.name}-{kind}-{digest_bytes(content)[:_DIGITS]}{PORTION}"
