"""Recipes: YAML documents that say which data, which stages and which parameters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import yaml

from plumbline.core.arguments import Argument, require
from plumbline.core.digest import digest
from plumbline.core.errors import (
    ParameterError,
    PlumblineError,
    RecipeError,
    UnknownPluginError,
    nearest_name,
)
from plumbline.engine.pipeline import DataSet, Pipeline
from plumbline.stages.kind import DataSpec, GraphKind, Kind, Place, Problem, kinds
from plumbline.stages.origin import Origin
from plumbline.stages.validation import plain, problems_of
from plumbline.stages.yaml_text import Lines, read_value, read_yaml

DEFAULT_KIND = "factor_study"


@final
@dataclass(frozen=True)
class Recipe:
    """A valid recipe.

    Parameters
    ----------
    name : says in the ledger which results belong together.
    base : folder that the recipe's paths start from.
    kind : the pipeline it describes.
    document : what was written, with overrides, and without optional keys that hold nothing.
    resolved : the same with every default filled in.
    origin : where it was written.
    """

    name: str
    base: Path
    kind: Kind = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    resolved: Mapping[str, Any] = field(repr=False)
    origin: Origin = field(default_factory=Origin, repr=False, compare=False)

    @property
    def text(self) -> str:
        """Return the resolved recipe as YAML."""
        return yaml.safe_dump(plain(self.resolved), sort_keys=False, allow_unicode=True)

    @property
    def digest(self) -> str:
        """Return the digest of the resolved recipe; order of keys does not count."""
        return digest(json.dumps(plain(self.resolved), sort_keys=True))

    @property
    def data(self) -> Mapping[str, DataSpec]:
        """Return the data sets it needs, and how to ingest them."""
        return self.kind.data(self.document)

    def pipeline(self, datasets: Mapping[str, DataSet]) -> Pipeline:
        """Return the graph of stages over data sets that are there.

        Raises
        ------
        RecipeError
            If the recipe and the data do not fit, such as an asset that the data lack; every
            problem is listed, with its line.
        """
        kind = self.graph_kind
        unmet = kind.unmet(self.document, datasets, self.base)
        if unmet:
            raise self.origin.error(unmet)
        return kind.build(self.document, datasets, self.base)

    @property
    def is_graph(self) -> bool:
        """Return whether it stands for a graph of blocks, which the engine runs."""
        return isinstance(self.kind, GraphKind)

    @property
    def graph_kind(self) -> GraphKind:
        """Return its kind, whose recipes stand for a graph.

        Raises
        ------
        ParameterError
            If its kind is another; it says which commands take it.
        """
        if not isinstance(self.kind, GraphKind):
            kind = self.resolved["kind"]
            raise ParameterError(
                f"{self.origin.subject} is of kind {kind}, which has no graph of blocks; it is for "
                "plumbline risk plan, plumbline risk run, and plumbline run"
            )
        return self.kind

    def warnings(self, datasets: Mapping[str, DataSet]) -> tuple[str, ...]:
        """Return what of it cannot be computed from these data, and why, as far as axes tell."""
        return self.graph_kind.warnings(self.document, datasets, self.base)


def load_recipe(
    source: str | Path | Mapping[str, object],
    overrides: Sequence[str] = (),
    base: Path | None = None,
) -> Recipe:
    """Read, override and validate a recipe.

    Parameters
    ----------
    source : a file, or the document itself.
    overrides : ``key=value`` with dots for nesting, such as ``model.window=126``, and a number from
        0 for an entry of a list, such as ``gates.0.at_least=2``; values are YAML, or plain text
        where they are none.
    base : folder that paths start from; default: the file's own, or the working folder.

    Raises
    ------
    RecipeError
        If anything is wrong; every problem is listed, with its line and the nearest right name.
    ParameterError
        If an argument is of another kind; every such is named.
    """
    require(
        Argument(
            "source", source, isinstance(source, (str, Path, Mapping)), "a file or a document"
        ),
        overrides_argument(overrides),
        Argument("base", base, isinstance(base, Path | None), "a Path or None"),
    )
    if isinstance(source, Mapping):
        document, subject = plain(source), "recipe"
        lines: Lines = {}
        base = base or Path.cwd()
    else:
        path = Path(source)
        subject = f"recipe {path}"
        document, lines = _parse(_read(path), subject)
        base = base or path.resolve().parent
    found = [Problem((), f"--set {text}") for text in _override(document, overrides, lines)]
    origin = Origin(subject, lines)
    kind = _kind_of(document, origin, found)
    document, misspelt = kind.meant(document)
    found += [*misspelt, *problems_of(kind, document, base)]
    if any(problem.is_sure for problem in found):
        raise origin.error(found)
    return Recipe(str(document["name"]), base, kind, document, kind.resolved(document), origin)


def overrides_argument(overrides: object) -> Argument:
    """Return the argument ``overrides`` of a public function, looked at."""
    texts = overrides if isinstance(overrides, (list, tuple)) else (None,)
    is_allowed = all(isinstance(text, str) for text in texts)
    return Argument(
        "overrides", overrides, is_allowed, "a list of texts key=value, as ['model.window=126']"
    )


def _kind_of(document: dict[str, Any], origin: Origin, found: list[Problem]) -> Kind:
    """Return the kind of a document; one that nobody has is taken for the nearest, a problem."""
    name = document["kind"] if document.get("kind") is not None else DEFAULT_KIND
    try:
        return kinds[str(name)]()
    except PlumblineError as error:
        found.append(Problem(("kind",), str(error)))
        near = nearest_name(str(name), kinds) if isinstance(error, UnknownPluginError) else None
        if near is None:
            raise origin.error(found) from error
        document["kind"] = near
        return kinds[near]()


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Return ``key=value`` texts as a nested document.

    Raises
    ------
    RecipeError
        If a text cannot be read; every problem is listed.
    """
    document: dict[str, Any] = {}
    problems = _override(document, overrides, {})
    if problems:
        raise RecipeError("command line", problems)
    return document


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        folder = path.parent if path.parent.is_dir() else Path()
        message = f"there is no such file; {recipes_in(folder)}"
        raise RecipeError(f"recipe {path}", [message]) from error
    except IsADirectoryError as error:
        message = f"this is a folder; name a recipe; {recipes_in(path)}"
        raise RecipeError(f"recipe {path}", [message]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path}", [f"cannot be read: {error}"]) from error


