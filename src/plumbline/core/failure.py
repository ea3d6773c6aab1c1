"""An expected failure as a value, so that one bad item does not end a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, final

from plumbline.core.errors import PlumblineError

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Failure:
    """Why an item has no result.

    Parameters
    ----------
    kind : name of the error class.
    message : what was given, what is allowed, what to do next.
    """

    kind: str
    message: str


def attempt(compute: Callable[[], T]) -> T | Failure:
    """Return the result, or a Failure when the package's own error says why there is none.

    Any other exception is a bug and passes through.
    """
    try:
        return compute()
    except PlumblineError as error:
        return Failure(type(error).__name__, str(error))
