"""Each question is asked in a fresh process, as a user's next command would."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import wraps
from pathlib import Path

import pytest

from plumbline.core.errors import StageError, UnhashableError
from plumbline.engine import imports
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.pipeline import Node, Pipeline
from plumbline.engine.project import Project, create_project
from tests.engine.toys import Prices, Returns, Wealth

REPOSITORY = Path(__file__).resolve().parents[2]

STAGE = """
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage
"""
FILES = {
    "toypack/__init__.py": """
from importlib import import_module

_EXPORTS = {"shown": "inner.shown", "unused": "inner.unused"}


def __getattr__(name):
    if name not in _EXPORTS:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
""",
    "toypack/inner/__init__.py": "",
    "toypack/inner/shown.py": "def shown(x):\n    return x + 1\n",
    "toypack/inner/unused.py": "def unused(x):\n    return x\n",
    "toypack/near.py": "from .far import FAR\n\ndef near(x):\n    return x * FAR\n",
    "toypack/far.py": "FAR = 2\n",
    "toypack/lazy.py": "def lazy(x):\n    return -x\n",
    "toypack/plugin.py": "from dataclasses import dataclass\nfrom plumbline.core.plugin import "
    "Plugin\n\n@dataclass(frozen=True)\nclass Knob(Plugin):\n    value: int = 1\n",
    "toypack/other.py": "from dataclasses import dataclass\nfrom plumbline.core.plugin import "
    "Plugin\n\n@dataclass(frozen=True)\nclass Knob(Plugin):\n    value: int = 1\n",
    "beside.py": "def beside(x):\n    return x\n",
    "toypack/one.py": STAGE
    + '''
from toypack import shown
from toypack.near import near

@dataclass(frozen=True)
class One(Stage):
    """Adds."""

    knobs: Any = ()

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run it."""
        from toypack.lazy import lazy
        import beside
        return lazy(near(shown(beside.beside(1))))  # a comment
