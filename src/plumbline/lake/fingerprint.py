"""Digests of source files, with a memory that spares reading a file that has not changed."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import SourceError
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.source import Source, path_name

RACY_NS = 2_000_000_000  # a file may change twice within one tick of a file system's clock


class FileState(NamedTuple):
    """What a file looked like when its content was digested.

    Parameters
    ----------
    size : bytes.
    changed_ns, seen_ns : when the file or its entry last changed, which no program can set back,
        and when it was digested; nanoseconds since 1970.
    inode : number of the file in its file system.
    digest : digest of the bytes.
    """

    size: int
    changed_ns: int
    seen_ns: int
    inode: int
    digest: str

    def is_current(self, stat: os.stat_result) -> bool:
        """Return whether the file is surely the same.

        Equal size, time and inode are no proof if the file was written less than two seconds
        before it was digested: a second write then may not move its time.
        """
        same = (self.size, self.changed_ns, self.inode) == (
            stat.st_size,
            stat.st_ctime_ns,
            stat.st_ino,
        )
        return same and self.is_settled

    @property
    def is_settled(self) -> bool:
        """Return whether a later write must have moved the file's time."""
        return self.seen_ns - self.changed_ns > RACY_NS


class Listing(NamedTuple):
    """The files of a source, and the digest of their names and contents.

    Parameters
    ----------
    digest : digest over the sorted pairs of relative path and content digest.
    states : absolute path -> state.
    fresh : the part of ``states`` that was read from disk and not remembered.
    """

    digest: str
    states: dict[str, FileState]
    fresh: dict[str, FileState]


def list_files(paths: Sequence[Path], base: Path, known: Mapping[str, FileState]) -> Listing:
    """Digest the files of a source.

    Parameters
    ----------
    paths : the files.
    base : folder that they are named from.
    known : absolute path -> state remembered from before; what is current there is not read.

    Raises
    ------
    SourceError
        If a file cannot be read; all such are named.
    """
    states: dict[str, FileState] = {}
    fresh: dict[str, FileState] = {}
    pairs, problems = [], []
    for path in paths:
        key = str(path.absolute())
        try:
            state = known.get(key)
            if state is None or not state.is_current(path.stat()):
                state = fresh[key] = _state(path)
        except OSError as error:
            problems.append(f"{path_name(path, base)}: cannot be read: {error}")
            continue
        states[key] = state
        pairs.append((path_name(path, base), state.digest))
    if problems:
        raise SourceError(f"files below {base}", problems)
    return Listing(files_digest(dict(pairs)), states, fresh)


def files_digest(files: Mapping[str, str]) -> str:
    """Return the digest over the sorted pairs of file names and digests of contents."""
    return digest(("source", sorted(files.items())))


def ingest_key(
    files: str, source: Source, rules: CleaningRules, grid: tuple[str, str], code: str
) -> str:
    """Return the digest of all that an ingest depends on.

    Parameters
    ----------
    files : digest of the files, as in :class:`Listing`.
    source, rules : how they are read and cleaned.
    grid : calendar and frequency.
    code : digest of the code that does both.
    """
    return digest(("ingest", files, source.fingerprint, rules, grid, code))


def _state(path: Path) -> FileState:
    seen_ns = time.time_ns()
    stat = path.stat()
    return FileState(
        stat.st_size, stat.st_ctime_ns, seen_ns, stat.st_ino, digest_bytes(path.read_bytes())
    )


def refuse_moved_files(listing: Listing) -> None:
    """Refuse files that changed since they were listed, because what was read may be a mixture.

    Raises
    ------
    SourceError
        If a file's size, time or number differs; all such are named.
    """
    problems = []
    for name, state in listing.states.items():
        try:
            stat = Path(name).stat()
        except OSError as error:
            problems.append(f"{name}: went away while it was read: {error}")
            continue
        if (state.size, state.changed_ns, state.inode) != (
            stat.st_size,
            stat.st_ctime_ns,
            stat.st_ino,
        ):
            problems.append(f"{name}: changed while it was read; run again when it is written")
    if problems:
        raise SourceError("files that do not hold still", problems)


def named_files(base: Path, listing: Listing) -> dict[str, str]:
    """Return name, as seen from the base folder, and digest of the files of a source."""
    states = listing.states.items()
    return {path_name(Path(name), base.absolute()): state.digest for name, state in states}


def describe(source: Source, base: Path, listing: Listing, rules: CleaningRules) -> str:
    """Return what a source is, as JSON text: kind, fields, each file's digest, cleaning rules."""
    files = named_files(base, listing)
    note = {"source": repr(source), "digest": listing.digest, "files": files}
    return json.dumps(note | {"rules": asdict(rules)})


def noted_rules(note: str) -> CleaningRules | None:
    """Return the cleaning rules in the description of an ingest, or None if it names none."""
    given = json.loads(note).get("rules")
    return None if given is None else CleaningRules(**given)


def noted_files(note: str) -> dict[str, str]:
    """Return name and digest of the files in the description of an ingest."""
    files: dict[str, str] = json.loads(note).get("files", {})
    return files
