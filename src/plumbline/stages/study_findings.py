"""What the results of a run say, written into the ledger: numbers, and what is missing and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

from plumbline.core.errors import ParameterError
from plumbline.engine.run import Engine, RunResult
from plumbline.ledger.database import Database
from plumbline.ledger.queries import metrics_of_run, run_that_told_the_same, warnings_of_run
from plumbline.stages.gates import Verdict, gate_metrics, judged
from plumbline.stages.kind import Gate
from plumbline.stages.study_warnings import DATA, StudyWarning, study_warnings
from plumbline.stages.tables import study_tables
from plumbline.stages.yaml_text import read_yaml

Metrics = dict[tuple[str, str], float | None]


@final
class Findings(NamedTuple):
    """What a run's results say: what could not be computed, and the numbers gates may name."""

    warnings: tuple[StudyWarning, ...]
    metrics: Metrics


def record_findings(
    engine: Engine, result: RunResult, full: Mapping[str, Any], known: tuple[StudyWarning, ...]
) -> Findings:
    """Write a run's numbers and warnings, and return them.

    What an earlier run found in the same results is copied, so that no table is read again.

    Parameters
    ----------
    full : the resolved recipe.
    known : warnings from before the run; they come first, and what they say of a part of all
        signals is not told again of each.
    """
    database = engine.cache.database
    code = engine.codes.of_module(__name__).digest
    engine.codes.save()
    before = run_that_told_the_same(database, result.run_id, code)
    if before is None:
        findings = findings_of(engine, result, full, known)
    else:
        told = warnings_of_run(database, before)
        found = tuple(StudyWarning(w["part"], w["subject"], w["text"]) for w in told)
        findings = Findings(_joined(known, found), _metrics_of_run(database, before))
    rows = [(w.part, w.signal, w.text) for w in findings.warnings]
    engine.ledger.record_findings(result.run_id, findings.metrics, rows, code)
    return findings


def findings_of(
    engine: Engine, result: RunResult, full: Mapping[str, Any], known: tuple[StudyWarning, ...]
) -> Findings:
    """Read out of a run's results what they say; the arguments are those of record_findings."""
    tables = study_tables(engine, result)
    found = _joined(known, study_warnings(tables, full))
    return Findings(found, gate_metrics(tables))


def _joined(
    known: tuple[StudyWarning, ...], found: tuple[StudyWarning, ...]
) -> tuple[StudyWarning, ...]:
    """Return what was known before a run, and what it found of other parts."""
    parts = {DATA, *(warning.part for warning in known)}
    return known + tuple(warning for warning in found if warning.part not in parts)


def verdicts_of_run(database: Database, run: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """Return the verdict on each gate of a recorded run; none if it recorded no numbers.

    Parameters
    ----------
    run : as :func:`plumbline.ledger.queries.get_run` returns it.
    """
    metrics = _metrics_of_run(database, run["id"])
    recipe, _ = read_yaml(run["recipe"], [])
    if not metrics or not isinstance(recipe, dict):
        return ()
    return recorded_verdicts(recipe, metrics)


def recorded_verdicts(recipe: Mapping[str, Any], metrics: Metrics) -> tuple[Verdict, ...]:
    """Return the verdict on each gate of a recipe in the ledger, which may be an old one.

    Parameters
    ----------
    metrics : the numbers of its run.
    """
    return tuple(_verdict(values, metrics) for values in recipe.get("gates") or ())


def _verdict(values: Mapping[str, Any], metrics: Metrics) -> Verdict:
    """Return the verdict on a recorded gate; one that a recipe may not hold has failed."""
    try:
        gate = Gate(**values)
    except ParameterError as error:
        place = f"{values['metric']} of {values['subject']}"
        return Verdict(place, passed=False, text=f"gate on {place}: {error}")
    return judged([gate], metrics)[0]


def _metrics_of_run(database: Database, run_id: str) -> Metrics:
    return {(m["name"], m["subject"]): m["value"] for m in metrics_of_run(database, run_id)}
