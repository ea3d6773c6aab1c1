"""Sizes and lengths of time as people write them: ``2GB``, ``500 MB``, ``30d``, ``90m``."""

import re
from datetime import timedelta

from plumbline.core.errors import ParameterError

_TEXT = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def bytes_of(name: str, text: str) -> int:
    """Return the bytes that a text says.

    Parameters
    ----------
    name : of what was given, for the message.
    text : a number, with kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024) behind it.

    Raises
    ------
    ParameterError
        If it says no size of at least one byte.
    """
    found = _TEXT.fullmatch(text)
    factor = _BYTES.get(found[2].lower()) if found else None
    size = float(found[1]) * factor if found and factor else 0.0
    if not 1 <= size < 2**63:
        raise ParameterError(f"{name}={text!r} is no size such as 2GB, 500MB, 1.5GiB or 2e9")
    return int(size)


def duration_of(name: str, text: str) -> timedelta:
    """Return the length of time that a text says.

    Parameters
    ----------
    name : of what was given, for the message.
    text : a number with s, m, h, d or w behind it.

    Raises
    ------
    ParameterError
        If it says none.
    """
    found = _TEXT.fullmatch(text)
    factor = _SECONDS.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise ParameterError(f"{name}={text!r} is no length of time such as 30d, 12h or 90m")
    try:
        return timedelta(seconds=float(found[1]) * factor)
    except OverflowError as error:
        raise ParameterError(f"{name}={text!r} is longer than a calendar reaches") from error


def shown_bytes(size: float) -> str:
    """Return a size with three digits and its unit, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"
