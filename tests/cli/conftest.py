"""A small disk, which may be full."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

KILO = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of its own that holds little; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(place)]
    if shutil.which("mount") is None or os.getuid() != 0:
        pytest.skip("mounting a small file system needs root and mount")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def resize(place: Path, size: int) -> None:
    command = ["mount", "-o", f"remount,size={size}", str(place)]
    subprocess.run(command, check=True, capture_output=True)


def used(place: Path) -> int:
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def leave(place: Path, room: int) -> None:
    """Leave so many bytes on a disk."""
    resize(place, used(place) + room)
