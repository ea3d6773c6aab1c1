"""The rules of the house over ``src/plumbline``, each with planted offenders to catch."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"
FINANCE = ("kernels", "inference", "features", "factors")
MAX_LINES, MAX_BODY, MAX_PARAMETERS = 400, 60, 6
SHAPELESS_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
OUTSIDE_WORLD = {
    *("asyncio", "ftplib", "glob", "http", "httpx", "io", "logging", "multiprocessing", "os"),
    *("pathlib", "pickle", "random", "requests", "secrets", "shelve", "shutil", "smtplib"),
    *("socket", "sqlite3", "sqlalchemy", "ssl", "subprocess", "sys", "tempfile", "time", "urllib"),
    *("duckdb", "pyarrow", "webbrowser", "uuid", "zipfile"),
}
FILE_METHODS = {
    *("mkdir", "open", "read_bytes", "read_text", "rmdir", "touch", "unlink", "write_bytes"),
    *("write_text", "tofile", "read_csv", "read_parquet", "scan_csv", "scan_parquet"),
    *("write_csv", "write_parquet", "sink_parquet"),
}
NUMPY_FILES = {"fromfile", "load", "loadtxt", "memmap", "save", "savetxt", "savez", "genfromtxt"}
KEEPERS_OF_COMPILED_KERNELS = {
    "plumbline.kernels.compilation",
    "plumbline.kernels.compiling_processes",
    "plumbline.kernels.kernel_cache",
}
SEEDED = {"Generator", "Philox", "SeedSequence", "PCG64", "BitGenerator"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the package: its dotted name and its text."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        return [*self.name.split("."), ""][1]

    def functions(self) -> Iterator[tuple[Function, bool]]:
        """Yield every function, nested ones too, and whether it is a method."""
        for parent in ast.walk(self.tree):
            for child in ast.iter_child_nodes(parent):
                if isinstance(child, Function):
                    yield child, isinstance(parent, ast.ClassDef)

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]


def modules_of_the_package() -> list[Module]:
    found = []
    for path in sorted((SOURCE / "plumbline").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(name, path.read_text(encoding="utf-8"), is_package))
    return found


MODULES = modules_of_the_package()
PACKAGES = {module.name for module in MODULES if module.is_package}


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` of a name or attribute, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return dotted(node.func) if isinstance(node, ast.Call) else ""


def statements_after_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


def is_public(name: str) -> bool:
    return not name.startswith("_")


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return []


# --- the rules: a module to the list of its offences ---


def lines_over_budget(module: Module) -> list[str]:
    n_lines = len(module.text.splitlines())
    return [f"{n_lines} lines"] if n_lines > MAX_LINES else []


def bodies_over_budget(module: Module) -> list[str]:
    found: list[str] = []
    if ".migrations.versions." in module.name:  # a migration is a list of tables and columns
        return found
    for function, _ in module.functions():
        body = statements_after_docstring(function.body)
        n_lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if n_lines > MAX_BODY:
            found.append(f"{function.name}: {n_lines} lines")
    return found


def parameters_of(function: Function, *, is_method: bool) -> list[ast.arg]:
    given = function.args
    ordered = [*given.posonlyargs, *given.args]
    static = any(dotted(d) == "staticmethod" for d in function.decorator_list)
    named = ordered[1:] if is_method and not static else ordered
    return [*named, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]


def parameters_over_budget(module: Module) -> list[str]:
    return [
        f"{function.name}: {len(parameters_of(function, is_method=is_method))} parameters"
        for function, is_method in module.functions()
        if len(parameters_of(function, is_method=is_method)) > MAX_PARAMETERS
        and not is_command(module, function)
    ]


def is_command(module: Module, function: Function) -> bool:
    """Return whether a function's parameters are the options of a command, which typer reads."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    is_one = function.name == "command" or any(d.startswith("group.command(") for d in decorators)
    return module.name.startswith("plumbline.cli.commands.") and is_one


