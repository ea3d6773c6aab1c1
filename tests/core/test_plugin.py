import dataclasses
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.core.digest import digest
from plumbline.core.errors import (
    BrokenPluginError,
    MissingExtraError,
    ParameterError,
    UnhashableError,
    UnknownPluginError,
)
from plumbline.core.plugin import Plugin, Room

KIND = '''
"""The kind of the room."""

import dataclasses
from abc import ABC, abstractmethod

from plumbline.core.plugin import Plugin


@dataclasses.dataclass(frozen=True)
class Tool(Plugin, ABC):
    """A tool."""

    @abstractmethod
    def use(self) -> int:
        """Return a number."""
'''
HEAD = """
import dataclasses

from {package}.kind import Tool

"""
HAMMER = """
@dataclasses.dataclass(frozen=True)
class Hammer(Tool):
    weight: float = 1.0

    def use(self) -> int:
        return 1
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a package in a temporary folder whose sub-package ``tools`` is a room."""
    name = "workshop"
    for folder in (tmp_path / name, tmp_path / name / "tools"):
        folder.mkdir()
        (folder / "__init__.py").write_text("")
    (tmp_path / name / "kind.py").write_text(KIND)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield name
    for module in [m for m in sys.modules if m.split(".")[0] in (name, "outside")]:
        del sys.modules[module]


def add(package: str, stem: str, body: str) -> None:
    folder = Path(str(importlib.import_module(package).__file__)).parent / "tools"
    (folder / f"{stem}.py").write_text(HEAD.format(package=package) + body)
    importlib.invalidate_caches()


def register(tmp_path: Path, package: str, points: dict[str, str], dist: str = "extra") -> None:
    """Install a distribution that offers entry points to the room."""
    info = tmp_path / f"{dist}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{package}.tools]", *lines]) + "\n")
    importlib.invalidate_caches()


def room(package: str) -> Room:
    return Room(f"{package}.tools", importlib.import_module(f"{package}.kind").Tool)


def test_a_plugin_is_found_by_its_file_name(package):
    add(package, "hammer", HAMMER)
    add(package, "saw", HAMMER.replace("Hammer", "Saw"))
    add(package, "_shared", "")
    tools = room(package)
    assert list(tools) == ["hammer", "saw"]
    assert len(tools) == 2
    assert "hammer" in tools
    assert "_shared" not in tools
    assert "__init__" not in tools
    assert tools["hammer"].__name__ == "Hammer"
    assert tools["hammer"]().use() == 1
    assert tools.name_of(tools["saw"]()) == tools.name_of(tools["saw"]) == "saw"
    assert repr(tools) == f"Room({package}.tools: hammer, saw)"


def test_a_file_is_loaded_when_its_plugin_is_first_used(package):
    add(package, "hammer", HAMMER)
    add(package, "broken", "raise RuntimeError('loaded')")
    tools = room(package)
    assert "hammer" in tools
    assert list(tools) == ["broken", "hammer"]
    assert not {f"{package}.tools.hammer", f"{package}.tools.broken"} & set(sys.modules)
    first = tools["hammer"]
    assert f"{package}.tools.hammer" in sys.modules
    assert f"{package}.tools.broken" not in sys.modules
    assert tools["hammer"] is first
    with pytest.raises(BrokenPluginError, match="RuntimeError: loaded"):
        tools["broken"]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("import nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_file_line_and_cause(package, body, cause):
    add(package, "hammer", HAMMER)
    add(package, "broken", body)
    line = len((HEAD + body).splitlines())
    with pytest.raises(BrokenPluginError) as caught:
        room(package)["broken"]
    assert "the Tool 'broken' (workshop.tools.broken) cannot be loaded" in str(caught.value)
    assert cause in str(caught.value)
    assert f"tools/broken.py, line {line}]" in str(caught.value)
    assert type(caught.value.__cause__).__name__ == cause.split(":")[0]
    assert room(package)["hammer"].__name__ == "Hammer"


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("nowhere_at_all:Hammer", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("outside:Hamer", "AttributeError: module 'outside' has no attribute 'Hamer'"),
    ],
)
def test_an_entry_point_that_cannot_be_loaded_is_named_with_its_package(
    package, tmp_path, value, cause
):
    outside(tmp_path, package)
    register(tmp_path, package, {"hammer": value})
    with pytest.raises(BrokenPluginError) as caught:
        room(package)["hammer"]
    assert f"the Tool 'hammer' (the entry point {value} of the package extra)" in str(caught.value)
    assert cause in str(caught.value)


def test_an_error_of_our_own_passes_through_the_loading_of_a_plugin(package):
    add(
        package,
        "broken",
        "from plumbline.core.errors import MissingExtraError as E\nraise E('a', 'b')",
    )
    with pytest.raises(MissingExtraError):
        room(package)["broken"]


def test_an_unknown_name_is_answered_with_the_nearest(package):
    add(package, "hammer", HAMMER)
    tools = room(package)
    with pytest.raises(UnknownPluginError, match="no Tool named 'hamer'; did you mean 'hammer'"):
        tools["hamer"]
    with pytest.raises(KeyError):
        tools["zzz"]
    assert tools.get("zzz") is None


