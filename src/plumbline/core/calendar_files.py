"""What the calendar library tells, kept in files: to load it and lay a calendar out takes long.

The folder is named by the versions of the library and of what it rests on. A file begins with the
digest of its content, and one that does not fit it is made again.
"""

import logging
import secrets
import zoneinfo
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.settings import calendar_cache_dir

LIBRARIES: Final = (
    *("exchange_calendars", "korean_lunar_calendar", "numpy", "pandas", "pyluach", "toolz"),
    "tzdata",
)
"""The calendar library and all that it says it needs."""
_FORM: Final = 1  # of what is in the files
_LOG: Final = logging.getLogger("plumbline.core")


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """Return a file's content, which is made where it is not there or damaged.

    Parameters
    ----------
    name : of the file.
    make : returns the content; it hangs on the name and on the libraries alone.

    Notes
    -----
    A content that cannot be written is returned all the same, and a warning logged. Cost: a read.
    """
    path = calendar_cache_dir() / _libraries() / name
    content = _read(path)
    if content is None:
        content = make()
        _write(path, content)
    return content


def zone_digest(zone: str) -> str:
    """Return a text that changes with the rules of a time zone such as ``America/New_York``.

    They come from the system where it has them, else from the library ``tzdata``.
    """
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / zone
        if path.is_file():
            return digest_bytes(path.read_bytes())[:16]
    return "tzdata"


@cache
def _libraries() -> str:
    return digest([_FORM, *((name, version(name)) for name in LIBRARIES)])[:16]


def _read(path: Path) -> bytes | None:
    try:
        head, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        _LOG.warning("the calendar file %s cannot be read: %s", path, error.strerror)
        return None
    if head.decode(errors="replace") == digest_bytes(content):
        return content
    _LOG.warning("the calendar file %s is damaged and made again", path)
    return None


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(digest_bytes(content).encode() + b"\n" + content)
        draft.replace(path)
    except OSError as error:
        _LOG.warning("the calendar file %s cannot be written: %s", path, error.strerror)
        if draft.is_file():
            draft.unlink()