''',
    "toypack/two.py": STAGE
    + """
import toypack.near

@dataclass(frozen=True)
class Two(Stage):
    def run(self, inputs: Mapping[str, Any]) -> Any:
        return toypack.near.near(1)
""",
}
ASK = """
import json, sys
from pathlib import Path
from plumbline.engine.code_digest import CodeDigests
from plumbline.engine.project import create_project
from toypack import one, two, plugin, other

project = create_project(Path(sys.argv[1]))
stages = {
    "one": one.One(), "two": two.Two(),
    "tuple": one.One((plugin.Knob(),)),
    "mapping": one.One({"a": [plugin.Knob()]}),
    "key": one.One({plugin.Knob(): 1}),
    "other": one.One((other.Knob(),)),
}
codes = CodeDigests(project.database)
found = {name: codes.of(stage) for name, stage in stages.items()}
codes.save()
print(json.dumps({n: [c.digest, dict(c.files), dict(c.libraries)] for n, c in found.items()}))
"""


Answer = Mapping[str, tuple[str, dict[str, str], dict[str, str]]]


class Package:
    """A package on disk, and what a fresh process makes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in FILES:
            self.write(name, FILES[name])

    def write(self, name: str, text: str) -> None:
        path = self.root / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / "code" / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def ask(self) -> Answer:
        before = os.environ.get("PYTHONPATH", "")
        path = os.pathsep.join([str(self.root / "code"), str(REPOSITORY), before])
        done = subprocess.run(
            [sys.executable, "-c", ASK, str(self.root / "project")],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: Answer = json.loads(done.stdout)
        return found


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    return Package(tmp_path_factory.mktemp("untouched")).ask()


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_exactly_the_files_reached_by_import_count(before: Answer) -> None:
    found = before
    own = {n for n in found["one"][1] if not n.startswith("plumbline.")}
    assert own == {
        "toypack",  # runs before what is in it
        "toypack.inner",
        "toypack.one",
        "toypack.inner.shown",
        "toypack.near",
        "toypack.far",
        "toypack.lazy",
        "beside",
    }
    assert {n for n in found["two"][1] if not n.startswith("plumbline.")} == {
        "toypack",
        "toypack.two",
        "toypack.near",
        "toypack.far",
    }
    rooms = {n.split(".")[1] for n in found["one"][1] if n.startswith("plumbline.")}
    assert rooms == {"core"}
    assert "plumbline.core.panel" in found["one"][1]
    assert set(found["one"][2]) >= {"python", "numpy"}


def test_plug_ins_nested_in_tuples_and_mappings_bring_their_files(before: Answer) -> None:
    found = before
    assert {name for name in found if "toypack.plugin" in found[name][1]} == {
        "tuple",
        "mapping",
        "key",
    }
    assert "toypack.other" in found["other"][1]
    assert found["tuple"][0] != found["other"][0] != found["one"][0]


def test_comments_docstrings_and_layout_do_not_count_and_code_does(
    package: Package, before: Answer
) -> None:
    package.edit("toypack/one.py", "  # a comment", "")
    package.edit("toypack/one.py", '"""Adds."""\n\n', '"""Adds, or so."""\n')
    package.edit("toypack/one.py", '        """Run it."""\n', "")
    package.edit("toypack/near.py", "return x * FAR", "return (\n        x\n        * FAR\n    )")
    package.edit("toypack/inner/unused.py", "return x", "return x + 100")
    assert changed(before, package.ask()) == set()
    package.edit("toypack/lazy.py", "return -x", "return +x")
    assert changed(before, package.ask()) == set(before) - {"two"}


@pytest.mark.parametrize(
    ("name", "old", "new", "outdated"),
    [
        ("toypack/far.py", "2", "3", {"one", "two", "tuple", "mapping", "key", "other"}),
        ("toypack/inner/shown.py", "+ 1", "+ 2", {"one", "tuple", "mapping", "key", "other"}),
        ("beside.py", "return x", "return 2 * x", {"one", "tuple", "mapping", "key", "other"}),
        ("toypack/plugin.py", "value: int = 1", "value: int = 2", {"tuple", "mapping", "key"}),
        ("toypack/two.py", "near(1)", "near(2)", {"two"}),
    ],
)
def test_an_edited_file_outdates_the_stages_that_reach_it_and_no_others(
    package: Package, before: Answer, name: str, old: str, new: str, outdated: set[str]
) -> None:
    package.edit(name, old, new)
    after = package.ask()
    assert changed(before, after) == outdated
    module = name.removesuffix(".py").replace("/", ".")
    for stage in outdated:
        files = before[stage][1].keys() | after[stage][1].keys()
        assert {f for f in files if before[stage][1].get(f) != after[stage][1].get(f)} == {module}


def test_a_package_imported_as_a_whole_counts_with_all_it_exports(package: Package) -> None:
    package.edit("toypack/two.py", "import toypack.near", "import toypack\nimport toypack.near")
    files = set(package.ask()["two"][1])
    assert {"toypack", "toypack.inner.shown", "toypack.inner.unused"} <= files


def test_what_runs_before_a_module_and_what_is_imported_by_its_name_count(package: Package) -> None:
    package.write("toypack/inner/__init__.py", "SIGN = 1\n")
    package.edit(
        "toypack/two.py",
        "import toypack.near",
        "import importlib\nimport toypack.near\nbeside = importlib.import_module('beside')",
    )
    before = package.ask()
    assert "beside" in before["two"][1]
    package.edit("toypack/inner/__init__.py", "1", "2")
    package.edit("beside.py", "return x", "return -x")
    assert {"one", "two"} <= changed(before, package.ask())


def test_a_name_that_is_computed_refuses_the_cache(package: Package) -> None:
    package.edit(
        "toypack/far.py",
        "FAR = 2",
        "FAR = 2\nimport importlib\nimportlib.import_module('js' + 'on')",
    )
    with pytest.raises(AssertionError, match=r"toypack\.far imports by a name that it computes"):
        package.ask()


def test_a_library_without_a_version_counts_by_its_files(package: Package) -> None:
    package.write("site-packages/loose.py", "LOOSE = 1\n")
    package.write("sitecustomize.py", "import sys\nsys.path.append(__path_of_loose__)\n")
    place = str(package.root / "code" / "site-packages")
    package.edit("sitecustomize.py", "__path_of_loose__", repr(place))
    package.edit("toypack/two.py", "import toypack.near", "import toypack.near\nimport loose")
    before = package.ask()
    assert "loose" in before["two"][1]
    package.edit("site-packages/loose.py", "1", "2")
    assert changed(before, package.ask()) == {"two"}


def test_a_parameter_with_a_fingerprint_brings_its_file(package: Package) -> None:
    text = "class Knob:\n    fingerprint = 'always'\n    def turn(self):\n        return 1\n"
    package.write("toypack/other.py", text)
    before = package.ask()
    package.edit("toypack/other.py", "return 1", "return 2")
    assert changed(before, package.ask()) == {"other"}


def test_versions_of_libraries_count(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    before = project.codes.of(Prices())
    assert before.libraries["numpy"] == metadata.version("numpy")
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == "numpy" else real(name))
    imports.versions_of.cache_clear()
    after = CodeDigests(project.database).of(Prices())
    imports.versions_of.cache_clear()
    assert after.libraries["numpy"] == "99.0"
    assert (after.digest != before.digest, after.files) == (True, before.files)


def test_stages_of_one_file_share_a_digest_and_the_machinery_is_not_in_it(
    project: Project,
) -> None:
    code = project.codes.of(Prices())
    assert code is project.codes.of(Returns())
    assert code.digest == project.codes.of(Wealth()).digest
    rooms = {name.split(".")[1] for name in code.files if name.startswith("plumbline.")}
    assert rooms == {"core"}


def test_what_was_read_out_of_a_file_is_kept_and_gives_the_same_digest(project: Project) -> None:
    code = project.codes.of(Prices())
    project.codes.save()
    import plumbline.engine.code_digest as module

    @wraps(module.parse)
    def refuse(source: bytes, path: Path) -> None:
        raise AssertionError(f"{path} is parsed again")

    fresh = CodeDigests(project.database)
    original = module.parse
    try:
        module.parse = refuse  # type: ignore[assignment]
        assert fresh.of(Prices()).digest == code.digest
    finally:
        module.parse = original


def test_projects_of_one_process_read_a_file_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = project.codes.of(Prices())

    def refuse(source: bytes) -> None:
        raise AssertionError(f"{source[:80]!r} is parsed again")

    other = create_project(tmp_path / "other")
    with monkeypatch.context() as patch:  # pytest itself parses what it shows of a failure
        patch.setattr(imports.ast, "parse", refuse)
        assert other.codes.of(Prices()) == code


@pytest.mark.parametrize("home", ["a_module_made_by_hand", "tests.engine.toys"])
def test_a_class_without_a_source_file_is_refused(project: Project, home: str) -> None:
    space = {"__name__": home}
    exec(STAGE + "@dataclass(frozen=True)\nclass Typed(Stage):\n    run = None\n", space)  # noqa: S102  # as a prompt does
    cls: object = space["Typed"]
    assert isinstance(cls, type)
    cls.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    with pytest.raises(UnhashableError, match="Typed has no source file"):
        project.codes.of(cls())


def test_a_file_edited_between_import_and_digest_is_refused(tmp_path: Path) -> None:
    from plumbline.engine.project import create_project

    package = Package(tmp_path)
    sys.path.insert(0, str(tmp_path / "code"))
    try:
        from toypack.two import Two  # type: ignore[import-not-found]

        package.edit("toypack/far.py", "2", "5")
        with pytest.raises(StageError, match=r"far\.py was edited after this process loaded it"):
            create_project(tmp_path / "project").codes.of(Two())
    finally:
        sys.path.remove(str(tmp_path / "code"))
        for name in [n for n in sys.modules if n.split(".")[0] == "toypack"]:
            del sys.modules[name]


def test_a_file_edited_after_it_was_read_stops_the_run(tmp_path: Path) -> None:
    from plumbline.engine.project import create_project

    package = Package(tmp_path)
    sys.path.insert(0, str(tmp_path / "code"))
    try:
        from toypack.two import Two

        project = create_project(tmp_path / "project")
        codes = project.codes
        codes.of(Two())
        codes.refuse_moved_files()
        far = tmp_path / "code" / "toypack" / "far.py"
        os.utime(far, (0, 0))
        codes.refuse_moved_files()  # equal content under another time
        package.edit("toypack/far.py", "2", "5")
        edited = pytest.raises(StageError, match=r"far\.py was edited after this process read it")
        with edited:
            codes.refuse_moved_files()
        with edited:  # rather than plan by code that does not run any more
            project.engine.plan(Pipeline("p", (Node("two", Two()),)))
    finally:
        sys.path.remove(str(tmp_path / "code"))
        for name in [n for n in sys.modules if n.split(".")[0] == "toypack"]:
            del sys.modules[name]
