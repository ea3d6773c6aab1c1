"""How many names, and problems that many files share, are put into words."""

from collections.abc import Sequence

_FILES_NAMED = 3


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names in a row; if there are more than ``most``, the first of them and the count."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, … ({len(names)} in all)"


def told_once(problems: Sequence[tuple[str, str]]) -> list[str]:
    """Return the problems of files; one that is the same but for the file's name is told once.

    Parameters
    ----------
    problems : pairs of a file's name and a problem, which begins with that name.

    Returns
    -------
    Problems in the order in which each is met first. Three files are named, and of more the first
    three and the number of all.
    """
    files: dict[str, dict[str, None]] = {}
    for name, problem in problems:
        files.setdefault(problem.removeprefix(name), {})[name] = None
    return [_named(list(names)) + text for text, names in files.items()]


def _named(files: Sequence[str]) -> str:
    first = ", ".join(files[:_FILES_NAMED])
    return first if len(files) <= _FILES_NAMED else f"{len(files)} files, such as {first}"
