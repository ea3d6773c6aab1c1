"""Every plug-in, command, setting and link has its words."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from plumbline.core.settings import ARITHMETIC, ENVIRONMENT

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "plumbline"
ROOMS_OF_METHODS = ("plumbline.features.signals", "plumbline.factors.models")
ROOM = re.compile(r"^(\w+)(?::[^=\n]*)? = Room\(\s*\"([\w.]+)\"", re.MULTILINE)
REFERENCE = re.compile(r"^\s*References?\s*\n\s*-{4,}\s*\n\s*\S|\bReferences?: \S", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
SKIPPED_FOLDERS = {"node_modules", "build", "dist", "demo", "reports"}


def rooms() -> dict[str, tuple[str, str]]:
    """Return package -> (module, name) of every plug-in room that the source builds."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for name, package in ROOM.findall(path.read_text(encoding="utf-8")):
            module = path.relative_to(SOURCE.parent).with_suffix("").parts
            found[package] = (".".join(module), name)
    return found


def plugins() -> list[tuple[str, str]]:
    """Return (package, name) of every plug-in file, without importing any."""
    return [
        (package, file.stem)
        for package in sorted(rooms())
        for file in sorted(SOURCE.parent.joinpath(*package.split(".")).glob("*.py"))
        if not file.stem.startswith("_")
    ]


def plugin(package: str, name: str) -> type:
    module, room = rooms()[package]
    found: type = getattr(import_module(module), room)[name]
    return found


def pages() -> list[Path]:
    found = []
    for path in sorted(REPOSITORY.rglob("*.md")):
        folders = path.relative_to(REPOSITORY).parts[:-1]
        if not any(f.startswith(".") or f in SKIPPED_FOLDERS for f in folders):
            found.append(path)
    return found


def prose(path: Path) -> str:
    """Return the text of a page without its code."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    lines = CODE.sub(
        lambda m: m.group().strip("`") if "\n" not in m.group() else "", path.read_text()
    )
    headings = re.findall(r"^#+ +(.+?) *#*$", lines, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    broken = []
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    return broken


def headings_and_rows(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith(("#", "|")))


def is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def test_there_are_rooms_with_plugins():
    assert set(ROOMS_OF_METHODS) <= {package for package, _ in plugins()}


@pytest.mark.parametrize(("package", "name"), plugins(), ids=lambda value: value)
def test_a_plugin_says_what_it_does(package, name):
    cls = plugin(package, name)
    own = vars(cls).get("__doc__") or ""
    assert not own.startswith(f"{cls.__name__}("), "the docstring that dataclasses write"
    assert len(own.split()) >= 5
    inherited = "\n".join(base.__doc__ or "" for base in cls.__mro__)
    for field in inspect.signature(cls).parameters:
        assert is_named(field, inherited), f"{cls.__name__} does not explain {field}"


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package, name in plugins() if package in ROOMS_OF_METHODS],
    ids=lambda value: value,
)
def test_a_plugin_that_computes_a_published_method_names_its_source(package, name):
    assert REFERENCE.search(inspect.getdoc(plugin(package, name)) or "")


def test_every_command_has_a_heading():
    commands = [p.stem for p in (SOURCE / "cli" / "commands").glob("*.py")]
    text = headings_and_rows(REPOSITORY / "docs" / "cli.md")
    missing = [c for c in commands if c[0] != "_" and not is_named(c.replace("_", "-"), text)]
    assert missing == []


def test_every_setting_has_a_heading_or_row():
    text = headings_and_rows(REPOSITORY / "docs" / "settings.md")
    assert [name for name in (*ENVIRONMENT, *ARITHMETIC) if not is_named(name, text)] == []


def test_every_setting_that_the_pages_name_exists():
    named = {
        (path.name, name)
        for path in pages()
        for name in re.findall(r"\bPLUMBLINE_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
        if not name.startswith("PLUMBLINE_TEST")
    }
    assert sorted(pair for pair in named if pair[1] not in ENVIRONMENT) == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_relative_links_lead_somewhere(path):
    assert broken_links(path) == []


@pytest.mark.parametrize(
    "name",
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md", "LICENSE"],
)
def test_the_pages_that_everyone_looks_for_are_there(name):
    assert (REPOSITORY / name).read_text(encoding="utf-8").strip()


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# A `b` heading, here\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Top\n[a](other.md) [b](other.md#a-b-heading-here) [c](#top) [d](https://x.org/y)\n"
        "`[code](nowhere.md)`\n```\n[code](nowhere.md)\n```\n"
    )
    assert broken_links(page) == []
    page.write_text("[a](nowhere.md) [b](other.md#nothing) [c](#nothing) ![d](figure.svg)\n")
    assert broken_links(page) == ["nowhere.md", "other.md#nothing", "#nothing", "figure.svg"]


def test_a_missing_reference_or_name_is_found():
    assert REFERENCE.search("Text.\n\nReferences\n----------\nFama and French, 1993.")
    assert REFERENCE.search("Text. Reference: Fama and French, 1993.")
    assert not REFERENCE.search("Text without a source, by reference to none.")
    assert not REFERENCE.search("References\n----------\n")
    assert is_named("run", "## run")
    assert is_named("run", "| `run` | starts |")
    assert not is_named("run", "## runs\n| re-run |")
