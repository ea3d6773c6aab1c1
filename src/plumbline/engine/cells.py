"""Cells of a batch: one that fails is recorded, and the others are computed all the same."""

import logging
from collections.abc import Callable
from typing import TypeVar

from plumbline.core.errors import PlumblineError
from plumbline.core.failure import Failure

T = TypeVar("T")

_LOG = logging.getLogger("plumbline.engine")


def attempt_cell(compute: Callable[[], T]) -> T | Failure:
    """Return the result, or why there is none, whatever it raised.

    The traceback of what is no error of this package's goes to the log, as it is a bug.
    """
    try:
        return compute()
    except PlumblineError as error:
        return Failure(type(error).__name__, str(error))
    except Exception as error:
        _LOG.exception("cell failed")
        return Failure(type(error).__name__, f"{type(error).__name__}: {error}")
