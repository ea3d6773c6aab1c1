"""Write a page for each signal, factor model and other method from its docstring.

Run: python docs/make_pages.py
"""

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOMS: Mapping[str, tuple[str, str, str]] = {
    "signals": ("plumbline.features.signal", "signals", "signals"),
    "models": ("plumbline.factors.model", "models", "model"),
    "regimes": ("plumbline.factors.regime", "regimes", "regimes"),
}
"""Folder of pages -> module and name of the room, and the section of a recipe that takes them."""

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_ROLE = re.compile(r":(?:func|class|mod|meth):`~?([\w.]+)`")


def pages() -> dict[Path, str]:
    """Return the path and the text of every page, those that list the pages included."""
    found: dict[Path, str] = {}
    for folder, (module, name, section) in ROOMS.items():
        room = getattr(import_module(module), name)
        plugins = {key: room[key] for key in sorted(room)}
        for key, cls in plugins.items():
            found[DOCS / folder / f"{key}.md"] = _page(key, cls, section)
        found[DOCS / folder / "README.md"] = _index(folder, plugins)
    return found


def _index(folder: str, plugins: Mapping[str, type]) -> str:
    rows = [f"| [{key}]({key}.md) | {_summary(cls)} |" for key, cls in plugins.items()]
    head = [f"# {folder.capitalize()}", "", "| Name | What it is |", "|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _page(key: str, cls: type, section: str) -> str:
    parts = _sections(cls)
    lines = [f"# {key}", "", *_prose(parts.pop("")), ""]
    fields = {field.name: field for field in dataclasses.fields(cls)}
    if fields:
        lines += ["## Parameters", "", "| Parameter | Default | Meaning |", "|---|---|---|"]
        for name, text in _entries(parts.pop("Parameters", "")):
            names = [n.strip() for n in name.split(",")]
            default = ", ".join(_default(fields[n]) for n in names)
            lines.append(f"| `{name}` | {default} | {_cell(text)} |")
        lines.append("")
    lines += ["## In a recipe", "", "```yaml", *_recipe(key, cls, section), "```", ""]
    lines += _needs(cls)
    parts.pop("Parameters", None)
    for title, text in parts.items():
        shown = _listed(text) if title in ("Raises", "Attributes") else _prose(text)
        lines += [f"## {title}", "", *shown, ""]
    return "\n".join(lines).rstrip() + "\n"


def _recipe(key: str, cls: type, section: str) -> list[str]:
    values = [
        f"{field.name}: {_yaml(field.default)}"
        for field in dataclasses.fields(cls)
        if field.default is not dataclasses.MISSING
    ]
    if section != "model":
        return [f"{section}:", f"  {key}: {{{', '.join(values)}}}"]
    return [f"{section}:", f"  {section}: {key}", *(f"  {value}" for value in values)]


def _needs(cls: type) -> list[str]:
    """Return what a method needs with its default parameters, if it says so."""
    made: Any = cls()
    told = []
    if hasattr(made, "requires"):
        told.append(f"reads {', '.join(f'`{name}`' for name in sorted(made.requires()))}")
    if hasattr(made, "warm_up"):
        told.append(f"looks back over {made.warm_up} bars before its own")
    if isinstance(getattr(made, "least_bars", None), int):
        told.append(f"has its first value at bar {made.least_bars} of its fields")
    return ["With its defaults it " + ", ".join(told) + ".", ""] if told else []


def _sections(cls: type) -> dict[str, str]:
    """Return the parts of a docstring by title; the part before the first title has none."""
    text = inspect.getdoc(cls) or ""
    pieces = _SECTION.split(text)
    return {"": pieces[0]} | dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _listed(text: str) -> list[str]:
    """Return entries of a name and what lies indented below it."""
    entries = re.split(r"\n(?=\S)", text.strip())
    parted = [entry.partition("\n") for entry in entries]
    return [f"- `{name.strip()}`: {_plain(' '.join(words.split()))}" for name, _, words in parted]


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the words of each parameter."""
    for entry in re.split(r"\n(?=\S)", text.strip()):
        name, _, words = entry.partition(" : ")
        yield name.strip(), " ".join(words.split())


def _summary(cls: type) -> str:
    return _cell((inspect.getdoc(cls) or "").split("\n\n")[0])


def _prose(text: str) -> list[str]:
    """Return paragraphs, one line each; an indented block stays as it is."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        is_code = all(line.startswith("    ") for line in paragraph.splitlines())
        found += ["", paragraph if is_code else _plain(" ".join(paragraph.split()))]
    return found[1:]


def _cell(text: str) -> str:
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _plain(text: str) -> str:
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


def _default(field: Any) -> str:
    if field.default is dataclasses.MISSING:
        return "required" if field.default_factory is dataclasses.MISSING else "see below"
    return f"`{_yaml(field.default)}`"


def _yaml(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def main() -> None:
    """Write the pages, and take away those of methods that are gone."""
    written = pages()
    for folder in ROOMS:
        (DOCS / folder).mkdir(exist_ok=True)
        for path in (DOCS / folder).glob("*.md"):
            if path not in written:
                path.unlink()
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(written)} pages in {DOCS}")


if __name__ == "__main__":
    main()
