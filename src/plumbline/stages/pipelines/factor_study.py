"""The factor study: from prices to the evaluation of signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from plumbline.core.calendar import bars_a_year
from plumbline.core.errors import ParameterError, RecipeError, nearest_names
from plumbline.engine.pipeline import DataInput, DataSet, Node, Pipeline
from plumbline.factors.factor_returns import legs_of
from plumbline.factors.model import FactorModel, models
from plumbline.factors.options import EvaluationOptions
from plumbline.features.signal import Signal, signals
from plumbline.lake.cleaning_rules import CleaningRules
from plumbline.lake.dataset import grid_of
from plumbline.lake.source import sources
from plumbline.stages.compute_returns import ComputeReturns
from plumbline.stages.compute_signal import ComputeSignal
from plumbline.stages.derive_factor_returns import DeriveFactorReturns
from plumbline.stages.evaluate_signal import EvaluateSignal
from plumbline.stages.fit_factor_model import FitFactorModel
from plumbline.stages.kind import DataSpec, Gate, Kind, Problem
from plumbline.stages.neutralise_signal import NeutraliseSignal
from plumbline.stages.sectors import read_sectors
from plumbline.stages.summarise_model import SummariseModel
from plumbline.stages.validation import filled, made, plugin_schema, schema_of

_DERIVED = frozenset({"return", "residual_return"})
_MODEL = "rolling_regression"
_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"}


@final
@dataclass(frozen=True)
class FactorStudy(Kind):
    """Signals on a universe of assets: factor model, signals, evaluation."""

    def schema(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the schema of a document; see :meth:`Kind.schema`."""
        data, problems = _data_schema(_mapping(document, "data"))
        named, more = _signals_schema(_mapping(document, "signals"))
        problems += more
        model, more = _model_schema(_mapping(document, "model"))
        problems += more
        names = sorted(_mapping(document, "data"))
        return _schema(data, named, model, names), problems

    def resolved(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document with every default; see :meth:`Kind.resolved`."""
        full = {
            "name": document["name"],
            "kind": "factor_study",
            "title": document.get("title", document["name"]),
            "data": {name: _resolved_data(name, spec) for name, spec in document["data"].items()},
            "universe": {"assets": None, **document["universe"]},
            "factors": dict(document["factors"]),
            "model": {"model": _model_name(document), **filled(_model(document))},
            "signals": {
                label: {"signal": _signal_name(label, spec), **filled(_signal(label, spec))}
                for label, spec in document["signals"].items()
            },
            "neutralise": {"betas": False, "sectors": None, **(document.get("neutralise") or {})},
            "evaluation": filled(_options(document)),
            "rolling_bars": document.get("rolling_bars", 252),
            "headline_horizon_bars": document.get("headline_horizon_bars"),
            "block_bars": document.get("block_bars", 512),
            "on_code_change": document.get("on_code_change", "recompute"),
            "gates": [filled(gate) for gate in self.gates(document)],
        }
        problems = _headline_problems(full)
        try:
            legs_of(full["factors"]["definitions"])
        except ParameterError as error:
            problems.append(str(error))
        if problems:
            raise RecipeError("recipe", problems)
        return full

    def data(self, document: Mapping[str, Any]) -> Mapping[str, DataSpec]:
        """Return the data sets of a document; see :meth:`Kind.data`."""
        return {name: _data_spec(name, spec) for name, spec in document["data"].items()}

    def build(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> Pipeline:
        """Return the graph of a document; see :meth:`Kind.build`."""
        full = self.resolved(document)
        stocks = datasets[full["universe"]["prices"]]
        legs = datasets[full["factors"]["data"]]
        chosen = {label: _signal(label, spec) for label, spec in document["signals"].items()}
        problems = _data_problems(full, stocks, legs, chosen)
        assets = full["universe"]["assets"]
        universe = stocks.assets if assets is None else tuple(sorted(set(assets)))
        sectors: tuple[tuple[str, str], ...] = ()
        if full["neutralise"]["sectors"] is not None:
            path = base / full["neutralise"]["sectors"]
            sectors, more = read_sectors(path, universe)
            problems += more
        if problems:
            raise RecipeError("recipe", problems)
        wiring = _Wiring(full, stocks, legs, None if assets is None else universe, sectors)
        nodes = [*wiring.model_nodes(_model(document))]
        for label, signal in chosen.items():
            nodes += wiring.signal_nodes(label, signal, _options(document))
        return Pipeline(full["name"], tuple(nodes), full["on_code_change"])

    def gates(self, document: Mapping[str, Any]) -> tuple[Gate, ...]:
        """Return the gates of a document; see :meth:`Kind.gates`."""
        return tuple(made(Gate, gate, "gates") for gate in document.get("gates") or ())


@final
@dataclass(frozen=True)
class _Wiring:
    full: Mapping[str, Any]
    stocks: DataSet
    legs: DataSet
    assets: tuple[str, ...] | None
    sectors: tuple[tuple[str, str], ...]

    def model_nodes(self, model: FactorModel) -> list[Node]:
        size = self.full["block_bars"]
        definitions = self.full["factors"]["definitions"]
        prices = DataInput(self.legs, ("close",), legs_of(definitions))
        derive = DeriveFactorReturns(tuple(sorted(definitions.items())), size)
        reads = {"returns": "returns", "factors": "factor_returns"}
        return [
            Node("returns", ComputeReturns(size), {"prices": self._prices("close")}),
            Node("factor_returns", derive, {"prices": prices}),
            Node("factor_model", FitFactorModel(model, size), reads),
            Node("factor_fit", SummariseModel(), {"model": "factor_model"}),
        ]

    def signal_nodes(self, label: str, signal: Signal, options: EvaluationOptions) -> list[Node]:
        size = self.full["block_bars"]
        name = f"signal:{label}"
        nodes = [Node(name, ComputeSignal(signal, size), self._signal_inputs(signal))]
        neutral = self.full["neutralise"]
        if neutral["betas"] or self.sectors:
            inputs: dict[str, str | DataInput] = {"signal": name}
            if neutral["betas"]:
                inputs["model"] = "factor_model"
            name = f"neutral:{label}"
            nodes.append(Node(name, NeutraliseSignal(self.sectors, size), inputs))
        evaluation = EvaluateSignal(label, options, self.full["rolling_bars"])
        reads: dict[str, str | DataInput] = {"signal": name, "prices": self._prices("close")}
        return [*nodes, Node(f"evaluation:{label}", evaluation, reads)]

    def _signal_inputs(self, signal: Signal) -> dict[str, str | DataInput]:
        requires = signal.requires()
        inputs: dict[str, str | DataInput] = {}
        if requires - _DERIVED:
            inputs["prices"] = self._prices(*sorted(requires - _DERIVED))
        if "return" in requires:
            inputs["returns"] = "returns"
        if "residual_return" in requires:
            inputs["model"] = "factor_model"
        return inputs

    def _prices(self, *fields: str) -> DataInput:
        return DataInput(self.stocks, fields, self.assets)


def _schema(
    data: dict[str, Any], named: dict[str, Any], model: dict[str, Any], names: list[str]
) -> dict[str, Any]:
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    one_of = {"enum": names} if names else text
    definitions = {"type": "object", "minProperties": 1, "additionalProperties": text}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["name", "data", "universe", "factors", "signals"],
        "additionalProperties": False,
        "properties": {
            "name": _NAME,
            "kind": {"const": "factor_study"},
            "title": text,
            "data": data,
            "universe": _closed(
                {"prices": one_of, "assets": {"type": ["array", "null"], "items": text}},
                "prices",
            ),
            "factors": _closed({"data": one_of, "definitions": definitions}, "data", "definitions"),
            "model": model,
            "signals": named,
            "neutralise": _closed(
                {"betas": {"type": "boolean"}, "sectors": {"type": ["string", "null"]}}
            ),
            "evaluation": schema_of(EvaluationOptions),
            "rolling_bars": whole,
            "headline_horizon_bars": {"type": ["integer", "null"], "minimum": 1},
            "block_bars": whole,
            "on_code_change": {"enum": ["recompute", "keep"]},
            "gates": {"type": "array", "items": schema_of(Gate)},
        },
    }


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _data_schema(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    properties: dict[str, Any] = {}
    problems: list[Problem] = []
    own = {
        "source": {"type": "string"},
        "calendar": {"type": "string"},
        "rules": schema_of(CleaningRules),
        "dataset": _NAME,
    }
    for name, spec in data.items():
        if not isinstance(spec, Mapping):
            properties[name] = {"type": "object"}
        elif "source" in spec:
            schema, more = plugin_schema(sources, spec["source"], ("data", name, "source"))
            problems += more
            properties[name] = _extended(schema, own, "calendar")
        else:
            properties[name] = _closed(own, "dataset")
    schema = {"type": "object", "minProperties": 1, "properties": properties}
    return schema | {"additionalProperties": {"type": "object"}}, problems


def _signals_schema(named: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    properties: dict[str, Any] = {}
    problems: list[Problem] = []
    for label, spec in named.items():
        name = _signal_name(label, spec)
        schema, more = plugin_schema(signals, name, ("signals", label))
        problems += more
        extended = _extended(schema, {"signal": {"type": "string"}})
        properties[label] = extended | {"type": ["object", "null"]} if schema else {}
    return {"type": "object", "minProperties": 1, "properties": properties}, problems


def _model_schema(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    schema, problems = plugin_schema(models, spec.get("model", _MODEL), ("model", "model"))
    return _extended(schema, {"model": {"type": "string"}}), problems


def _extended(schema: dict[str, Any], more: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return a plug-in's schema with our own keys beside its parameters."""
    if not schema:
        return {}
    properties = {**more, **schema.get("properties", {})}
    needed = [*schema.get("required", []), *required]
    return {**schema, "properties": properties, "required": needed}


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _without(spec: Mapping[str, Any] | None, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in (spec or {}).items() if key not in keys}


def _signal_name(label: str, spec: object) -> Any:
    return spec.get("signal", label) if isinstance(spec, Mapping) else label


def _signal(label: str, spec: Mapping[str, Any] | None) -> Signal:
    cls = signals[_signal_name(label, spec)]
    return made(cls, _without(spec, "signal"), f"signals.{label}")


def _model_name(document: Mapping[str, Any]) -> str:
    return str((document.get("model") or {}).get("model", _MODEL))


def _model(document: Mapping[str, Any]) -> FactorModel:
    return made(models[_model_name(document)], _without(document.get("model"), "model"), "model")


def _options(document: Mapping[str, Any]) -> EvaluationOptions:
    given = document.get("evaluation") or {}
    calendar = document["data"][document["universe"]["prices"]].get("calendar")
    defaults = {} if calendar is None else {"periods_per_year": bars_a_year(*grid_of(calendar))}
    return made(EvaluationOptions, {**defaults, **given}, "evaluation")


def _headline_problems(full: Mapping[str, Any]) -> list[str]:
    headline, horizons = full["headline_horizon_bars"], full["evaluation"]["horizons"]
    if headline is None or headline in horizons:
        return []
    return [f"headline_horizon_bars: {headline} is none of evaluation.horizons {horizons}"]


def _data_spec(name: str, spec: Mapping[str, Any]) -> DataSpec:
    rules = made(CleaningRules, spec.get("rules") or {}, f"data.{name}.rules")
    dataset = str(spec.get("dataset", name))
    if "source" not in spec:
        return DataSpec(None, "", rules, dataset)
    parameters = _without(spec, "source", "calendar", "rules", "dataset")
    source = made(sources[spec["source"]], parameters, f"data.{name}")
    return DataSpec(source, str(spec["calendar"]), rules, dataset)


def _resolved_data(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    found = _data_spec(name, spec)
    if found.source is None:
        return {"dataset": found.dataset}
    own = {"dataset": found.dataset, "source": spec["source"], "calendar": found.calendar}
    return {**own, **filled(found.source), "rules": filled(found.rules)}


def _data_problems(
    full: Mapping[str, Any], stocks: DataSet, legs: DataSet, chosen: Mapping[str, Signal]
) -> list[str]:
    problems = []
    grids = [f"{d.calendar_name} {d.frequency}" for d in (stocks, legs)]
    if grids[0] != grids[1]:
        problems.append(
            f"universe.prices has bars of {grids[0]}, factors.data of {grids[1]}; "
            "put both on one calendar"
        )
    expected = bars_a_year(stocks.calendar_name, stocks.frequency)
    if full["data"][full["universe"]["prices"]].get("calendar") is None and (
        full["evaluation"]["periods_per_year"] != expected
    ):
        problems.append(
            f"evaluation.periods_per_year is {full['evaluation']['periods_per_year']:g}; bars of "
            f"{grids[0]} are {expected:g} a year: set it"
        )
    for leg in legs_of(full["factors"]["definitions"]):
        if leg not in legs.assets:
            hint = nearest_names(leg, legs.assets)
            problems.append(f"factors.definitions: the data lack {leg!r}; {hint}")
    for asset in full["universe"]["assets"] or ():
        if asset not in stocks.assets:
            hint = nearest_names(asset, stocks.assets)
            problems.append(f"universe.assets: unknown asset {asset!r}; {hint}")
    needed = {"universe": {"close"}, **{f"signals.{k}": v.requires() for k, v in chosen.items()}}
    for place, fields in needed.items():
        for field in sorted(set(fields) - _DERIVED - set(stocks.fields)):
            hint = nearest_names(field, stocks.fields)
            problems.append(f"{place}: the data lack the field {field!r}; {hint}")
    return problems
