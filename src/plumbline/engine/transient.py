"""Which failures may pass, so that the same may succeed when it is done again."""

import errno

from plumbline.core.errors import TransientError

_PASSING = {
    getattr(errno, name)
    for name in (
        *("EAGAIN", "EBUSY", "EDQUOT", "EINTR", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC"),
        *("ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "EREMOTEIO", "ESTALE", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
}


def may_pass(error: BaseException) -> bool:
    """Return whether a failure may be gone when the same is done again.

    An error that was raised from another is asked for its cause.
    """
    if isinstance(error, TransientError):
        return True
    if isinstance(error, OSError):
        is_passing = isinstance(error, (ConnectionError, TimeoutError))
        return is_passing or error.errno in _PASSING
    if getattr(error, "connection_invalidated", False):  # the database hung up
        return True
    return error.__cause__ is not None and may_pass(error.__cause__)
