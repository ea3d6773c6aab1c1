"""Where compiled kernels lie on disk: one folder per state of this package's source.

Numba's own cache looks at the file of the kernel alone and does not notice an edit in another
file that the kernel calls. The folder is therefore named by a digest of every file here, of
the versions that compile them, the switches that steer these, and of the processor; and of where
the files lie and when they were written: numba compiles again what lies elsewhere or is younger.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from plumbline.core.processor import processor
from plumbline.core.settings import arithmetic_switches, kernel_cache_dir

KEPT_FOLDERS = 5
_MARKER = "warm-"


@cache
def kernel_digest() -> str:
    """Return 16 hex digits that change with any kernel source, compiler, switch or processor."""
    digest = hashlib.sha256()
    switches = (f"{name}={value}" for name, value in arithmetic_switches().items())
    libraries = (version(name) for name in ("numba", "llvmlite", "numpy"))
    for part in (*libraries, processor(), *switches):
        digest.update(part.encode() + b"\0")
    here = Path(__file__).resolve().parent
    digest.update(str(here).encode() + b"\0")
    for path in sorted(here.rglob("*.py")):
        written = path.stat().st_mtime_ns
        digest.update(f"{path.relative_to(here).as_posix()} {written}".encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder of the kernels as their source is; it exists, and counts as just used."""
    folder = kernel_cache_dir() / kernel_digest()
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # one that cannot be written is read all the same
        os.utime(folder)
    return folder


def compiled_families() -> frozenset[str]:
    """Return the families of which every production variant lies compiled in this folder."""
    folder = kernel_cache_dir() / kernel_digest()
    return frozenset(path.name.removeprefix(_MARKER) for path in folder.glob(f"{_MARKER}*"))


def write_marker(family: str) -> None:
    """Record that a family's production variants are compiled."""
    (cache_folder() / f"{_MARKER}{family}").write_text(f"{version('numba')} {processor()}\n")


def drop_old_folders() -> None:
    """Drop folders of old source.

    The ``KEPT_FOLDERS`` most recently used folders stay; only folders whose name is a digest are
    touched, so nothing else in the cache can be lost.
    """
    digits = set("0123456789abcdef")
    siblings = [
        path
        for path in kernel_cache_dir().iterdir()
        if path.is_dir() and len(path.name) == 16 and set(path.name) <= digits
    ]
    siblings.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in siblings[KEPT_FOLDERS:]:
        if path.name != kernel_digest():
            shutil.rmtree(path, ignore_errors=True)
