"""From a run to what its report shows; tables are passed on as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import polars as pl

from plumbline.core.digest import digest
from plumbline.engine.run import RunResult
from plumbline.factors.conventions import conventions
from plumbline.factors.options import EvaluationOptions
from plumbline.lake.dataset import Dataset
from plumbline.lake.quality import count_effects, effects, summarise
from plumbline.lake.versions import list_versions
from plumbline.ledger.database import Database
from plumbline.ledger.queries import get_run
from plumbline.report.model_conventions import study_conventions, study_gaps
from plumbline.report.study import TABLES, DataOrigin, Provenance, StudyResults
from plumbline.stages.gates import Verdict
from plumbline.stages.recipe import Recipe
from plumbline.stages.run_code import codes_by_node, kept_blocks
from plumbline.stages.study_warnings import DATA, StudyWarning
from plumbline.stages.validation import made

if TYPE_CHECKING:
    from datetime import datetime

_EXAMPLES = 10
_OF_IC = (
    *("summary", "ic", "ic_by_year", "ic_by_month", "ic_histogram", "decay", "pearson"),
    *("bootstrap", "null_suite", "breaks", "ic_by_sector", "ic_by_regime"),
)
_SHOW = {
    "summary": _OF_IC,
    "spread_summary": ("spread_summary", "spread", "capacity"),
    "signal": (
        *(*_OF_IC, "ic_rolling", "quantiles", "quantile_history", "spread_summary", "spread"),
        *("capacity", "turnover", "rank_autocorrelation"),
    ),
    "universe": (),
    "factor_fit": ("factor_fit", "exposures", "portfolio_exposures", "risk"),
}  # tables that lack what a part lacks


@final
@dataclass(frozen=True)
class StudyInputs:
    """A run, its recipe, its data, its tables, what they lack and what the gates say of them.

    Parameters
    ----------
    recipe : what was run.
    dataset, quality : the data of the universe, and what cleaning found in it.
    tables : by name; see :func:`plumbline.stages.tables.study_tables`.
    warnings : what could not be computed.
    result, database : the run, and the ledger that holds it.
    gates : the verdict on each gate.
    data : every data set by the recipe's name for it, and what cleaning found in it; without any,
        the report names the data of the universe alone.
    """

    recipe: Recipe
    dataset: Dataset
    quality: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    warnings: tuple[StudyWarning, ...]
    result: RunResult
    database: Database
    gates: tuple[Verdict, ...] = ()
    data: Mapping[str, tuple[Dataset, pl.DataFrame]] = field(default_factory=dict)


def collect(inputs: StudyInputs) -> StudyResults:
    """Return what the report shows."""
    full = inputs.recipe.resolved
    options = made(EvaluationOptions, full["evaluation"], "evaluation")
    tables = {name: inputs.tables.get(name, pl.DataFrame()) for name in TABLES}
    tables["quality"] = summarise(inputs.quality)
    tables["quality_examples"] = _examples(inputs.quality)
    return StudyResults(
        title=full["title"],
        recipe=inputs.recipe.text,
        tables=tables,
        conventions=_conventions(options, full["rolling_bars"]) | study_conventions(full),
        provenance=_provenance(inputs),
        unavailable=_unasked(full)
        | _joined(study_gaps(full, tables), _unavailable(inputs.warnings)),
        headline_horizon_bars=full["headline_horizon_bars"],
        warnings=tuple(warning.text for warning in inputs.warnings),
        gates=inputs.gates,
    )


def _conventions(options: EvaluationOptions, window: int) -> dict[str, str]:
    """Return how each figure is computed; the evaluation's own words go first."""
    return {
        **conventions(options),
        "ic_rolling": f"Mean of the rank IC over the last {window} bars that have one.",
        "factor_fit": (
            "Means over the assets of a bar that have a fit; the window ends at the bar, and the "
            "residual that signals read uses coefficients known before it."
        ),
        "neutralisation": (
            "Residual of each bar's regression on the exposures taken out; an asset alone in its "
            "sector on a bar has nothing left and is not ranked."
        ),
        "universe": (
            "Bars with a price on which a rule of universe.rules kept an asset out, by the first "
            "rule that did. Signals of those bars are not used; a position held into them keeps "
            "its return."
        ),
        "quality": "Rows of the data that cleaning reported; missing bars are never filled.",
        "quality_examples": (
            f"The first {_EXAMPLES} rows of each rule; rules that changed or refused data come "
            "before those that only note."
        ),
        "uncomputed": (
            "Windows of the factor model (bars times assets), values or bars that were tried, and "
            "how many of them gave nothing; an asset's first bars count as too few observations."
        ),
    }


