"""The digest of the code that makes a result: what a stage reaches by import, as syntax.

Starting at the files of a stage's class and of the plug-ins in its fields, imports are followed
through the finance wing, the kernels, the stages and core. Comments, docstrings and layout do not
count. The machinery (engine, lake, ledger) does not count either: it stores results and never
makes one. Other libraries count by their version.
"""

import dataclasses
import enum
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, final

from sqlalchemy import select

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import StageError, UnhashableError
from plumbline.core.loaded import content_when_imported
from plumbline.engine.imports import (
    COMPUTED,
    Syntax,
    absolute,
    has_version,
    is_installed,
    modules_behind,
    parents_of,
    parse,
    path_of,
    versions_of,
)
from plumbline.ledger.database import Database
from plumbline.ledger.models import SourceFile
from plumbline.ledger.rows import insert_absent

_MACHINERY = ("engine", "lake", "ledger", "report", "cli", "web")
_NO_NUMBERS = ("plumbline.core.errors", "plumbline.core.settings")  # raise or configure only
_FINDS_BY_NAME = ("plumbline.core.fronts", "plumbline.core.plugin")  # found here by other means
_SHAPES_DATA = ("calendar", "column_names", "digest", "frames", "panel")
_READS_DATA = ("numpy", "polars", "pyarrow", "exchange_calendars")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_LEAVES = (int, float, str, bool, bytes, type(None), type)  # hold no class of the user's


# Content of the files of modules that were imported before anybody looked, when this process first
# digested them.
_FIRST_SEEN: dict[str, str] = {}


@final
@dataclasses.dataclass(frozen=True)
class CodeDigest:
    """What a result's code was.

    Parameters
    ----------
    digest : hex digest of files and libraries.
    files : module name -> digest of its syntax.
    libraries : distribution -> version; Python itself is one.
    """

    digest: str
    files: Mapping[str, str]
    libraries: Mapping[str, str]


@final
class CodeDigests:
    """Code digests of one process; what was read out of a file is kept in the ledger.

    Cost: reading and hashing each file once; parsing only files never seen before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._syntax: dict[str, Syntax] = {}
        self._stamps: dict[Path, tuple[int, int, str]] = {}
        self._watched: set[str] = set()  # modules with a stamp
        self._by_roots: dict[frozenset[str], CodeDigest] = {}
        self._edges: dict[tuple[frozenset[str], str], tuple[list[str], Mapping[str, str]]] = {}
        self._with_source: set[type] = set()
        self._versioned: dict[str, bool] = {}
        self._known: dict[str, Syntax] | None = None
        self._learnt: dict[str, Syntax] = {}

    def of(self, plugin: object) -> CodeDigest:
        """Return the code digest of a stage or plug-in, with everything nested in it.

        Raises
        ------
        UnhashableError
            If a class has no source file (typed into a prompt or notebook, or made by a program).
        """
        classes = set(_classes_in(plugin))
        for cls in classes - self._with_source:
            _require_source(cls)
            self._with_source.add(cls)
        roots = frozenset(cls.__module__ for cls in classes)
        if roots not in self._by_roots:
            self._by_roots[roots] = self._closure(roots)
        return self._by_roots[roots]

    def refuse_moved_files(self) -> None:
        """Check that the digested files are still what they were when they were read.

        A worker process started after an edit computes by other code than the keys say.

        Raises
        ------
        StageError
            If one has other content.
        """
        for path, (modified, size, content) in self._stamps.items():
            found = path.stat() if path.is_file() else None
            if found is not None and (found.st_ctime_ns, found.st_size) == (modified, size):
                continue
            if found is None or digest_bytes(path.read_bytes()) != content:
                raise StageError(
                    f"{path} was edited after this process read it; start again, so that results "
                    "are not stored under other code than made them"
                )
            self._stamps[path] = (found.st_ctime_ns, found.st_size, content)

    def of_module(self, module: str) -> CodeDigest:
        """Return the code of a module and of all that it reaches."""
        return self._closure((module,))

    def of_package(self, package: str) -> str:
        """Return the digest of the syntax of all files of an imported package."""
        folder = Path(import_module(package).__path__[0])
        stems = [path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py")]
        modules = sorted(".".join((package, *parts)) for parts in stems if parts[-1] != "__init__")
        return digest([(module, self._syntax_of(module).digest) for module in modules])

    def of_ingest(self, source: object) -> str:
        """Return the digest of the code that turns a source's files into a data set.

        It holds the lake, what core decides about bars, the source's own code, and the libraries
        that read files and lay out calendars.
        """
        core = [self._syntax_of(f"plumbline.core.{name}").digest for name in _SHAPES_DATA]
        versions = {name: versions_of(name) for name in _READS_DATA}
        return digest((self.of_package("plumbline.lake"), core, self.of(source).digest, versions))

    def save(self) -> None:
        """Write what was read out of unseen files into the ledger."""
        if not self._learnt or self._database.is_read_only:
            return
        rows = [
            {
                "content": content,
                "python": _reader(),
                "syntax": syntax.digest,
                "imports": json.dumps(syntax.references),
            }
            for content, syntax in self._learnt.items()
        ]
        with self._database.begin() as connection:
            insert_absent(connection, SourceFile, rows)
        self._learnt.clear()

    def _closure(self, roots: Iterable[str]) -> CodeDigest:
        own = frozenset(("plumbline", *(root.split(".")[0] for root in roots)))
        files: dict[str, str] = {}
        libraries: dict[str, str] = {"python": _PYTHON}
        waiting = sorted(roots)
        while waiting:
            module = waiting.pop()
            if module in files:
                continue
            files[module] = self._syntax_of(module, watch=True).digest
            modules, versions = self._reached(module, own)
            libraries.update(versions)
            waiting += [name for name in modules if name not in files]
        ordered = {name: files[name] for name in sorted(files)}
        versions = {name: libraries[name] for name in sorted(libraries)}
        return CodeDigest(digest((ordered, versions)), ordered, versions)

    def _reached(self, module: str, own: frozenset[str]) -> tuple[list[str], Mapping[str, str]]:
        """Return the modules that a module reaches by itself, and the versions of libraries.

        Parameters
        ----------
        module : one whose syntax is read.
        own : packages that are followed file by file, though they may be installed.
        """
        if (own, module) not in self._edges:
            modules = set(parents_of(module))
            versions: dict[str, str] = {}
            for reference in self._syntax_of(module).references:
                if reference == COMPUTED and module not in _FINDS_BY_NAME:
                    raise UnhashableError(
                        f"module {module} imports by a name that it computes, so what it runs "
                        "cannot be known; import by a literal name"
                    )
                name, _, attribute = absolute(reference, module).partition(":")
                top = name.split(".")[0]
                if top in own or not self._has_version(top):
                    reached = modules_behind(name, attribute)
                    modules.update(name for name in reached if _makes_numbers(name))
                else:
                    versions.update(versions_of(top))
            self._edges[own, module] = (sorted(modules), versions)
        return self._edges[own, module]

    def _has_version(self, library: str) -> bool:
        """Return whether a library is told by its version: Python's own, or one installed."""
        if library not in self._versioned:
            is_own = library in sys.stdlib_module_names
            self._versioned[library] = is_own or (is_installed(library) and has_version(library))
        return self._versioned[library]

    def _syntax_of(self, module: str, *, watch: bool = False) -> Syntax:
        if module in self._watched or (module in self._syntax and not watch):
            return self._syntax[module]
        path = path_of(module)
        if path is None:
            raise UnhashableError(f"module {module} has no source file")
        if module not in self._syntax or (watch and path not in self._stamps):
            found = path.stat()
            source = path.read_bytes()
            content = digest_bytes(source)
            if module in sys.modules and _is_edited(module, source):
                raise StageError(
                    f"{path} was edited after this process loaded it; start again (in a notebook: "
                    "restart the kernel), so that the code that runs is the code that is written"
                )
            known = self._load_known()
            if content not in known:
                known[content] = self._learnt[content] = parse(source, path)
            self._syntax[module] = known[content]
            if watch:
                self._stamps[path] = (found.st_ctime_ns, found.st_size, content)
        if watch:
            self._watched.add(module)
        return self._syntax[module]

    def _load_known(self) -> dict[str, Syntax]:
        if self._known is None:
            with self._database.read() as connection:
                rows = connection.execute(
                    select(SourceFile.content, SourceFile.syntax, SourceFile.imports).where(
                        SourceFile.python == _reader()
                    )
                ).all()
            self._known = {row[0]: Syntax(row[1], tuple(json.loads(row[2]))) for row in rows}
        return self._known


