"""Which data set, names and bars a call to the lake means; one text stands for a list of one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral

from plumbline.core.errors import ParameterError
from plumbline.lake.dataset import Dataset


def names_in(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return names; a lone text is one name, never its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def refuse_wrong(
    dataset: object,
    names: Mapping[str, str | Sequence[str] | None] | None = None,
    bars: Mapping[str, int | None] | None = None,
) -> None:
    """Refuse arguments of the wrong kind, all at once.

    Parameters
    ----------
    dataset : a data set, its name, or its id.
    names : argument -> a name, several, or None.
    bars : argument -> a calendar number or None.

    Raises
    ------
    ParameterError
        If some argument is nothing of this kind; every one is named, with what was given.
    """
    problems = []
    if not isinstance(dataset, (str, Dataset)):
        problems.append(f"dataset={dataset!r} must be a name, an id, or a data set")
    problems += [
        f"{argument}={given!r} must be a name, a list of names, or None"
        for argument, given in (names or {}).items()
        if not (given is None or _are_names(given))
    ]
    problems += [
        f"{argument}={given!r} must be a whole number or None"
        for argument, given in (bars or {}).items()
        if given is not None and (isinstance(given, bool) or not isinstance(given, Integral))
    ]
    if problems:
        raise ParameterError("; ".join(problems))


def _are_names(given: object) -> bool:
    if isinstance(given, str):
        return True
    if not isinstance(given, Collection) or isinstance(given, (bytes, Mapping)):
        return False
    return all(isinstance(name, str) for name in given)
