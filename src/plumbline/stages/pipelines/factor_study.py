"""The factor study: from prices to the evaluation of signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from plumbline.engine.pipeline import DataInput, DataSet, Node, Pipeline
from plumbline.factors.factor_returns import legs_of
from plumbline.factors.model import FactorModel
from plumbline.factors.options import EvaluationOptions
from plumbline.features.signal import Signal
from plumbline.features.universe import UniverseRules
from plumbline.stages.compute_returns import ComputeReturns
from plumbline.stages.compute_signal import ComputeSignal
from plumbline.stages.derive_factor_returns import DeriveFactorReturns
from plumbline.stages.derived_fields import MODEL_NODE, derived_fields
from plumbline.stages.evaluate_signal import EvaluateSignal
from plumbline.stages.feasibility import Ask, feasibility
from plumbline.stages.fit_factor_model import FitFactorModel
from plumbline.stages.kind import DataSpec, Gate, Kind, Problem, Shape
from plumbline.stages.label_regimes import LabelRegimes, MarketRegime
from plumbline.stages.mask_signal import MaskSignal
from plumbline.stages.meaning import as_meant, without_empty
from plumbline.stages.neutralise_signal import NeutraliseSignal
from plumbline.stages.sectors import read_sectors, sectors_of
from plumbline.stages.select_universe import SelectUniverse
from plumbline.stages.study_data import data_problems
from plumbline.stages.study_parts import (
    data_spec,
    model_name,
    model_of,
    options_of,
    regime_name,
    regime_of,
    resolved_data,
    rules_of,
    signal_name,
    signal_of,
    study_problems,
)
from plumbline.stages.study_schema import study_schema
from plumbline.stages.summarise_model import SummariseModel
from plumbline.stages.summarise_neutralisation import SummariseNeutralisation
from plumbline.stages.summarise_regimes import SummariseRegimes
from plumbline.stages.summarise_universe import SummariseUniverse
from plumbline.stages.validation import filled, made


@final
@dataclass(frozen=True)
class FactorStudy(Kind):
    """Signals on a universe of assets: factor model, signals, evaluation."""

    def meant(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return a document as it is meant; see :meth:`Kind.meant`."""
        return as_meant(without_empty(document))

    def schema(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the schema of a document; see :meth:`Kind.schema`."""
        return study_schema(document)

    def problems(self, document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
        """Return what plug-ins and options refuse; see :meth:`Kind.problems`."""
        return study_problems(document, shape, base)

    def resolved(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document with every default; see :meth:`Kind.resolved`."""
        rules = rules_of(document)
        return {
            "name": document["name"],
            "kind": "factor_study",
            "title": document.get("title", document["name"]),
            "data": {name: resolved_data(name, spec) for name, spec in document["data"].items()},
            "universe": {
                "assets": None,
                **document["universe"],
                "rules": None if rules is None else filled(rules),
            },
            "factors": dict(document["factors"]),
            "model": {"model": model_name(document), **filled(model_of(document))},
            "signals": {
                label: {"signal": signal_name(label, spec), **filled(signal_of(label, spec))}
                for label, spec in document["signals"].items()
            },
            "regimes": {
                label: {
                    "regime": regime_name(label, spec),
                    "factor": regime_of(label, spec).factor,
                    **filled(regime_of(label, spec).regime),
                }
                for label, spec in (document.get("regimes") or {}).items()
            },
            "neutralise": {"betas": False, "sectors": None, **(document.get("neutralise") or {})},
            "evaluation": filled(options_of(document)),
            "rolling_bars": document.get("rolling_bars", 252),
            "headline_horizon_bars": document.get("headline_horizon_bars"),
            "block_bars": document.get("block_bars", 512),
            "on_code_change": document.get("on_code_change", "recompute"),
            "gates": [filled(gate) for gate in self.gates(document)],
        }

    def data(self, document: Mapping[str, Any]) -> Mapping[str, DataSpec]:
        """Return the data sets of a document; see :meth:`Kind.data`."""
        return {name: data_spec(name, spec) for name, spec in document["data"].items()}

    def unmet(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> list[Problem]:
        """Return what the data lack; see :meth:`Kind.unmet`."""
        ask, problems = _ask(self.resolved(document), document, datasets, base)
        return problems or feasibility(ask).problems

    def build(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> Pipeline:
        """Return the graph of a document; see :meth:`Kind.build`."""
        full = self.resolved(document)
        ask, _ = _ask(full, document, datasets, base)
        assets = None if full["universe"]["assets"] is None else ask.universe
        sectors = tuple(sorted(ask.sectors.items()))
        wiring = _Wiring(full, ask.stocks, ask.legs, assets, sectors)
        nodes = [*wiring.model_nodes(ask.model), *wiring.universe_nodes(ask.rules)]
        nodes += wiring.regime_nodes(ask.regimes)
        for label, signal in ask.signals.items():
            nodes += wiring.signal_nodes(label, signal, options_of(document))
        return Pipeline(full["name"], tuple(nodes), full["on_code_change"])

    def warnings(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> tuple[str, ...]:
        """Return what the data cannot give; see :meth:`Kind.warnings`."""
        ask, problems = _ask(self.resolved(document), document, datasets, base)
        return () if problems else tuple(str(warning) for warning in feasibility(ask).warnings)

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
            Node(MODEL_NODE, FitFactorModel(model, size), reads),
            Node("factor_fit", SummariseModel(model), {"model": MODEL_NODE}),
        ]

    def universe_nodes(self, rules: UniverseRules | None) -> list[Node]:
        if rules is None:
            return []
        fields = set(rules.requires())
        if rules.max_stale_bars is not None:
            fields |= {"volume"} & set(self.stocks.fields)
        select = SelectUniverse(rules, self.full["block_bars"])
        return [
            Node("universe", select, {"prices": self._prices(*sorted(fields))}),
            Node("universe_members", SummariseUniverse(), {"universe": "universe"}),
        ]

    def regime_nodes(self, regimes: tuple[MarketRegime, ...]) -> list[Node]:
        if not regimes:
            return []
        reads: dict[str, str | DataInput] = {}
        if any(found.factor is not None for found in regimes):
            reads["factors"] = "factor_returns"
        if any(found.factor is None for found in regimes):
            reads["returns"] = "returns"
            if self.full["universe"]["rules"] is not None:
                reads["universe"] = "universe"
        labels = tuple((found.name, found.regime.labels) for found in regimes)
        return [
            Node("regimes", LabelRegimes(regimes, self.full["block_bars"]), reads),
            Node("regime_states", SummariseRegimes(labels), {"regimes": "regimes"}),
        ]

    def signal_nodes(self, label: str, signal: Signal, options: EvaluationOptions) -> list[Node]:
        size = self.full["block_bars"]
        name = f"signal:{label}"
        nodes = [Node(name, ComputeSignal(signal, size), self._signal_inputs(signal))]
        if self.full["universe"]["rules"] is not None:
            masked = {"signal": name, "universe": "universe"}
            name = f"member:{label}"
            nodes.append(Node(name, MaskSignal(size), masked))
        neutral = self.full["neutralise"]
        if neutral["betas"] or self.sectors:
            inputs: dict[str, str | DataInput] = {"signal": name}
            if neutral["betas"]:
                inputs["model"] = MODEL_NODE
            name = f"neutral:{label}"
            nodes.append(Node(name, NeutraliseSignal(self.sectors, size), inputs))
            counts = SummariseNeutralisation(label, self.sectors)
            nodes.append(Node(f"neutral_fit:{label}", counts, inputs))
        evaluation = EvaluateSignal(label, options, self.full["rolling_bars"])
        reads: dict[str, str | DataInput] = {"signal": name, "prices": self._prices("close")}
        return [*nodes, Node(f"evaluation:{label}", evaluation, reads)]

    def _signal_inputs(self, signal: Signal) -> dict[str, str | DataInput]:
        derived = derived_fields(self.full["factors"]["definitions"], self.full["signals"])
        bars = signal.requires() - derived.keys()
        nodes = {derived[field] for field in signal.requires() - bars}
        inputs: dict[str, str | DataInput] = {
            "model" if node == MODEL_NODE else node: node for node in sorted(nodes)
        }
        return inputs | ({"prices": self._prices(*sorted(bars))} if bars else {})

    def _prices(self, *fields: str) -> DataInput:
        return DataInput(self.stocks, fields, self.assets)


def _ask(
    full: Mapping[str, Any],
    document: Mapping[str, Any],
    datasets: Mapping[str, DataSet],
    base: Path,
) -> tuple[Ask, list[Problem]]:
    """Return what a study asks of its data, and what of it they do not hold."""
    stocks, legs = datasets[full["universe"]["prices"]], datasets[full["factors"]["data"]]
    chosen = {label: signal_of(label, spec) for label, spec in document["signals"].items()}
    problems = data_problems(full, stocks, legs, chosen)
    assets = full["universe"]["assets"]
    universe = stocks.assets if assets is None else tuple(sorted(set(assets)))
    sectors: dict[str, str] = {}
    if full["neutralise"]["sectors"] is not None:
        path = base / full["neutralise"]["sectors"]
        table, wrong = read_sectors(path)
        if not wrong:
            sectors, wrong = sectors_of(table, universe, path)
        problems += [Problem(("neutralise", "sectors"), text) for text in wrong]
    model, rules = model_of(document), rules_of(document)
    named = (document.get("regimes") or {}).items()
    regimes = tuple(regime_of(label, spec) for label, spec in named)
    return Ask(full, model, chosen, stocks, legs, universe, sectors, rules, regimes), problems