def test_a_class_that_is_not_in_the_room_has_no_name_there(package):
    add(package, "hammer", HAMMER)
    tools = room(package)
    with pytest.raises(UnknownPluginError, match="no Tool named 'Tool'"):
        tools.name_of(tools.kind)


def test_two_plugins_in_one_file_are_refused(package):
    add(package, "hammer", HAMMER + HAMMER.replace("Hammer", "Mallet"))
    with pytest.raises(ParameterError, match="must define one Tool; it defines: Hammer, Mallet"):
        room(package)["hammer"]


def test_a_file_without_a_plugin_is_refused(package):
    add(package, "hammer", "")
    with pytest.raises(ParameterError, match="must define one Tool; it defines: none"):
        room(package)["hammer"]


def test_imported_abstract_and_private_classes_beside_the_plugin_do_not_count(package):
    add(package, "mallet", HAMMER.replace("Hammer", "Mallet"))
    add(
        package,
        "hammer",
        f"from {package}.tools.mallet import Mallet\n"
        + HAMMER
        + HAMMER.replace("Hammer", "_Part")
        + "class Heavy(Tool):\n    pass\n",
    )
    assert room(package)["hammer"].__name__ == "Hammer"


@pytest.mark.parametrize(
    "body",
    [
        HAMMER.replace("@dataclasses.dataclass(frozen=True)\n", ""),
        "class Hammer(Tool):\n    def use(self) -> int:\n        return 1\n",
    ],
)
def test_a_plugin_that_is_no_frozen_dataclass_of_its_own_is_refused(package, body):
    add(package, "hammer", body)
    with pytest.raises(ParameterError, match=r"Hammer .* must be a frozen dataclass"):
        room(package)["hammer"]


def outside(tmp_path: Path, package: str, body: str = HAMMER) -> None:
    (tmp_path / "outside.py").write_text(HEAD.format(package=package) + body)


def test_a_plugin_outside_the_package_joins_by_entry_point(package, tmp_path):
    add(package, "saw", HAMMER.replace("Hammer", "Saw"))
    outside(tmp_path, package)
    register(tmp_path, package, {"hammer": "outside:Hammer"})
    tools = room(package)
    assert list(tools) == ["hammer", "saw"]
    assert len(tools) == 2
    assert "hammer" in tools
    assert "outside" not in sys.modules
    assert tools["hammer"].__module__ == "outside"
    assert tools.name_of(tools["hammer"]()) == "hammer"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Hammer = 3\n", "hammer is not a Tool: 3"),
        ("class Hammer:\n    pass\n", "hammer is not a Tool"),
        (HAMMER.replace("@dataclasses.dataclass(frozen=True)\n", ""), "must be a frozen dataclass"),
    ],
)
def test_an_entry_point_that_is_no_plugin_is_refused(package, tmp_path, body, message):
    outside(tmp_path, package, body)
    register(tmp_path, package, {"hammer": "outside:Hammer"})
    with pytest.raises(ParameterError, match=message):
        room(package)["hammer"]


def test_one_name_for_two_plugins_is_refused(package, tmp_path):
    outside(tmp_path, package)
    register(tmp_path, package, {"hammer": "outside:Hammer"})
    register(tmp_path, package, {"hammer": "outside:Other", "saw": "outside:Hammer"}, dist="more")
    tools = room(package)
    assert list(tools) == ["hammer", "saw"]
    assert tools["saw"].__name__ == "Hammer"
    with pytest.raises(ParameterError, match="two plug-ins named 'hammer'"):
        tools["hammer"]


def test_an_entry_point_cannot_take_the_name_of_a_file(package, tmp_path):
    add(package, "hammer", HAMMER)
    outside(tmp_path, package)
    register(tmp_path, package, {"hammer": "outside:Hammer"})
    with pytest.raises(ParameterError, match=r"named 'hammer'.*outside:Hammer"):
        room(package)["hammer"]


def test_a_room_without_a_folder_is_empty():
    tools = Room("plumbline.core.nowhere", Plugin)
    assert list(tools) == []
    with pytest.raises(UnknownPluginError, match="known: none"):
        tools["hammer"]


@dataclasses.dataclass(frozen=True)
class Window(Plugin):
    bars: int = 5
    inner: Plugin | None = None


@dataclasses.dataclass(frozen=True)
class Span(Plugin):
    bars: int = 5
    inner: Plugin | None = None


def test_a_fingerprint_is_that_of_class_and_fields():
    assert Window().fingerprint == Window(5).fingerprint
    prints = {
        plugin.fingerprint
        for plugin in (
            Window(),
            Window(6),
            Window(5, Window()),
            Window(5, Span()),
            Window(5, Window(6)),
            Span(),
            Span(5, Window()),
        )
    }
    assert len(prints) == 7


def test_classes_of_one_name_in_two_modules_have_two_fingerprints(package):
    for stem in ("hammer", "mallet"):
        add(package, stem, HAMMER)
    tools = room(package)
    assert tools["hammer"]().fingerprint != tools["mallet"]().fingerprint


def test_a_plugin_with_a_field_that_has_no_canonical_form_has_no_fingerprint():
    with pytest.raises(UnhashableError, match="inner"):
        digest(Window(inner=lambda: None))  # type: ignore[arg-type]  # what must fail
