"""What a source is: it yields bars from somewhere and never writes."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
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
    def bars(
        self, base: Path, calendar: Calendar, findings: "list[polars.DataFrame]"
    ) -> "list[polars.DataFrame]":
        """Read the bars, one table a file, in the order of :meth:`files`.

        Parameters
        ----------
        base : folder that relative paths start from.
        calendar : grid on which session dates and opening times become closing times.
        findings : list that rows of the quality report may be appended to, as of columns that are
            left out; see :func:`plumbline.lake.quality.column_findings`.

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

    def only(self, files: Sequence[Path]) -> "Source | None":  # noqa: ARG002  # of others
        """Return the source that reads some of its files alone, or None if it reads all or none.

        Where there is one, files that are added are read without those that are known, as long as
        their rows lie behind.
        """
        return None

    @abstractmethod
    def places(self, base: Path, calendar: Calendar, wanted: "polars.DataFrame") -> list[list[str]]:
        """Return where values of some bars stand, such as ``a.csv, line 3``.

        Reads the source again: for messages about what was read without a problem.

        Parameters
        ----------
        base, calendar : as for :meth:`bars`.
        wanted : ``asset`` (white space taken off), ``bar_close``, and ``fields``, the list of the
            fields whose values are looked for, a row a bar.

        Returns
        -------
        For each row of ``wanted`` its places, in the order of the files.
        """


sources: Room[Source] = Room("plumbline.lake.sources", Source)


def find_files(paths: Iterable[str], base: Path, endings: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """Return the files that names and glob patterns find below a folder, sorted, each once.

    A name that is a file is that file, also if it holds ``*``, ``?`` or ``[``.

    Parameters
    ----------
    paths : names and patterns.
    base : folder that they start from.
    endings : endings, in small letters, of the files that a folder stands for, those in folders
        below it included; without any a folder is refused. Hidden files are passed over.

    Raises
    ------
    SourceError
        If a name or pattern finds no file, or finds a folder or a link that leads nowhere, or if a
        folder that may hold some cannot be looked into; all such are named.
    """
    found: set[Path] = set()
    problems: list[str] = []
    for pattern in paths:
        try:
            found.update(_found_by(pattern, base, endings, problems))
        except OSError as error:  # a folder on the way to it
            problems.append(f"{pattern!r} cannot be looked for: {error.strerror}")
    if problems:
        raise SourceError(f"files below {base}", problems)
    return tuple(sorted(found, key=lambda path: path_name(path, base)))


def _found_by(
    pattern: str, base: Path, endings: tuple[str, ...], problems: list[str]
) -> list[Path]:
    if endings and (base / pattern).is_dir():
        before = len(problems)
        matches = _below(base / pattern, base, endings, problems)
        if not matches and len(problems) == before:
            problems.append(f"the folder {pattern!r} holds no file that ends {_or(endings)}")
        return matches
    if not _is_pattern(pattern) or (base / pattern).is_file():
        problems.extend(_name_problems(pattern, base))
        return [base / pattern]
    return _matches(pattern, base, problems)


def _below(folder: Path, base: Path, endings: tuple[str, ...], problems: list[str]) -> list[Path]:
    """Return the files of a folder and those below it that have one of some endings.

    What cannot be looked into, or leads elsewhere, is a problem: files that lie there would be
    missing without a word.
    """
    matches: list[Path] = []
    unseen: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unseen.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [path for name in folders if (path := Path(place, name)).is_symlink()]
        problems.extend(
            f"{path_name(path, base)!r} is a link to a folder, which is not followed; name the "
            "folder beside this one, or move the link away"
            for path in links
        )
        files = [
            Path(place, name)
            for name in sorted(names)
            if name.lower().endswith(endings) and not name.startswith(".")
        ]
        matches += files
        problems.extend(
            f"{path_name(path, base)!r} is {_what(path)}; move it away"
            for path in files
            if not path.is_file()
        )
    problems.extend(_unseen(Path(error.filename), base, error) for error in unseen)
    return matches


def _unseen(folder: Path, base: Path, error: OSError) -> str:
    return (
        f"the folder {path_name(folder, base)!r} cannot be looked into: {error.strerror}; make it "
        "readable, or name the folders that are meant"
    )


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def path_name(path: Path, base: Path) -> str:
    """Return the name of a file in messages and digests: relative to the base if it is below."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def _is_pattern(path: str) -> bool:
    return bool(_WILD.intersection(path))


def _matches(pattern: str, base: Path, problems: list[str]) -> list[Path]:
    """Return what a pattern finds; what it finds beside files are problems, as is nothing."""
    place = Path(pattern)
    if any("**" in part and part != "**" for part in place.parts):
        problems.append(
            f"pattern {pattern!r}: '**' stands for any folders and must fill the place between two "
            "slashes, as in '**/*.csv'; within a name write '*'"
        )
        return []
    root = Path(place.anchor) if place.is_absolute() else base
    relative = place.relative_to(place.anchor) if place.is_absolute() else place
    matches = sorted(root.glob(relative.as_posix()))
    unseen = _unseen_by(relative.parts, root, base)
    problems.extend(unseen)
    if not matches and not unseen:
        problems.append(f"no file matches the pattern {pattern!r} below {base}")
    advice = "narrow the pattern or move it away"
    problems.extend(
        f"pattern {pattern!r} finds {path_name(path, base)!r}, {_what(path)}; {advice}"
        for path in matches
        if not path.is_file()
    )
    return matches


def _unseen_by(parts: Sequence[str], root: Path, base: Path) -> list[str]:
    """Return why folders whose names a pattern has to know cannot be looked into."""
    folders: set[Path] = set()
    for number, part in enumerate(parts):
        if _is_pattern(part):
            above = parts[: number + (part == "**")]
            folders.update(root.glob("/".join(above)) if above else [root])
    problems = []
    for folder in sorted(folders):
        try:
            if folder.is_dir():
                os.scandir(folder).close()
        except OSError as error:
            problems.append(_unseen(folder, base, error))
    return problems


def _name_problems(name: str, base: Path) -> list[str]:
    path = base / name
    if path.is_file():
        return []
    if path.is_dir():
        return [f"{name!r} is a folder; give a pattern such as '{name}/*.csv'"]
    if path.exists() or path.is_symlink():
        return [f"{name!r} is {_what(path)}; name a file"]
    if not path.parent.is_dir():
        return [f"file {name!r} not found: there is no folder {path.parent}"]
    names = [other.name for other in path.parent.iterdir() if other.is_file()]
    return [f"file {name!r} not found in {path.parent}; {nearest_names(path.name, names)}"]


def _what(path: Path) -> str:
    """Return what stands in the place of a file."""
    if path.is_dir():
        return "a folder"
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, which is not there"
    return "no regular file"
