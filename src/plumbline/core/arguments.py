"""Arguments of public functions: a wrong one is told by its name, with what is allowed."""

from typing import NamedTuple, final

from plumbline.core.errors import ParameterError

_SHOWN = 60  # letters of a value


@final
class Argument(NamedTuple):
    """One argument, looked at.

    Parameters
    ----------
    name : of the argument.
    value : what was given for it.
    is_allowed : whether it may be that.
    allowed : what it must be, in words that follow "must be".
    """

    name: str
    value: object
    is_allowed: bool
    allowed: str


def require(*arguments: Argument) -> None:
    """Refuse wrong arguments, all at once.

    Raises
    ------
    ParameterError
        If any is not allowed.
    """
    problems = [
        f"{name}={_shown(value)} must be {allowed}"
        for name, value, is_allowed, allowed in arguments
        if not is_allowed
    ]
    if problems:
        raise ParameterError("; ".join(problems))


def is_count(value: object) -> bool:
    """Return whether a value is a whole number of at least 1; True is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
