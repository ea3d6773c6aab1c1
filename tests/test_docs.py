"""Every plug-in, command, setting and link has its words."""

import ast
import dataclasses
import inspect
import itertools
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from plumbline.core.errors import ParameterError
from plumbline.core.settings import ARITHMETIC, ENVIRONMENT
from plumbline.factors.model import models
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.regime import regimes
from plumbline.features.signal import signals
from plumbline.features.universe import UniverseRules
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.risk.analytic import analytics
from plumbline.stages.kind import Gate
from plumbline.stages.nightly_parts import analytics_of
from plumbline.stages.recipe import load_recipe
from plumbline.stages.study_schema import study_schema
from plumbline.stages.validation import schema_of

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "plumbline"
ROOMS_OF_METHODS = (
    "plumbline.features.signals",
    "plumbline.factors.models",
    "plumbline.factors.regimes",
)
ROOM = re.compile(r"^(\w+)(?::[^=\n]*)? = Room\(\s*\"([\w.]+)\"", re.MULTILINE)
REFERENCE = re.compile(r"^\s*References?\s*\n\s*-{4,}\s*\n\s*\S|\bReferences?: \S", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(CODE_BLOCK.pattern + r"|`[^`\n]*`", re.MULTILINE | re.DOTALL)
SKIPPED_FOLDERS = {"node_modules", "build", "dist", "demo", "reports"}
IN_RECIPES = (*ROOMS_OF_METHODS, "plumbline.lake.sources")
RECIPES = REPOSITORY / "docs" / "recipes.md"
RISK = REPOSITORY / "docs" / "risk.md"
NIGHTLY = REPOSITORY / "docs" / "nightly.md"
CLOSED = ("universe", "factors", "neutralise", "evaluation")
STUDY: dict[str, Any] = {
    "name": "x",
    "data": {"stocks": {"source": "csv", "paths": ["stocks.csv"], "calendar": "XNYS"}},
    "universe": {"prices": "stocks"},
    "factors": {"data": "stocks", "definitions": {"market": "A"}},
    "signals": {"momentum": {}},
}
IMPORTED_AS = {
    "scikit-learn": "sklearn",
    "opentelemetry-sdk": "opentelemetry",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "pyyaml": "yaml",
    "psycopg[binary]": "psycopg",
    "alphalens-reloaded": "alphalens",
}


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


def key_rows(text: str, word: str) -> dict[str, tuple[str, str]]:
    """Return key -> (default, allowed) of the tables under the headings that name a word."""
    found = {}
    parts = re.split(r"^#+ +(.+)$", CODE_BLOCK.sub("", text), flags=re.MULTILINE)
    for heading, part in zip(parts[1::2], parts[2::2], strict=True):
        rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", part, re.MULTILINE)
        if is_named(word, heading):
            cells = {key: re.split(r"(?<!\\)\|", rest) for key, rest in rows}
            found.update({k: (c[1].strip(), c[2].strip()) for k, c in cells.items()})
    return found


def recipe_classes() -> dict[str, type]:
    """Return heading -> class of everything in a recipe that a class of ours checks."""
    found: dict[str, type] = {"rules": CleaningRules, "evaluation": EvaluationOptions}
    found |= {"membership": UniverseRules}
    found |= {name: plugin(package, name) for package, name in plugins() if package in IN_RECIPES}
    return {**found, "gates": Gate}


def recipe_keys() -> dict[str, set[str]]:
    """Return heading -> keys of everything that a recipe may hold."""
    document = {**STUDY, "data": {"stocks": {"dataset": "x"}}, "regimes": {"threshold": {}}}
    schema, problems = study_schema(document)
    assert problems == []
    top = schema["properties"]
    own = {
        "signals": top["signals"]["properties"]["momentum"],
        "model": top["model"],
        "regimes": top["regimes"]["properties"]["threshold"],
    }
    shared = {
        "signals": signals["momentum"],
        "model": models["rolling_regression"],
        "regimes": regimes["threshold"],
    }
    classes = recipe_classes()
    return {
        "Top level": set(top),
        "data": set(top["data"]["properties"]["stocks"]["properties"]),
        **{name: set(own[name]["properties"]) - set(fields_of(shared[name])) for name in own},
        **{name: set(top[name]["properties"]) for name in CLOSED},
        **{name: set(fields_of(cls)) for name, cls in classes.items()},
    }


def fields_of(cls: Any) -> dict[str, Any]:
    """Return parameter -> default of a dataclass; MISSING where there is none."""
    return {
        field.name: field.default
        if field.default_factory is dataclasses.MISSING
        else field.default_factory()
        for field in dataclasses.fields(cls)
    }


def as_written(value: Any) -> str:
    """Return a value as the tables of recipes.md show it."""
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, (tuple, list)):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def dependency_comments(text: str) -> list[tuple[str, str]]:
    """Return the name and the comment of each dependency of a pyproject.toml."""
    project = tomllib.loads(text)["project"]
    extras = itertools.chain(*project["optional-dependencies"].values())
    known = [*project["dependencies"], *extras]
    lines = re.findall(r"^ *\"([^\"]+)\", *#? *(.*)$", text, re.MULTILINE)
    found = [(spec, comment) for spec, comment in lines if spec in known]
    assert sorted(spec for spec, _ in found) == sorted(known), "each dependency has its own line"
    return [(re.split(r"[>=<~! ]", spec)[0], comment) for spec, comment in found]


