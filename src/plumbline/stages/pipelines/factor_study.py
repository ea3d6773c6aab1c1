"""The factor study: from prices to the evaluation of signals."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from plumbline.engine.pipeline import DataInput, DataSet, Node, Pipeline
from plumbline.factors.factor_returns import legs_of
from plumbline.factors.figure_panel import known_sectors
from plumbline.factors.model import FactorModel
from plumbline.factors.options import EvaluationOptions
from plumbline.features.signal import PART, Signal
from plumbline.features.universe import UniverseRules
from plumbline.stages.compare_signals import CompareSignals
from plumbline.stages.compute_returns import ComputeReturns
from plumbline.stages.compute_signal import ComputeSignal
from plumbline.stages.data_section import data_spec, resolved_data
from plumbline.stages.decompose_risk import DecomposeRisk
from plumbline.stages.derive_factor_returns import DeriveFactorReturns
from plumbline.stages.derived_fields import MODEL_NODE, derived_fields, parts_of
from plumbline.stages.evaluate_signal import EvaluateSignal
from plumbline.stages.feasibility import Ask, feasibility
from plumbline.stages.fit_factor_model import FitFactorModel
from plumbline.stages.kind import DataSpec, Gate, GraphKind, Problem, Shape
from plumbline.stages.label_regimes import LabelRegimes, MarketRegime
from plumbline.stages.mark_changes import MarkChanges
from plumbline.stages.mask_signal import MaskSignal
from plumbline.stages.meaning import as_meant, without_empty
from plumbline.stages.measure_liquidity import MeasureLiquidity
from plumbline.stages.measure_signal import MeasureSignal
from plumbline.stages.neutralise_signal import NeutraliseSignal
from plumbline.stages.rank_forwards import RankForwards
from plumbline.stages.sectors import read_sectors, sectors_of
from plumbline.stages.select_universe import SelectUniverse
from plumbline.stages.shuffle_blocks import ShuffleBlocks
from plumbline.stages.study_data import data_problems
from plumbline.stages.study_parts import (
    definitions_of,
    factors_of,
    model_name,
    model_of,
    options_of,
    regime_name,
    regime_of,
    rules_of,
    signal_name,
    signal_of,
    study_problems,
)
from plumbline.stages.study_schema import study_schema
from plumbline.stages.sum_correlations import SumCorrelations
from plumbline.stages.sum_nulls import SumNulls
from plumbline.stages.summarise_model import SummariseModel
from plumbline.stages.summarise_neutralisation import SummariseNeutralisation
from plumbline.stages.summarise_regimes import SummariseRegimes
from plumbline.stages.summarise_universe import SummariseUniverse
from plumbline.stages.tables import COMPARISON
from plumbline.stages.validation import filled, made


@final
@dataclass(frozen=True)
class FactorStudy(GraphKind):
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
            "factors": dict(document["factors"]) if document.get("factors") else None,
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
        """Return what the data lack; see :meth:`GraphKind.unmet`."""
        ask, problems = _ask(self.resolved(document), document, datasets, base)
        return problems or feasibility(ask).problems

    def build(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> Pipeline:
        """Return the graph of a document; see :meth:`GraphKind.build`."""
        full = self.resolved(document)
        ask, _ = _ask(full, document, datasets, base)
        assets = None if full["universe"]["assets"] is None else ask.universe
        sectors = tuple(sorted(ask.sectors.items()))
        wiring = _Wiring(full, ask.stocks, ask.legs, assets, sectors, ask.regimes)
        nodes = [*wiring.model_nodes(ask.model), *wiring.universe_nodes(ask.rules)]
        nodes += wiring.regime_nodes()
        nodes += wiring.market_nodes(options_of(document))
        for label, signal in ask.signals.items():
            nodes += wiring.signal_nodes(label, signal, options_of(document))
        nodes += wiring.comparison_nodes()
        return Pipeline(full["name"], tuple(nodes), full["on_code_change"])

    def warnings(
        self, document: Mapping[str, Any], datasets: Mapping[str, DataSet], base: Path
    ) -> tuple[str, ...]:
        """Return what the data cannot give; see :meth:`GraphKind.warnings`."""
        ask, problems = _ask(self.resolved(document), document, datasets, base)
        return () if problems else tuple(str(warning) for warning in feasibility(ask).warnings)

    def gates(self, document: Mapping[str, Any]) -> tuple[Gate, ...]:
        """Return the gates of a document; see :meth:`GraphKind.gates`."""
        return tuple(made(Gate, gate, "gates") for gate in document.get("gates") or ())


@final
@dataclass(frozen=True)
class _Wiring:
    full: Mapping[str, Any]
    stocks: DataSet
    legs: DataSet
    assets: tuple[str, ...] | None
    sectors: tuple[tuple[str, str], ...]
    regimes: tuple[MarketRegime, ...]

    @property
    def states(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each regime with the labels of its states."""
        return tuple((found.name, found.regime.labels) for found in self.regimes)

    def model_nodes(self, model: FactorModel) -> list[Node]:
        size = self.full["block_bars"]
        nodes = [Node("returns", ComputeReturns(size), {"prices": self._prices("close")})]
        reads: dict[str, str | DataInput] = {"returns": "returns"}
        definitions = definitions_of(self.full)
        if definitions:
            prices = DataInput(self.legs, ("close",), legs_of(definitions))
            derive = DeriveFactorReturns(tuple(sorted(definitions.items())), size)
            nodes.append(Node("factor_returns", derive, {"prices": prices}))
        if model.needs_factors:
            reads["factors"] = "factor_returns"
        members = {"universe": "universe"} if self._is_masked else {}
        return [
            *nodes,
            Node(MODEL_NODE, FitFactorModel(model, size), reads),
            Node("factor_fit", SummariseModel(model), {"model": MODEL_NODE}),
            Node("risk_fit", self._risk(model), {"model": MODEL_NODE, **reads, **members}),
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

    def regime_nodes(self) -> list[Node]:
        if not self.regimes:
            return []
        reads: dict[str, str | DataInput] = {}
        if any(found.factor is not None for found in self.regimes):
            reads["factors"] = "factor_returns"
        if any(found.factor is None for found in self.regimes):
            reads["returns"] = "returns"
            if self._is_masked:
                reads["universe"] = "universe"
        return [
            Node("regimes", LabelRegimes(self.regimes, self.full["block_bars"]), reads),
            Node("regime_states", SummariseRegimes(self.states), {"regimes": "regimes"}),
        ]

    def _risk(self, model: FactorModel) -> DecomposeRisk:
        periods = float(self.full["evaluation"]["periods_per_year"])
        return DecomposeRisk(model, max(self.full["rolling_bars"], 2), periods)

    def signal_nodes(self, label: str, signal: Signal, options: EvaluationOptions) -> list[Node]:
        size = self.full["block_bars"]
        nodes = [Node(f"signal:{label}", ComputeSignal(signal, size), self._signal_inputs(signal))]
        if self._is_masked:
            masked = {"signal": f"signal:{label}", "universe": "universe"}
            nodes.append(Node(f"member:{label}", MaskSignal(size), masked))
        if self._is_neutralised:
            inputs: dict[str, str | DataInput] = {"signal": self._raw(label)}
            if self.full["neutralise"]["betas"]:
                inputs["model"] = MODEL_NODE
            nodes.append(Node(f"neutral:{label}", NeutraliseSignal(self.sectors, size), inputs))
            counts = SummariseNeutralisation(label, self.sectors)
            nodes.append(Node(f"neutral_fit:{label}", counts, inputs))
        return [*nodes, *self._evaluation_nodes(label, options)]

    def market_nodes(self, options: EvaluationOptions) -> list[Node]:
        """Return what every signal meets."""
        size, close = self._block_bars(options), {"prices": self._prices("close")}
        nodes = [Node("changes", MarkChanges(size), close)]
        if self._has_liquidity(options):
            measure = MeasureLiquidity(options.impact_bars, size)
            nodes.append(Node("liquidity", measure, {"prices": self._prices("close", "volume")}))
        if options.n_draws:
            nodes.append(Node("forward_ranks", RankForwards(options.horizons, size), close))
        return nodes

    def _evaluation_nodes(self, label: str, options: EvaluationOptions) -> list[Node]:
        size, has_liquidity = self._block_bars(options), self._has_liquidity(options)
        measure = MeasureSignal.of(options, dict(self.sectors), size)
        signal: dict[str, str | DataInput] = {"signal": self._last(label)}
        market: dict[str, str | DataInput] = {
            "prices": self._prices("close"),
            "changes": "changes",
        }
        liquid = {"liquidity": "liquidity"} if has_liquidity else {}
        figures, nulls, shuffles = (f"{x}:{label}" for x in ("figures", "nulls", "shuffles"))
        nodes = [Node(figures, measure, signal | market | liquid)]
        reads: dict[str, str | DataInput] = {"figures": figures}
        if options.n_draws:
            told = (options.horizons, options.n_draws, options.seed)
            ranked = signal | {"figures": figures, "forward_ranks": "forward_ranks"}
            nodes.append(Node(nulls, SumNulls(*told, size), ranked))
            nodes.append(Node(shuffles, ShuffleBlocks(*told), ranked))
            reads |= {"null_sums": nulls, "shuffled": shuffles}
        reads |= {"regimes": "regimes"} if self.regimes else {}
        evaluate = EvaluateSignal(
            label,
            options,
            self.full["rolling_bars"],
            tuple(known_sectors([name for _, name in self.sectors])),
            self.states,
            has_liquidity,
        )
        return [*nodes, Node(f"evaluation:{label}", evaluate, reads)]

    def _block_bars(self, options: EvaluationOptions) -> int:
        """Return bars a block of an evaluation, not fewer than a block reads around it."""
        size: int = self.full["block_bars"]
        reach = max(*options.horizons, options.spread_horizon, options.impact_bars)
        return -(-reach // size) * size

    def _has_liquidity(self, options: EvaluationOptions) -> bool:
        return "volume" in self.stocks.fields and bool(options.capitals_usd)

    def comparison_nodes(self) -> list[Node]:
        labels = tuple(self.full["signals"])
        if len(labels) < 2:
            return []
        reads: dict[str, str | DataInput] = {label: self._last(label) for label in labels}
        sums = SumCorrelations(labels, self.full["block_bars"])
        return [
            Node("correlation_sums", sums, reads),
            Node(COMPARISON, CompareSignals(labels), {"sums": "correlation_sums"}),
        ]

    @property
    def _is_masked(self) -> bool:
        return self.full["universe"]["rules"] is not None

    @property
    def _is_neutralised(self) -> bool:
        return bool(self.full["neutralise"]["betas"] or self.sectors)

    def _raw(self, label: str) -> str:
        """Return the node of a signal of the universe's members, before it is neutralised."""
        return f"{'member' if self._is_masked else 'signal'}:{label}"

    def _last(self, label: str) -> str:
        """Return the node of a signal as it is evaluated."""
        return f"neutral:{label}" if self._is_neutralised else self._raw(label)

    def _signal_inputs(self, signal: Signal) -> dict[str, str | DataInput]:
        derived = derived_fields(factors_of(self.full), self.full["signals"])
        bars = signal.requires() - derived.keys()
        nodes = {derived[field] for field in signal.requires() - bars}
        inputs: dict[str, str | DataInput] = {
            "model" if node == MODEL_NODE else node: node for node in sorted(nodes)
        }
        inputs |= {f"{PART}{label}": self._raw(label) for label in parts_of(signal)}
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
    stocks = datasets[full["universe"]["prices"]]
    legs = datasets[full["factors"]["data"]] if full["factors"] else stocks
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
