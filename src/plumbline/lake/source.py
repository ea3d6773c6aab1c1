"""What a source is: it yields bars from somewhere and never writes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.core.calendar import Calendar
from plumbline.core.errors import SourceError, nearest_names
from plumbline.core.plugin import Plugin, Room

if TYPE_CHECKING:
    import polars

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Source(Plugin, ABC):
    """A place that bars come from; its fields say where and how they are written there."""

    @abstractmethod
    def files(self, base: Path) -> tuple[Path, ...]:
        """Return the files to read, sorted; a source without files returns none.

        Parameters
        ----------
        base : folder that relative paths start from.

        Raises
        ------
        SourceError
            If a name or pattern finds no file; all such are named.
        """

    @abstractmethod
    def bars(self, base: Path, calendar: Calendar) -> "list[polars.DataFrame]":
        """Read the bars, one table a file, in the order of :meth:`files`.

        Parameters
        ----------
        base : folder that relative paths start from.
        calendar : grid on which session dates and opening times become closing times.

        Returns
        -------
        Tables in the long shape, rows in the order of the file: ``bar_close`` (microseconds,
        UTC, no null), ``asset`` (text, no null, not empty), then one float64 column a field. NaN
        is a value that the file says is missing. A date that is no session stands as its own
        last microsecond, which no calendar closes at.

        Raises
        ------
        SourceError
            If anything cannot be read; every problem of every file is listed.
        """


sources: Room[Source] = Room("plumbline.lake.sources", Source)


def find_files(paths: Iterable[str], base: Path) -> tuple[Path, ...]:
    """Return the files that names and glob patterns find below a folder, sorted, each once.

    Raises
    ------
    SourceError
        If a name or pattern finds no file; all such are named.
    """
    found: set[Path] = set()
    problems: list[str] = []
    for pattern in paths:
        matches = _matches(pattern, base)
        if not matches:
            problems.append(_nothing_found(pattern, base))
        found.update(matches)
    if problems:
        raise SourceError(f"files below {base}", problems)
    return tuple(sorted(found, key=lambda path: path_name(path, base)))


def path_name(path: Path, base: Path) -> str:
    """Return the name of a file in messages and digests: relative to the base if it is below."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def _matches(pattern: str, base: Path) -> list[Path]:
    place = Path(pattern)
    if not _WILD.intersection(pattern):
        return [base / place] if (base / place).is_file() else []
    root = Path(place.anchor) if place.is_absolute() else base
    relative = place.relative_to(place.anchor) if place.is_absolute() else place
    return [path for path in root.glob(relative.as_posix()) if path.is_file()]


def _nothing_found(pattern: str, base: Path) -> str:
    folder = (base / pattern).parent
    if (base / pattern).is_dir():
        return f"{pattern!r} is a folder; give a pattern such as '{pattern}/*.csv'"
    if _WILD.intersection(pattern):
        return f"no file matches the pattern {pattern!r} below {base}"
    if not folder.is_dir():
        return f"file {pattern!r} not found: there is no folder {folder}"
    names = [path.name for path in folder.iterdir() if path.is_file()]
    return f"file {pattern!r} not found in {folder}; {nearest_names(Path(pattern).name, names)}"
