"""Where imports lead: to files whose syntax is digested, or to libraries that have a version."""

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

from plumbline.core.digest import digest, digest_bytes
from plumbline.core.errors import UnhashableError
from plumbline.core.loaded import INSTALLED

_BESIDE = {"numba": ("llvmlite",)}  # a library whose results hang on another's version
_SOLD_AS = {"yaml": "pyyaml"}  # spares a look into every distribution that is installed
COMPUTED = "?"  # stands among references for an import by a name that only a run knows
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@final
@dataclass(frozen=True)
class Syntax:
    """What a source file says.

    Parameters
    ----------
    digest : hex digest of its syntax tree, without comments, docstrings and layout.
    references : what it imports anywhere, as ``package.module`` or ``package.module:name``; a
        relative import keeps its leading dots; ``COMPUTED`` for a name that it computes.
    """

    digest: str
    references: tuple[str, ...]


@lru_cache(maxsize=1024)  # the projects of a process share most of their files
def parse(source: bytes, path: Path) -> Syntax:
    """Read a source file; of a compiled extension the bytes are digested.

    Raises
    ------
    UnhashableError
        If the file is no Python.
    """
    if path.suffix != ".py":
        return Syntax(digest_bytes(source), ())
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise UnhashableError(f"{path} cannot be parsed: {error}") from error
    references = set(_references(tree))
    if _export_table(tree) is not None:
        references.discard(COMPUTED)  # what a package imports on demand is what the table names
    for node in ast.walk(tree):
        if isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return Syntax(digest(ast.dump(tree)), tuple(sorted(references)))


def path_of(module: str) -> Path | None:
    """Return the file of a module, imported or not, or None if it has none on disk."""
    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is not None:
        return Path(origin) if Path(origin).is_file() else None
    top, *tail = module.split(".")
    spec = None if top in sys.modules and tail else _spec_of(top)
    if not tail:
        has_file = spec is not None and spec.has_location and spec.origin is not None
        return Path(str(spec.origin)) if spec is not None and has_file else None
    folders = getattr(sys.modules.get(top), "__path__", None)
    if folders is None:
        folders = () if spec is None else spec.submodule_search_locations or ()
    for folder in folders:
        place = Path(folder, *tail)
        found = [place.with_suffix(".py"), place / "__init__.py"]
        found += sorted(place.parent.glob(f"{place.name}.*.so")) if place.parent.is_dir() else []
        for path in found:
            if path.is_file():
                return path
    return None


def is_installed(library: str) -> bool:
    """Return whether a top-level module is Python's own or lies where packages are installed."""
    if library in sys.stdlib_module_names:
        return True
    loaded = sys.modules.get(library)
    spec = None if loaded is not None else _spec_of(library)
    origin = getattr(loaded, "__file__", None) or getattr(spec, "origin", None)
    folders = getattr(loaded, "__path__", None) or getattr(spec, "submodule_search_locations", None)
    places = [str(origin)] if origin else [str(folder) for folder in folders or ()]
    return not places or any(part in Path(places[0]).parts for part in INSTALLED)


@lru_cache(maxsize=256)
def versions_of(library: str) -> Mapping[str, str]:
    """Return distribution -> version for a top-level module; empty for Python's own."""
    if library in sys.stdlib_module_names:
        return {}
    found = {}
    for name in (_SOLD_AS.get(library, library), *_BESIDE.get(library, ())):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            for distribution in metadata.packages_distributions().get(name, ()):
                found[distribution] = metadata.version(distribution)
    return found


def has_version(library: str) -> bool:
    """Return whether an installed distribution holds a top-level module."""
    return bool(versions_of(library))


def parents_of(module: str) -> list[str]:
    """Return the packages around a module whose own files run before it.

    Those of this project run nothing: they name what lies where.
    """
    parts = module.split(".")
    if parts[0] == "plumbline":
        return []
    packages = [".".join(parts[:i]) for i in range(1, len(parts))]
    return [name for name in packages if path_of(name) is not None]


def absolute(reference: str, module: str) -> str:
    """Return a reference of a module without leading dots."""
    name, colon, attribute = reference.partition(":")
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if not level:
        return reference
    path = path_of(module)
    is_package = path is not None and path.name == "__init__.py"
    parents = module.split(".") if is_package else module.split(".")[:-1]
    kept = parents[: len(parents) - (level - 1)]
    return ".".join([*kept, bare] if bare else kept) + colon + attribute


def modules_behind(name: str, attribute: str) -> list[str]:
    """Return the modules that an import reaches.

    A name comes from the submodule of that name, from where the package's literal ``_EXPORTS``
    says it lies, or from the package's own file. A whole package is all that it exports.
    """
    if attribute and path_of(f"{name}.{attribute}") is not None:
        return [f"{name}.{attribute}"]
    path = path_of(name)
    if path is None:
        return []
    if path.name != "__init__.py":
        return [name]
    exports = _exports(path, path.stat().st_mtime_ns)
    if attribute in exports:
        return [f"{name}.{exports[attribute]}"]
    everything = [] if attribute not in ("", "*") else sorted(set(exports.values()))
    return [name, *(f"{name}.{module}" for module in everything)]


def _spec_of(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError):  # a module made by hand, such as __main__
        return None


@lru_cache(maxsize=256)
def _exports(path: Path, _modified: int) -> Mapping[str, str]:
    """Return the literal ``_EXPORTS`` of a package: exported name -> module of the package."""
    return _export_table(ast.parse(path.read_bytes())) or {}


def _export_table(tree: ast.Module) -> Mapping[str, str] | None:
    """Return a module's literal ``_EXPORTS``, or None if it has none or computes it."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value: Any = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == "_EXPORTS" for t in targets):
            try:
                return dict(ast.literal_eval(value))
            except (TypeError, ValueError):  # computed: its names count as the package's own
                return None
    return None


def _references(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            yield from (f"{name}:{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import(node.func):
            names = node.args[:1]
            is_literal = len(node.args) == 1 and isinstance(names[0], ast.Constant)
            yield str(names[0].value) if is_literal else COMPUTED  # type: ignore[attr-defined]  # a constant


def _is_import(function: ast.expr) -> bool:
    """Return whether an expression is a function that imports a module by its name."""
    name = getattr(function, "attr", None) or getattr(function, "id", None)
    return name in ("import_module", "__import__")
