"""What the document of a nightly recipe stands for, and what it refuses."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Final, final

from plumbline.core.errors import ParameterError, RecipeError, nearest_names
from plumbline.core.parameters import refuse, shown
from plumbline.risk.analytic import Analytic
from plumbline.risk.analytic import analytics as room
from plumbline.risk.book import Conventions
from plumbline.risk.scenarios import Scenario
from plumbline.stages.data_section import NAME, closed, data_schema, mapping, section_problems
from plumbline.stages.kind import Place, Problem, Shape
from plumbline.stages.validation import made, plugin_schema, refusals, refused, schema_of
from plumbline.stages.yaml_text import read_yaml

ALL: Final = "all"
STRESS: Final = "stress"


@final
@dataclass(frozen=True)
class Span:
    """Which sessions are asked for.

    Parameters
    ----------
    first, last : both included; default: all on which a portfolio is open.
    sessions : the last so many of them.
    """

    first: date | None = None
    last: date | None = None
    sessions: int | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.first is not None and self.last is not None and self.first > self.last:
            problems.append(f"first={self.first} must not be after last={self.last}")
        if self.sessions is not None and self.sessions < 1:
            problems.append(f"sessions={self.sessions} must be at least 1")
        refuse(self, problems)

    def __str__(self) -> str:
        begin = "" if self.first is None else f" from {self.first}"
        end = "" if self.last is None else f" to {self.last}"
        count = "" if self.sessions is None else f", the last {self.sessions}"
        return f"{begin}{end}{count}".strip(" ,") or "of the book"


@final
@dataclass(frozen=True)
class Reading:
    """How prices and books are read.

    Parameters
    ----------
    is_adjusted : whether closes are adjusted for splits and dividends.
    by_lots, risk_free : as :class:`~plumbline.risk.book.Conventions`.
    benchmark, rates : symbols of the market and of long bonds.
    """

    is_adjusted: bool = False
    by_lots: bool = False
    risk_free: float = 0.0
    benchmark: str = "SPY"
    rates: str = "TLT"

    @property
    def conventions(self) -> Conventions:
        """Return how books are kept."""
        return Conventions(self.by_lots, self.risk_free)


_READING: Final = tuple(field.name for field in fields(Reading))


def nightly_schema(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the schema of a document, and the plug-ins that it names and nobody has."""
    data, problems = data_schema(mapping(document, "data"))
    names = sorted(mapping(document, "data"))
    one_of = {"enum": names} if names else {"type": "string"}
    chosen, more = _analytics_schema(document.get("analytics"))
    reading = schema_of(Reading)["properties"]
    schema = closed(
        {
            "name": NAME,
            "kind": {"const": "nightly"},
            "title": {"type": "string"},
            "book": NAME,
            "book_version": {"type": ["integer", "null"], "minimum": 1},
            "data": data,
            "prices": {"type": "array", "minItems": 1, "items": one_of},
            **reading,
            "analytics": chosen,
            "scenarios": {"type": ["string", "null"]},
            "dates": schema_of(Span),
            "on_code_change": {"enum": ["recompute", "keep"]},
        },
        "name",
        "kind",
        "book",
        "data",
    )
    return schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"}, problems + more


def _analytics_schema(given: object) -> tuple[dict[str, Any], list[Problem]]:
    if isinstance(given, Mapping):
        properties: dict[str, Any] = {}
        problems: list[Problem] = []
        for name in given:
            schema, more = plugin_schema(room, name, ("analytics", str(name)))
            problems += more
            properties[name] = schema | {"type": ["object", "null"]} if schema else {}
        return {"type": "object", "minProperties": 1, "properties": properties}, problems
    if isinstance(given, list):
        problems = [
            Problem(("analytics", str(i)), told)
            for i, name in enumerate(given)
            if (told := _listed_problem(name))
        ]
        return {"type": "array", "minItems": 1}, problems
    return {"const": ALL}, []


def _listed_problem(name: object) -> str:
    """Return what is wrong with an entry of a list of analytics; empty if nothing is."""
    if isinstance(name, str):
        return "" if name in room else f"no Analytic named {name!r}; {nearest_names(name, room)}"
    return (
        f"{shown(name)} must be a name, as a list holds no parameters; to give parameters, write "
        "a mapping of all that are chosen, such as {market_beta: {window_bars: 120}, tail: }"
    )