def untrue_places(name: str, comment: str, needing: set[str]) -> list[str]:
    """Return the places that a dependency's comment names and that do not need it.

    Parameters
    ----------
    name : the dependency.
    comment : ``file or folder, …: what for``, or ``needed by other, …: what for``.
    needing : what else may need a dependency: dependencies, and targets of make.
    """
    said, _, _ = comment.partition(":")
    if said.startswith("needed by "):
        others = said.removeprefix("needed by ").split(", ")
        return [other for other in others if other not in needing - {name}]
    module = IMPORTED_AS.get(name, name.replace("-", "_"))
    return [p for p in said.split(", ") if not any(imports(f, module) for f in files_at(p))]


def files_at(place: str) -> list[Path]:
    """Return the Python files of a place, named from src/plumbline or from the repository."""
    found = [root / place for root in (SOURCE, REPOSITORY) if place and (root / place).exists()]
    return [f for at in found for f in ([at] if at.is_file() else sorted(at.rglob("*.py")))]


def imports(path: Path, module: str) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.suffix == ".py" else ast.Module([])
    named = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any(name.split(".")[0] == module for name in named)


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


def test_every_key_of_a_recipe_has_a_row_and_every_row_its_key():
    text = RECIPES.read_text(encoding="utf-8")
    rows = {heading: set(key_rows(text, heading)) for heading in recipe_keys()}
    lacking = {heading: keys - rows[heading] for heading, keys in recipe_keys().items()}
    needless = {heading: rows[heading] - keys for heading, keys in recipe_keys().items()}
    assert {heading: keys for heading, keys in lacking.items() if keys} == {}
    assert {heading: keys for heading, keys in needless.items() if keys} == {}


def test_the_rows_of_a_class_say_its_defaults_and_choices():
    text = RECIPES.read_text(encoding="utf-8")
    wrong = []
    for heading, cls in recipe_classes().items():
        schema = schema_of(cls)["properties"]
        for name, default in fields_of(cls).items():
            if name not in key_rows(text, heading):
                wrong.append(f"docs/recipes.md has no row {name} under a heading {heading}")
                continue
            said, allowed = key_rows(text, heading)[name]
            is_required = default is dataclasses.MISSING
            expected = "required" if is_required else as_written(default)
            if (said == "required") != is_required or (
                default is not None and expected not in said
            ):
                wrong.append(f"default of {heading}.{name}: {said}, not {expected}")
            choices = map(as_written, schema[name].get("enum", []))
            wrong += [f"{heading}.{name} may be {c}" for c in choices if c not in allowed]
    assert wrong == []


def test_the_rows_of_a_study_say_its_defaults():
    text = RECIPES.read_text(encoding="utf-8")
    resolved = load_recipe(STUDY).resolved
    told = {**STUDY, "title": "the name"}
    top = {k: v for k, v in resolved.items() if k not in told and not isinstance(v, dict)}
    given = {("Top level", name): value for name, value in top.items() if value not in (None, [])}
    given |= {("neutralise", "betas"): resolved["neutralise"]["betas"]}
    given |= {("evaluation", name): value for name, value in resolved["evaluation"].items()}
    assert len(given) >= 10
    for (heading, name), value in given.items():
        row = key_rows(text, heading).get(name, ("",))
        assert as_written(value) in row[0], f"docs/recipes.md, {heading}: {name}"