def _is_edited(module: str, source: bytes) -> bool:
    """Return whether an imported module's file says something else than what was imported."""
    content = hashlib.sha256(source).hexdigest()
    imported = content_when_imported(module)
    if imported is None:
        imported = _FIRST_SEEN.setdefault(module, content)
    return imported != content


def _reader() -> str:
    """Return the mark of what reads source files: Python, and the code that reads."""
    path = path_of(parse.__module__)
    own = "" if path is None else digest_bytes(path.read_bytes())
    return f"{_PYTHON} {own[:8]}"


def _require_source(cls: type) -> None:
    path = path_of(cls.__module__)
    statement = rf"^\s*class\s+{re.escape(cls.__name__)}\b".encode()
    if path is None or not re.search(statement, path.read_bytes(), re.MULTILINE):
        raise UnhashableError(
            f"{cls.__qualname__} has no source file that Plumbline can read (module "
            f"{cls.__module__}); put it into a file of its own to have it cached"
        )


def _classes_in(value: object) -> Iterable[type]:
    if isinstance(value, enum.Enum):
        yield type(value)
    elif isinstance(value, _LEAVES):
        return
    elif dataclasses.is_dataclass(value):
        cls: Any = type(value)
        yield cls
        for name in field_names(cls):
            yield from _classes_in(getattr(value, name))
    elif hasattr(type(value), "fingerprint"):
        yield type(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _classes_in(key)
            yield from _classes_in(item)
    elif isinstance(value, (tuple, list, frozenset, set)):
        for item in value:
            yield from _classes_in(item)


@lru_cache(maxsize=1024)
def field_names(cls: Any) -> tuple[str, ...]:
    """Return the names of a dataclass's fields."""
    return tuple(field.name for field in dataclasses.fields(cls))


def _makes_numbers(module: str) -> bool:
    parts = module.split(".")
    if parts[0] != "plumbline":
        return True
    return module not in _NO_NUMBERS and not (len(parts) > 1 and parts[1] in _MACHINERY)