def missing_annotations(module: Module) -> list[str]:
    found = []
    for function, is_method in module.functions():
        bare = [
            arg.arg
            for arg in parameters_of(function, is_method=is_method)
            if arg.annotation is None
        ]
        found += [f"{function.name}: parameter {name}" for name in bare]
        found += [f"{function.name}: return"] if function.returns is None else []
    return found


def missing_docstrings(module: Module) -> list[str]:
    found = [] if ast.get_docstring(module.tree) else ["the module"]
    for node in module.tree.body:
        if isinstance(node, (ast.ClassDef, *Function.__args__)) and is_public(node.name):
            found += [] if ast.get_docstring(node) else [node.name]
        if isinstance(node, ast.ClassDef) and is_public(node.name):
            methods = [child for child in node.body if isinstance(child, Function)]
            found += [
                f"{node.name}.{method.name}"
                for method in methods
                if is_public(method.name) and not ast.get_docstring(method)
            ]
    return found


def shapeless_names(module: Module) -> list[str]:
    return sorted({part.lstrip("_") for part in module.name.split(".")} & SHAPELESS_NAMES)


def environment_reads(module: Module) -> list[str]:
    if module.name == "plumbline.core.settings":
        return []
    found = []
    for node in ast.walk(module.tree):
        if dotted(node) in ("os.environ", "os.getenv", "os.putenv", "os.environb"):
            found.append(f"line {node.lineno}: {dotted(node)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names} & {"environ", "getenv", "putenv"}
            found += [f"line {node.lineno}: from os import {name}" for name in names]
    return found


def effects_in_finance(module: Module) -> list[str]:
    if module.room not in FINANCE:
        return []
    if module.name in KEEPERS_OF_COMPILED_KERNELS:
        return []
    found = []
    for node in ast.walk(module.tree):
        outside = [m for m in imported_modules(node) if m.split(".")[0] in OUTSIDE_WORLD]
        settings = [m for m in imported_modules(node) if m == "plumbline.core.settings"]
        found += [f"line {node.lineno}: import of {name}" for name in outside + settings]
        if isinstance(node, ast.Call) and effect_of(node):
            found.append(f"line {node.lineno}: {effect_of(node)}")
    return found


def effect_of(call: ast.Call) -> str:
    """Return what a call does to the world, or nothing."""
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    if name in ("open", "print", "input", "exec", "eval", "breakpoint"):
        return name
    if last in ("import_module", "__import__"):
        return name
    if "." in name and last in FILE_METHODS:
        return name
    if name.startswith(("np.", "numpy.")) and last in NUMPY_FILES:
        return name
    if last in ("now", "utcnow", "today"):
        return name
    if last == "default_rng":
        return "" if call.args or call.keywords else name
    is_global = re.fullmatch(r"(np|numpy)\.random\.\w+", name) and last not in SEEDED
    return name if is_global else ""


def keeps_cause(last: ast.Raise, name: str | None) -> bool:
    """Return whether a raise raises again what was caught, or chains it to its own error."""
    return last.exc is None or (isinstance(last.cause, ast.Name) and last.cause.id == name)


def swallowed_exceptions(module: Module) -> list[str]:
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = "everything" if node.type is None else ast.unparse(node.type)
            broad = re.search(r"\b(everything|Exception|BaseException)\b", caught)
            last = node.body[-1]
            raises_again = (
                isinstance(last, ast.Raise) and node.type and keeps_cause(last, node.name)
            )
            if broad and not raises_again and module.room != "engine":
                found.append(f"line {node.lineno}: catches {caught} outside the engine")
            empty = all(
                isinstance(statement, ast.Pass)
                or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
                for statement in node.body
            )
            if empty:
                found.append(f"line {node.lineno}: swallows {caught}")
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress"):
            names = {dotted(argument) for argument in node.args}
            if names & {"Exception", "BaseException"}:
                found.append(f"line {node.lineno}: suppresses {', '.join(sorted(names))}")
    return found


def leftovers(module: Module) -> list[str]:
    words = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
    lines = enumerate(module.text.splitlines(), start=1)
    return [f"line {number}: {m.group()}" for number, line in lines if (m := words.search(line))]


def bare_ignores(module: Module) -> list[str]:
    """Find an ignored type error or lint without its code and its reason."""
    found = []
    for number, line in enumerate(module.text.splitlines(), start=1):
        if "# type: ignore" in line and not re.search(r"# type: ignore\[[\w, -]+\]\s+#\s*\w", line):
            found.append(f"line {number}: type: ignore")
        if "# noqa" in line and not re.search(
            r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\s+[#(]\s*\w", line
        ):
            found.append(f"line {number}: noqa")
    return found


def code_in_init(module: Module) -> list[str]:
    """Find what is neither docstring, constant table, type import nor lazy export."""
    if not module.is_package:
        return []
    found = []
    for node in statements_after_docstring(module.tree.body):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            allowed = set(imported_modules(node)) <= {"typing", "plumbline.core.fronts"}
        elif isinstance(node, ast.If):
            allowed = dotted(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        elif isinstance(node, Function):
            allowed = (module.name, node.name) == ("plumbline.cli", "main")
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
            allowed = all(dotted(call.func) == "front" for call in calls)
        else:
            allowed = False
        found += [] if allowed else [f"line {node.lineno}: {type(node).__name__}"]
    return found


def imports_from_init(module: Module) -> list[str]:
    """Find imports that name a package where the defining module belongs."""
    modules = {known.name for known in MODULES}
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [node.module] if not set(whole) <= modules else whole
        else:
            continue
        is_entry = module.name == "plumbline.__main__" and names == ["plumbline.cli"]
        if PACKAGES & set(names) and not is_entry:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def import_cycles(modules: list[Module]) -> list[str]:
    """Find circles of imports that run when the modules load."""
    known = {module.name for module in modules}
    graph = {module.name: sorted(loaded_by(module) & known) for module in modules}
    done: set[str] = set()
    found: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for below in graph[name]:
                visit(below, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    return found


def loaded_by(module: Module) -> set[str]:
    """Return what a module imports when it loads: not in functions, not for type checks."""
    names: set[str] = set()
    waiting: list[ast.AST] = [*module.tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (*Function.__args__, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING"):
            waiting += node.orelse
            continue
        names.update(imported_modules(node))
        if isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)
    return names


def open_plugins(modules: list[Module]) -> list[str]:
    """Find plug-in classes that are neither abstract nor a final frozen dataclass."""
    classes = [(module, cls) for module in modules for cls in module.classes()]
    plugins = heirs_of({"Plugin"}, classes)
    guarded = heirs_of({"ABC", "Protocol"}, classes)
    found = []
    for module, cls in classes:
        declares = any(
            dotted(decorator).endswith("abstractmethod")
            for method in cls.body
            if isinstance(method, Function)
            for decorator in method.decorator_list
        )
        if declares and cls.name not in guarded:
            found.append(f"{module.name}.{cls.name}: abstract methods without ABC")
        if declares or cls.name not in plugins:
            continue
        decorators = {dotted(decorator).rpartition(".")[2] for decorator in cls.decorator_list}
        frozen = any("frozen=True" in ast.unparse(decorator) for decorator in cls.decorator_list)
        if not ({"final", "dataclass"} <= decorators and frozen):
            found.append(f"{module.name}.{cls.name}: neither abstract nor final and frozen")
    return found


def heirs_of(roots: set[str], classes: list[tuple[Module, ast.ClassDef]]) -> set[str]:
    """Return the names of all classes that inherit, directly or not, from the roots."""
    heirs: set[str] = set()
    while True:
        more = {
            cls.name
            for _, cls in classes
            if {dotted_base(base) for base in cls.bases} & (roots | heirs)
        }
        if more <= heirs:
            return heirs
        heirs |= more


def dotted_base(base: ast.expr) -> str:
    return dotted(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]


def misnamed_plugins(modules: list[Module]) -> list[str]:
    """Find files of a plug-in room whose name is not that of their class."""
    rooms = {
        str(node.args[0].value)
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and dotted(node.func).rpartition(".")[2] == "Room"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    found = []
    for module in modules:
        package, _, stem = module.name.rpartition(".")
        if package in rooms and is_public(stem):
            names = {cls.name.lower() for cls in module.classes() if is_public(cls.name)}
            if stem.replace("_", "") not in names:
                found.append(f"{module.name} defines no class of its name")
    return found


MODULE_RULES: dict[Callable[[Module], list[str]], list[Module]] = {
    lines_over_budget: [Module("plumbline.core.x", "a = 1\n" * 401)],
    bodies_over_budget: [
        Module("plumbline.core.x", 'def f():\n    """Doc."""\n' + "    a = 1\n" * 61),
        Module("plumbline.core.x", "class A:\n    async def f(self):\n" + "        a = 1\n" * 61),
    ],
    parameters_over_budget: [
        Module("plumbline.core.x", "def f(a, b, c, d, e, f, g): ..."),
        Module("plumbline.core.x", "def f(a, b, c, /, d, *e, f, **g): ..."),
        Module("plumbline.core.x", "class A:\n    def f(self, a, b, c, d, e, f, g): ..."),
        Module("plumbline.core.x", "class A:\n    @staticmethod\n    def f(a,b,c,d,e,f,g): ..."),
        Module("plumbline.cli.commands.x", "def helper(a, b, c, d, e, f, g): ..."),
        Module("plumbline.core.x", "def command(a, b, c, d, e, f, g): ..."),
    ],
    missing_annotations: [
        Module("plumbline.core.x", "def f(a) -> int: ..."),
        Module("plumbline.core.x", "def f(a: int): ..."),
        Module("plumbline.core.x", "def f(*a, b: int = 1) -> int: ..."),
        Module("plumbline.core.x", "def f() -> int:\n    def g(a): ..."),
        Module("plumbline.core.x", "class A:\n    def f(self): ..."),
    ],
    missing_docstrings: [
        Module("plumbline.core.x", "a = 1"),
        Module("plumbline.core.x", '"""Doc."""\ndef f(): ...'),
        Module("plumbline.core.x", '"""Doc."""\nclass A: ...'),
        Module("plumbline.core.x", '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...'),
    ],
    shapeless_names: [
        Module("plumbline.core.utils", ""),
        Module("plumbline.kernels._helpers", ""),
        Module("plumbline.common.x", ""),
    ],
    environment_reads: [
        Module("plumbline.cli.x", "import os\nos.environ['HOME']"),
        Module("plumbline.cli.x", "import os\nos.getenv('HOME')"),
        Module("plumbline.cli.x", "from os import environ"),
    ],
    effects_in_finance: [
        Module("plumbline.kernels.x", code)
        for code in (
            "open('a')",
            "from pathlib import Path",
            "import time",
            "import requests",
            "from urllib.request import urlopen",
            "import os.path",
            "from plumbline.core.settings import read_settings",
            "path.write_text('a')",
            "frame.write_parquet('a')",
            "np.load('a')",
            "numpy.memmap('a')",
            "datetime.now()",
            "datetime.now(UTC)",
            "date.today()",
            "np.random.standard_normal(3)",
            "np.random.seed(3)",
            "np.random.default_rng()",
            "default_rng()",
            "import random",
            "import_module('plumbline.features.' + name)",
            "importlib.import_module(name)",
            "__import__(name)",
            "print(3)",
            "def f():\n    import subprocess",
        )
    ],
    swallowed_exceptions: [
        Module("plumbline.engine.x", "try:\n    f()\nexcept Exception:\n    pass"),
        Module("plumbline.engine.x", "try:\n    f()\nexcept ValueError:\n    ..."),
        Module("plumbline.lake.x", "try:\n    f()\nexcept Exception:\n    g()"),
        Module("plumbline.lake.x", "try:\n    f()\nexcept (ValueError, BaseException):\n    g()"),
        Module("plumbline.lake.x", "try:\n    f()\nexcept:\n    raise"),
        Module("plumbline.lake.x", "try:\n    f()\nexcept Exception as e:\n    raise A()"),
        Module(
            "plumbline.lake.x", "try:\n    f()\nexcept Exception as e:\n    raise A() from None"
        ),
        Module("plumbline.engine.x", "with contextlib.suppress(Exception):\n    f()"),
    ],
    leftovers: [
        Module("plumbline.core.x", "a = 1  # TODO: later"),
        Module("plumbline.core.x", "raise NotImplementedError"),
    ],
    bare_ignores: [
        Module("plumbline.core.x", "a = 1  # type: ignore"),
        Module("plumbline.core.x", "a = 1  # type: ignore[arg-type]"),
        Module("plumbline.core.x", "a = 1  # noqa"),
        Module("plumbline.core.x", "a = 1  # noqa: S101"),
    ],
    code_in_init: [
        Module("plumbline.core", code, is_package=True)
        for code in (
            "from plumbline.core.panel import Panel",
            "import numpy",
            "def f(): ...",
            "class A: ...",
            "a = f()",
            "def __getattr__(name): ...",
            "for a in b: ...",
            "if a:\n    import numpy",
        )
    ],
    imports_from_init: [
        Module("plumbline.factors.x", "from plumbline.kernels import rolling_ols"),
        Module("plumbline.factors.x", "from plumbline import Panel"),
        Module("plumbline.factors.x", "import plumbline.kernels"),
        Module("plumbline.factors.x", "def f():\n    from plumbline.core import Panel"),
        Module("plumbline.factors.x", "from plumbline import kernels"),
    ],
}
GOOD = Module(
    "plumbline.kernels.good",
    '''
"""A kernel."""

import numpy as np

from plumbline.core.errors import ParameterError


class Fit:
    """A fit."""

    def residual(self, a: int, b: int, c: int, d: int, e: int, f: int) -> int:
        """Return what is left."""
        return a


def mean(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the mean."""
    try:
        return np.mean(x) + np.random.default_rng(3).random()
    except ValueError as error:
        raise ParameterError("x") from error  # noqa: TRY003  # because


value = 1  # type: ignore[assignment]  # because
'''.lstrip(),
)
GOOD_INIT = Module(
    "plumbline.kernels",
    '''
"""A room."""

from typing import TYPE_CHECKING

from plumbline.core.fronts import front

if TYPE_CHECKING:
    from plumbline.kernels.regression import rolling_ols as rolling_ols

_EXPORTS = {"rolling_ols": "regression"}

__getattr__, __dir__, __all__ = front(__name__, _EXPORTS)
'''.lstrip(),
    is_package=True,
)


@pytest.mark.parametrize("rule", MODULE_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    offences = [f"{module.name}: {what}" for module in MODULES for what in rule(module)]
    assert offences == []


@pytest.mark.parametrize(
    ("rule", "offender"),
    [(rule, module) for rule, planted in MODULE_RULES.items() for module in planted],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_rule_catches_a_planted_offender(rule, offender):
    assert rule(offender)


@pytest.mark.parametrize("rule", MODULE_RULES, ids=lambda rule: rule.__name__)
def test_the_rule_lets_good_code_pass(rule):
    assert rule(GOOD) == []
    assert rule(GOOD_INIT) == []


def test_no_modules_import_each_other_in_a_circle():
    assert import_cycles(MODULES) == []


def test_a_planted_circle_is_found_and_a_lazy_import_is_none():
    a = Module("plumbline.a", "from plumbline.b import x")
    b = Module("plumbline.b", "from plumbline.c import x")
    assert import_cycles([a, b, Module("plumbline.c", "import plumbline.a")])
    assert import_cycles(
        [a, b, Module("plumbline.c", "try:\n    import plumbline.a\nfinally: ...")]
    )
    lazy = Module("plumbline.c", "def f():\n    import plumbline.a")
    checked = Module("plumbline.c", "if TYPE_CHECKING:\n    import plumbline.a")
    assert import_cycles([a, b, lazy]) == import_cycles([a, b, checked]) == []


def test_plugin_classes_are_abstract_or_final_frozen_dataclasses():
    assert open_plugins(MODULES) == []


def test_an_open_plugin_class_is_found():
    kind = "class Signal(Plugin, ABC):\n    @abstractmethod\n    def f(self): ...\n"
    good = "@final\n@dataclass(frozen=True)\nclass A(Signal): ...\n"
    assert open_plugins([Module("plumbline.x", kind + good)]) == []
    for bad in (
        "@dataclass(frozen=True)\nclass A(Signal): ...\n",
        "@final\nclass A(Signal): ...\n",
        "@final\n@dataclass\nclass A(Signal): ...\n",
        good + "class B(A): ...\n",
        "class Kind(Plugin):\n    @abstractmethod\n    def f(self): ...\n",
    ):
        assert open_plugins([Module("plumbline.x", kind + bad)]), bad


def test_a_plugin_file_has_the_name_of_its_class():
    assert misnamed_plugins(MODULES) == []


def test_a_misnamed_plugin_file_is_found():
    room = Module("plumbline.signal", 'signals = Room("plumbline.signals", Signal)')
    code = "class VolShock(Signal): ..."
    assert misnamed_plugins([room, Module("plumbline.signals.vol_shock", code)]) == []
    assert misnamed_plugins([room, Module("plumbline.signals.volatility", code)])


def test_every_exported_name_is_there():
    for name in sorted(PACKAGES):
        package = import_module(name)
        for export in getattr(package, "__all__", ()):
            assert getattr(package, export) is not None, f"{name}.{export}"


def import_linter(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the package that lies in a folder by the contracts of the repository."""
    arguments = ["--no-cache", "--config", str(REPOSITORY / ".importlinter")]
    program = f"from importlinter.cli import lint_imports_command as run; run({arguments!r})"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


def test_imports_point_down_only():
    done = import_linter(SOURCE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_that_point_up_or_across_are_found(tmp_path):
    rooms = ["core", "kernels", "inference", "features", "factors", "risk"]
    rooms += ["ledger", "lake", "store", "engine"]
    for room in [*rooms, "stages", "report", "cli", ""]:
        (tmp_path / "plumbline" / room).mkdir(parents=True, exist_ok=True)
        (tmp_path / "plumbline" / room / "__init__.py").write_text("")
    assert import_linter(tmp_path).returncode == 0
    wrong = [
        ("core", "kernels"),
        ("kernels", "inference"),
        ("inference", "features"),
        ("features", "factors"),
        ("factors", "risk"),
        ("risk", "lake"),
        ("ledger", "lake"),
        ("lake", "store"),
        ("store", "engine"),
        ("store", "risk"),
        ("risk", "store"),
        ("factors", "lake"),
        ("engine", "features"),
        ("features", "stages"),
        ("engine", "stages"),
        ("stages", "report"),
        ("report", "cli"),
        ("report", "kernels"),
    ]
    for importer, imported in wrong:
        file = tmp_path / "plumbline" / importer / f"uses_{imported}.py"
        file.write_text(f"import plumbline.{imported}")
    done = import_linter(tmp_path)
    assert done.returncode == 1
    for importer, imported in wrong:
        assert f"plumbline.{importer}.uses_{imported} -> plumbline.{imported}" in done.stdout