def _examples(quality: pl.DataFrame) -> pl.DataFrame:
    """Return the first rows of each rule: what changed data first, then the rarer rule first."""
    first = effects(quality).group_by("rule", maintain_order=True).head(_EXAMPLES)
    order = [pl.col("effect") == "noted", pl.len().over("rule")]
    return first.sort(order, maintain_order=True).drop("effect")


def _unasked(full: Mapping[str, Any]) -> dict[str, str]:
    """Return for each table that the recipe does not ask for, what would."""
    options = full["evaluation"]
    reasons = (
        ("universe", full["universe"]["rules"], "no universe.rules, so no asset is kept out"),
        ("ic_by_sector", full["neutralise"]["sectors"], "no neutralise.sectors"),
        ("ic_by_regime", full["regimes"], "no regimes"),
        ("regimes", full["regimes"], "no regimes"),
        ("regime_summary", full["regimes"], "no regimes"),
        ("capacity", options["capitals_usd"], "no evaluation.capitals_usd"),
        ("bootstrap", options["n_resamples"], "evaluation.n_resamples 0"),
        ("null_suite", options["n_draws"], "evaluation.n_draws 0"),
    )
    return {table: f"the recipe has {text}" for table, asked, text in reasons if not asked}


def _unavailable(warnings: tuple[StudyWarning, ...]) -> dict[str, str]:
    """Return for each table that lacks something, and each signal in it, why."""
    reasons: dict[str, list[str]] = {}
    for warning in (w for w in warnings if w.part != DATA):
        for table in _SHOW.get(warning.part, (warning.part,)):
            reasons.setdefault(table, []).append(warning.text)
            if warning.signal:
                reasons.setdefault(f"{table}.{warning.signal}", []).append(warning.text)
    return {key: "; ".join(texts) for key, texts in reasons.items()}


def _joined(*reasons: Mapping[str, str]) -> dict[str, str]:
    """Return all reasons of each table, those given first first."""
    keys = dict.fromkeys(key for given in reasons for key in given)
    return {key: "; ".join(given[key] for given in reasons if key in given) for key in keys}


def _provenance(inputs: StudyInputs) -> Provenance:
    database, run_id = inputs.database, inputs.result.run_id
    run = get_run(database, run_id)
    machine = run["machine"]
    return Provenance(
        run_id=run_id,
        started=_text(run["started"]),
        finished=_text(run["finished"]),
        owner=run["owner"],
        versions={"python": machine["python"], **machine["libraries"]},
        machine=f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        recipe_digest=inputs.recipe.digest,
        data=_origins(inputs),
        blocks=dict(sorted(inputs.result.counts.items())),
        codes=codes_by_node(database, run_id),
        kept=kept_blocks(database, run_id),
        table_digests={name: digest(table) for name, table in sorted(inputs.tables.items())},
    )


def _origins(inputs: StudyInputs) -> tuple[DataOrigin, ...]:
    """Return where the data come from, those of the universe first."""
    prices = inputs.recipe.resolved["universe"]["prices"]
    data = {prices: (inputs.dataset, inputs.quality)} | dict(inputs.data)
    with inputs.database.read() as connection:
        rows = list_versions(connection)
    versions = {(row["name"], row["dataset_id"]): row["version"] for row in rows}  # the latest
    return tuple(_origin(name, *found, versions) for name, found in data.items())


def _origin(
    name: str, dataset: Dataset, quality: pl.DataFrame, versions: Mapping[tuple[str, str], int]
) -> DataOrigin:
    ends = (dataset.closes(n, n)[0] for n in (dataset.first_bar, dataset.last_bar))
    return DataOrigin(
        name=name,
        dataset=dataset.name,
        version=versions.get((dataset.name, dataset.dataset_id), dataset.version),
        dataset_id=dataset.dataset_id,
        n_rows=dataset.n_rows,
        span=" to ".join(str(end.astype("datetime64[D]")) for end in ends),
        cleaning=count_effects(quality),
    )


def _text(moment: "datetime | None") -> str:
    return "" if moment is None else f"{moment.isoformat(timespec='seconds')}Z"
