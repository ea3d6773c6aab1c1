"""A disk that keeps only what was flushed: which files would be there after the power fails."""

import os
import pathlib
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import event


class LossyDisk:
    """Watches flushes below a folder; the metadata database keeps its own promise.

    A file lasts if its bytes were flushed, and if every folder on the way to it was flushed while
    it held the name. What was renamed has the bytes that were flushed under the other name.

    Parameters
    ----------
    root : a folder that lasts itself.
    copies : folder for what would be left at each commit.
    """

    def __init__(self, root: Path, copies: Path) -> None:
        self.root = root
        self.copies = copies
        self.flushed: set[int] = set()
        self.names: dict[str, set[tuple[str, int]]] = {}
        self.n_copies = 0
        self.log: list[str] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        fsync, replace = os.fsync, pathlib.Path.replace

        def watched(descriptor: int) -> None:
            fsync(descriptor)
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                folder = str(Path(f"/proc/self/fd/{descriptor}").readlink())
                self.names[folder] = {(e.name, e.inode()) for e in os.scandir(folder)}
                self.log.append("folder")
            else:
                self.flushed.add(found.st_ino)
                self.log.append("file")

        def renamed(path: Path, target: Any) -> Path:
            self.log.append("rename")
            return replace(path, target)

        patch.setattr(os, "fsync", watched)
        patch.setattr(pathlib.Path, "replace", renamed)
        event.listen(Database, "commit", self._commit)

    def remove(self) -> None:
        event.remove(Database, "commit", self._commit)

    def _commit(self, _connection: Any) -> None:
        self.log.append("commit")
        self.copy()

    def lasts(self, path: Path) -> bool:
        number = path.stat().st_ino
        if not path.name.startswith("plumbline.db") and number not in self.flushed:
            return False
        while path != self.root:
            if not path.name.startswith("plumbline.db"):
                entry = (path.name, path.stat().st_ino)
                if entry not in self.names.get(str(path.parent), set()):
                    return False
            path = path.parent
        return True

    def copy(self) -> Path:
        """Copy what would be left by now."""
        target = self.copies / f"{self.n_copies}"
        self.n_copies += 1
        for path in self.root.rglob("*"):
            if path.is_file() and not path.name.endswith("-shm") and self.lasts(path):
                place = target / path.relative_to(self.root)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        return target
