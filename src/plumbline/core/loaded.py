"""What the source files of imported modules held when they were imported.

A process runs the code that it imported, whatever its files say later. A finder that finds nothing
looks at each file just before it is imported; what lies where packages are installed, or belongs to
Python, has a version instead and is passed over.
"""

import hashlib
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import final

INSTALLED = ("site-packages", "dist-packages")

_contents: dict[str, str] = {}


@final
class _Witness:
    """A finder that only looks."""

    def find_spec(
        self, name: str, path: Iterable[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Note the content of a module's source file; find nothing."""
        if name.partition(".")[0] not in sys.stdlib_module_names and not _is_installed(path):
            spec = PathFinder.find_spec(name, None if path is None else list(path))
            origin = None if spec is None or not spec.has_location else spec.origin
            if origin is not None and not _is_installed([origin]):
                content = content_of(Path(origin))
                if content is not None:
                    _contents[name] = content
        return None


def watch_imports() -> None:
    """Begin to note what is imported; once a process is enough."""
    if not any(isinstance(finder, _Witness) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Witness())


def content_when_imported(module: str) -> str | None:
    """Return the digest of a module's file when it was imported, or None if nobody looked."""
    return _contents.get(module)


def content_of(path: Path) -> str | None:
    """Return the digest of a file as :func:`content_when_imported` gives it; None without one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # the import itself will say so
        return None


def _is_installed(places: Iterable[str] | None) -> bool:
    return any(part in Path(place).parts for place in places or () for part in INSTALLED)
