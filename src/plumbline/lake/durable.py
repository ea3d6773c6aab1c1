"""Files that are there whole or not at all: written beside their place, flushed, then renamed.

The lowest room that owns files, so that the lake and the engine, which stands on it, share it.
"""

import os
import uuid
from pathlib import Path
from typing import Any


def write_durably(path: Path, content: Any) -> None:
    """Write bytes, or a buffer of them, in place of a file.

    A crash leaves the whole file or what was there before, and at most a hidden ``.part`` file.
    The name itself is durable after :func:`sync_folder`.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, so that their names last."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