def nightly_problems(document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
    """Return what plug-ins and options refuse, wherever the shape holds."""
    found = section_problems(document, shape)
    found += refused(Span, mapping(document, "dates"), ("dates",), shape)
    given = {name: document[name] for name in _READING if name in document}
    found += [p for p in refusals(Reading, given, ()) if shape.is_whole(p.place)]
    chosen = document.get("analytics", ALL)
    if isinstance(chosen, Mapping) and shape.holds(("analytics",)):
        for name, values in chosen.items():
            if name in room:
                found += refused(room[name], values, ("analytics", name), shape)
    place = ("scenarios",)
    file = document.get("scenarios")
    if isinstance(file, str) and shape.holds(place):
        found += [Problem(place, text) for text in read_scenarios(base / file)[1]]
        if STRESS not in _names(chosen):
            found.append(Problem(place, "are read by the analytic stress, which is not chosen"))
        elif isinstance(chosen, Mapping) and (chosen[STRESS] or {}).get("scenarios"):
            found.append(Problem(place, "stand in analytics.stress too; give them once"))
    return found


def _names(chosen: object) -> list[str]:
    if isinstance(chosen, (Mapping, list)):
        return [str(name) for name in chosen]
    return list(room)


def reading_of(document: Mapping[str, Any]) -> Reading:
    """Return how a valid document reads prices and books."""
    return made(Reading, {name: document[name] for name in _READING if name in document}, "recipe")


def span_of(document: Mapping[str, Any]) -> Span:
    """Return the sessions that a valid document asks for."""
    return made(Span, document.get("dates") or {}, "dates")


def analytics_of(document: Mapping[str, Any], base: Path) -> dict[str, Analytic]:
    """Return the analytics of a valid document by name.

    Raises
    ------
    RecipeError
        If the file of scenarios has changed and is wrong.
    """
    chosen = document.get("analytics", ALL)
    reading = reading_of(document)
    common: dict[str, Any] = {"benchmark": reading.benchmark, "rates": reading.rates}
    if document.get("scenarios") is not None:
        scenarios, problems = read_scenarios(base / document["scenarios"])
        if problems:
            raise RecipeError("scenarios", problems)
        common["scenarios"] = scenarios
    found: dict[str, Analytic] = {}
    for name in sorted(_names(chosen)):
        own = {k: v for k, v in common.items() if k in room[name].__dataclass_fields__}
        given = chosen[name] or {} if isinstance(chosen, Mapping) else {}
        found[name] = made(room[name], {**own, **given}, f"analytics.{name}")
    return found


def read_scenarios(path: Path) -> tuple[tuple[Scenario, ...], list[str]]:
    """Return the scenarios of a file, and everything that is wrong with it.

    Parameters
    ----------
    path : YAML: a list of what :class:`~plumbline.risk.scenarios.Scenario` takes, each with a name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return (), [f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"]
    problems: list[str] = []
    given, _ = read_yaml(text, problems)
    if problems:
        return (), [f"{path}: {problem}" for problem in problems]
    if not isinstance(given, list) or not given:
        return (), [f"{path}: must be a list of scenarios, each with a name"]
    scenarios = []
    for at, values in enumerate(given):
        place: Place = (str(path), str(at + 1))
        if not isinstance(values, Mapping):
            problems.append(
                f"{path}, scenario {at + 1}: {shown(values)} must be a mapping with a name"
            )
            continue
        wrong = refusals(Scenario, values, place)
        problems += [f"{path}, scenario {at + 1}: {_told(p)}" for p in wrong]
        if not wrong:
            scenarios.append(made(Scenario, values, str(path)))
    names = [scenario.name for scenario in scenarios]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [f"{path}: two scenarios are named {name!r}" for name in twice]
    return tuple(scenarios), problems


def _told(problem: Problem) -> str:
    below = ".".join(problem.place[2:])
    return f"{below}: {problem.text}" if below else problem.text


def unknown_symbols(kinds: Mapping[str, Analytic], known: Set[str]) -> list[str]:
    """Return which analytics read symbols that prices lack, and what to do.

    Parameters
    ----------
    known : symbols that have a price.
    """
    readers: dict[tuple[str, ...], list[str]] = {}
    for name, kind in kinds.items():
        readers.setdefault(tuple(sorted(kind.symbols - known)), []).append(name)
    others = ", ".join(readers.pop((), []))
    found = [
        f"{', '.join(symbols)} {'has' if len(symbols) == 1 else 'have'} no prices, and "
        f"{'is' if len(symbols) == 1 else 'are'} read by the analytics {', '.join(names)}"
        for symbols, names in readers.items()
    ]
    if found:
        found.append(
            "add them to a data set of prices, name another benchmark or rates, or choose "
            f"analytics: [{others}]"
        )
    return found


def require_known(kinds: Mapping[str, Analytic], known: Set[str]) -> None:
    """Refuse analytics that read symbols without prices.

    Raises
    ------
    ParameterError
        With all of them.
    """
    problems = unknown_symbols(kinds, known)
    if problems:
        raise ParameterError("; ".join(problems))
