"""How many names, and problems that many files share, are put into words."""

from collections.abc import Sequence
from typing import final

_FILES_NAMED = 3


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names in a row; if there are more than ``most``, the first of them and the count."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, … ({len(names)} in all)"


@final
class FileProblem(str):
    """A problem of a file that other files have too, each with other counts and examples.

    Parameters
    ----------
    place : begins with the file's name.
    detail : counts and examples.
    fault : what is wrong.
    """

    place: str
    detail: str
    fault: str

    def __new__(cls, place: str, detail: str, fault: str) -> "FileProblem":
        """Return the problem, whose text is all three."""
        made = super().__new__(cls, place + detail + fault)
        made.place, made.detail, made.fault = place, detail, fault
        return made


def told_once(problems: Sequence[tuple[str, str]]) -> list[str]:
    """Return the problems of files; one that several files have is told once.

    Parameters
    ----------
    problems : pairs of a file's name and a problem, which begins with that name.

    Returns
    -------
    Problems in the order in which each is met first. Three files are named, and of more the first
    three and the number of all; of a :class:`FileProblem` the counts and examples are those of the
    first file.
    """
    files: dict[tuple[str, str], dict[str, str]] = {}
    for name, problem in problems:
        told = problem if isinstance(problem, FileProblem) else FileProblem(problem, "", "")
        files.setdefault((told.place.removeprefix(name), told.fault), {})[name] = told.detail
    return [_told(place, fault, details) for (place, fault), details in files.items()]


def _told(place: str, fault: str, details: dict[str, str]) -> str:
    names = list(details)
    detail = details[names[0]]
    where = f" in {names[0]}" if detail and len(names) > 1 else ""
    return _named(names) + place + detail + where + fault


def _named(files: Sequence[str]) -> str:
    first = ", ".join(files[:_FILES_NAMED])
    return first if len(files) <= _FILES_NAMED else f"{len(files)} files, such as {first}"
