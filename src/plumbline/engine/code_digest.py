"""The digest of the code that makes a result: what a stage reaches by import, as syntax.

Starting at the files of a stage's class and of the plug-ins in its fields, imports are followed
through the finance wing, the kernels, the stages and core. Comments, docstrings and layout do not
count. The machinery (engine, lake, ledger) does not count either: it stores results and never
makes one. Other libraries count by their version.
"""

import ast
import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, final

from sqlalchemy import select

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import UnhashableError
from plumbline.ledger.database import Database, insert_absent
from plumbline.ledger.models import SourceFile

_MACHINERY = ("engine", "lake", "ledger", "report", "cli", "web")
_NO_NUMBERS = ("plumbline.core.errors", "plumbline.core.settings")  # raise or configure only
_BESIDE = {"numba": ("llvmlite",)}  # a library whose results hang on another's version
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


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
@dataclasses.dataclass(frozen=True)
class _Syntax:
    digest: str
    modules: tuple[str, ...]  # "package.module" or "package.module:name"


@final
class CodeDigests:
    """Code digests of one process; what was read out of a file is kept in the ledger.

    Cost: reading and hashing each file once; parsing only files never seen before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._syntax: dict[str, _Syntax] = {}
        self._by_roots: dict[frozenset[str], CodeDigest] = {}
        self._known: dict[str, _Syntax] | None = None
        self._learnt: dict[str, _Syntax] = {}

    def of(self, plugin: object) -> CodeDigest:
        """Return the code digest of a stage or plug-in, with everything nested in it.

        Raises
        ------
        UnhashableError
            If a class has no source file (typed into a prompt or notebook).
        """
        roots = frozenset(_classes_in(plugin))
        key = frozenset(f"{cls.__module__}" for cls in roots)
        if key not in self._by_roots:
            for cls in roots:
                if _path_of(cls.__module__) is None:
                    raise UnhashableError(
                        f"{cls.__qualname__} has no source file that Plumbline can read (module "
                        f"{cls.__module__}); put it into a file of its own to have it cached"
                    )
            self._by_roots[key] = self._closure(key)
        return self._by_roots[key]

    def of_package(self, package: str) -> str:
        """Return the digest of the syntax of all files of an imported package."""
        folder = Path(import_module(package).__path__[0])
        stems = [path.relative_to(folder).with_suffix("").parts for path in folder.rglob("*.py")]
        modules = sorted(".".join((package, *parts)) for parts in stems if parts[-1] != "__init__")
        return digest([(module, self._syntax_of(module).digest) for module in modules])

    def save(self) -> None:
        """Write what was read out of unseen files into the ledger."""
        if not self._learnt:
            return
        rows = [
            {
                "content": content,
                "python": _PYTHON,
                "syntax": s.digest,
                "imports": json.dumps(s.modules),
            }
            for content, s in self._learnt.items()
        ]
        with self._database.begin() as connection:
            insert_absent(connection, SourceFile, rows)
        self._learnt.clear()

    def _closure(self, roots: Iterable[str]) -> CodeDigest:
        own = {"plumbline", *(root.split(".")[0] for root in roots)}
        files: dict[str, str] = {}
        libraries: dict[str, str] = {"python": _PYTHON}
        waiting = sorted(roots)
        while waiting:
            module = waiting.pop()
            if module in files:
                continue
            syntax = self._syntax_of(module)
            files[module] = syntax.digest
            for reference in syntax.modules:
                name, _, attribute = reference.partition(":")
                if name.split(".")[0] in own:
                    target = _defining_module(name, attribute)
                    if target is not None and target not in files and _makes_numbers(target):
                        waiting.append(target)
                else:
                    libraries.update(_versions(name.split(".")[0]))
        ordered = {name: files[name] for name in sorted(files)}
        versions = {name: libraries[name] for name in sorted(libraries)}
        return CodeDigest(digest((ordered, versions)), ordered, versions)

    def _syntax_of(self, module: str) -> _Syntax:
        if module not in self._syntax:
            path = _path_of(module)
            if path is None:
                raise UnhashableError(f"module {module} has no source file")
            source = path.read_bytes()
            content = digest_bytes(source)
            known = self._load_known()
            if content not in known:
                known[content] = self._learnt[content] = _parse(source, str(path))
            self._syntax[module] = known[content]
        return self._syntax[module]

    def _load_known(self) -> dict[str, _Syntax]:
        if self._known is None:
            with self._database.read() as connection:
                rows = connection.execute(
                    select(SourceFile.content, SourceFile.syntax, SourceFile.imports).where(
                        SourceFile.python == _PYTHON
                    )
                ).all()
            self._known = {row[0]: _Syntax(row[1], tuple(json.loads(row[2]))) for row in rows}
        return self._known


def _classes_in(value: object) -> Iterable[type]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from _classes_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _classes_in(item)
    elif isinstance(value, (tuple, list, frozenset, set)):
        for item in value:
            yield from _classes_in(item)


def _makes_numbers(module: str) -> bool:
    parts = module.split(".")
    if parts[0] != "plumbline":
        return True
    return module not in _NO_NUMBERS and not (len(parts) > 1 and parts[1] in _MACHINERY)


def _path_of(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None and "." in module:
        package = sys.modules.get(module.split(".")[0])
        folders = getattr(package, "__path__", ())
        tail = module.split(".")[1:]
        candidates = [Path(folder, *tail) for folder in folders]
        found = [c.with_suffix(".py") for c in candidates] + [c / "__init__.py" for c in candidates]
        origin = next((str(path) for path in found if path.is_file()), None)
    if origin is None or not origin.endswith(".py"):
        return None
    return Path(origin)


def _defining_module(name: str, attribute: str) -> str | None:
    """Return the module that an import reaches: a submodule, or where a package says it lies."""
    if attribute and _path_of(f"{name}.{attribute}") is not None:
        return f"{name}.{attribute}"
    path = _path_of(name)
    if path is None:
        return None
    if path.name != "__init__.py":
        return name
    exports = _exports(path, path.stat().st_mtime_ns)
    if attribute in exports:
        return f"{name}.{exports[attribute]}"
    return name if attribute else None


@lru_cache(maxsize=256)
def _exports(path: Path, _modified: int) -> Mapping[str, str]:
    """Return the literal ``_EXPORTS`` of a package: exported name -> module of the package."""
    for node in ast.parse(path.read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value: Any = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == "_EXPORTS" for t in targets):
            return dict(ast.literal_eval(value))
    return {}


@lru_cache(maxsize=256)
def _versions(library: str) -> Mapping[str, str]:
    if library in sys.stdlib_module_names:
        return {}
    found = {}
    for name in (library, *_BESIDE.get(library, ())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            for distribution in metadata.packages_distributions().get(name, ()):
                found[distribution] = metadata.version(distribution)
    return found


def _parse(source: bytes, path: str) -> _Syntax:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise UnhashableError(f"{path} cannot be parsed: {error}") from error
    references = sorted(set(_references(tree)))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            _drop_docstring(node)
    return _Syntax(digest(ast.dump(tree)), tuple(references))


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]


def _references(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}:{alias.name}" for alias in node.names)