def rows_of_analytics(text: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return analytic -> parameter -> (default, allowed) of the page's table of them."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for row in re.findall(r"^\| `(\w+)` \| (`\w+`|none) \|(.*)\|$", text, re.MULTILINE):
        analytic, parameter, rest = row
        _, default, allowed = (cell.strip() for cell in rest.split("|"))
        own = found.setdefault(analytic, {})
        if parameter != "none":
            own[parameter.strip("`")] = (default, allowed)
    return found


def test_the_rows_of_analytics_are_their_parameters_with_defaults_and_bounds():
    rows = rows_of_analytics(RISK.read_text(encoding="utf-8"))
    assert {name: set(own) for name, own in rows.items()} == {
        name: set(fields_of(analytics[name])) for name in analytics
    }
    for name, own in rows.items():
        for parameter, default in fields_of(analytics[name]).items():
            said, allowed = own[parameter]
            if parameter == "min_obs":
                assert (default, said) == (None, "60 % of the window, rounded up")
                assert allowed == f"{analytics[name]().least_obs} to `window_bars`"
            elif parameter == "scenarios":
                assert "DEFAULT_SCENARIOS" in said
                assert len(default) == 7, said
            else:
                assert said == as_written(default), (name, parameter)
            if parameter == "window_bars":
                least, most = (int(bound.replace(",", "")) for bound in allowed.split(" to "))
                for inside in (least, most):
                    assert analytics[name](window_bars=inside).window_bars == inside
                for outside in (least - 1, most + 1):
                    with pytest.raises(ParameterError):
                        analytics[name](window_bars=outside)


def test_all_analytics_with_one_of_other_parameters_are_written_as_the_page_says():
    (block,) = re.findall(r"```yaml\n(analytics:.*?)```", RISK.read_text("utf-8"), re.DOTALL)
    chosen = analytics_of(yaml.safe_load(block), REPOSITORY)
    assert set(chosen) == set(analytics)
    changed = [name for name, analytic in chosen.items() if analytic != analytics[name]()]
    assert changed == ["market_beta"]
    (said,) = re.findall(
        r"mapping of all that are .* such as `(\{.*\})` \|", NIGHTLY.read_text("utf-8")
    )
    assert set(analytics_of({"analytics": yaml.safe_load(said)}, REPOSITORY)) == {
        "market_beta",
        "tail",
    }


def test_a_missing_row_of_the_recipes_page_is_found():
    page = (
        "## csv and parquet\n| `a` | of both | `1` | `x`, `y` |\n"
        "## csv\n| `b` | mark `\\|` | the one of `\\|` | one |\n"
        "```\n# csv\n| `c` | in code | no | no |\n```\n"
    )
    assert key_rows(page, "parquet") == {"a": ("`1`", "`x`, `y`")}
    assert key_rows(page, "csv") == {"a": ("`1`", "`x`, `y`"), "b": ("the one of `\\|`", "one")}
    assert key_rows(page, "rules") == {}


def test_the_comment_of_a_dependency_names_what_needs_it():
    comments = dependency_comments((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    needing = {name for name, _ in comments} | {f"make {target}" for target in make_rules()}
    untrue = {
        name: places
        for name, comment in comments
        if (places := untrue_places(name, comment, needing))
    }
    assert untrue == {}


def test_an_untrue_comment_of_a_dependency_is_found():
    needing = {"polars", "pyyaml", "make test"}
    for comment in (
        "stages/recipe.py: recipes",
        "stages: recipes",
        "stages/recipe.py, stages/yaml_text.py: recipes",
        "tests/stages/test_recipe.py: recipes",
        "needed by polars, make test: recipes",
    ):
        assert untrue_places("pyyaml", comment, needing) == []
    for comment, places in {
        "": [""],
        "recipes": ["recipes"],
        "stages/no_such_file.py: recipes": ["stages/no_such_file.py"],
        "stages/recipe.py, stages/kind.py: recipes": ["stages/kind.py"],
        "ledger: recipes": ["ledger"],
        "README.md: recipes": ["README.md"],
        "needed by pyyaml, polars: recipes": ["pyyaml"],
        "needed by make tea: recipes": ["make tea"],
    }.items():
        assert untrue_places("pyyaml", comment, needing) == places


def make_rules() -> set[str]:
    """Return the targets that the Makefile has rules for."""
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):(?!=)", text, re.MULTILINE))


def test_every_phony_target_of_make_has_a_rule_and_every_rule_is_told():
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert set(phony.split()) == make_rules()
    assert make_rules() - {"help"} == set(re.findall(r'@echo "make (\w+) ', text))


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
