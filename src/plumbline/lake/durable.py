"""Files that are there whole or not at all: written beside their place, flushed, then renamed.

The lowest room that owns files, so that the lake and the engine, which stands on it, share it.
"""

import io
import os
import uuid
from pathlib import Path
from typing import Any, final

from blake3 import blake3


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


@final
class DurableStream(io.RawIOBase):
    """A file that is written piece by piece, and has its place once it is whole.

    Parameters
    ----------
    folder : where it is written, on the file system of its place.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._temporary = folder / f".{uuid.uuid4().hex}.part"
        self._file = self._temporary.open("xb")
        self._hasher = blake3()
        self.n_bytes = 0

    @property
    def digest(self) -> str:
        """Return the BLAKE3 digest of what was written."""
        return self._hasher.hexdigest()

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, content: Any) -> int:
        """Write bytes."""
        self._hasher.update(content)
        self._file.write(content)
        self.n_bytes += len(content)
        return len(content)

    def place(self, path: Path) -> None:
        """Put the file in its place; the name is durable after :func:`sync_folder`."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._temporary.replace(path)

    def close(self) -> None:
        """Close the file; one that was not put in a place is gone."""
        if not self.closed:
            self._file.close()
            self._temporary.unlink(missing_ok=True)
        super().close()


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