def recipes_in(folder: Path) -> str:
    """Return which recipes lie in a folder, for messages."""
    names = sorted(path.name for path in folder.glob("*.y*ml") if path.is_file())
    return f"recipes in {folder.resolve()}: {', '.join(names) or 'none'}"


def _parse(text: str, subject: str) -> tuple[dict[str, Any], Lines]:
    problems: list[str] = []
    document, lines = read_yaml(text, problems)
    if problems:
        raise RecipeError(subject, problems)
    if not isinstance(document, dict):
        found = "is empty" if document is None else f"holds {str(document)[:40]!r}, no recipe"
        raise RecipeError(
            subject, [f"{found}; must be a mapping with keys such as name, data and signals"]
        )
    return document, lines


def _override(document: dict[str, Any], overrides: Sequence[str], lines: Lines) -> list[str]:
    """Set keys of a document; what is set has line 0 from then on, which is no line of the file."""
    problems = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            problems.append(f"{text!r} must read key=value, such as model.window=126")
            continue
        wrong: list[str] = []
        parsed = read_value(value, wrong)
        if wrong:
            problems += [f"{text!r}: {why}" for why in wrong]
            continue
        path = tuple(key.strip().split("."))
        problem = _set(document, path, parsed, lines)
        if problem:
            problems.append(f"{text!r}: {problem}")
        else:
            _move(path, lines)
    return problems


def _set(document: dict[str, Any], path: Place, value: Any, lines: Lines) -> str:
    """Set what stands at a path; return why it cannot be, or an empty text."""
    holder: Any = document
    for depth, step in enumerate(path):
        at: Any = step
        if isinstance(holder, list):
            if not (step.isdecimal() and int(step) < len(holder)):
                there = f"0 … {len(holder) - 1}" if holder else "nothing"
                return f"{'.'.join(path[:depth])} holds {there}; {step!r} is none of them"
            at = int(step)
        elif not isinstance(holder, dict):
            return f"{path[depth - 1]} has no keys of its own"
        if depth == len(path) - 1:
            holder[at] = value
            break
        below = holder[at] if isinstance(holder, list) else holder.get(at)
        if below is None:
            below = holder[at] = {}
            lines.setdefault(path[: depth + 1], 0)
        holder = below
    return ""


def _move(place: Place, lines: Lines) -> None:
    for below in [key for key in lines if key[: len(place)] == place]:
        del lines[below]
    lines[place] = 0
