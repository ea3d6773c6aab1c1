"""What the results of a run say, written into the ledger: numbers, and what is missing and why."""

from collections.abc import Mapping
from typing import Any

from plumbline.engine.run import Engine, RunResult
from plumbline.ledger.queries import metrics_of_run, run_that_told_the_same, warnings_of_run
from plumbline.stages.gates import gate_metrics
from plumbline.stages.study_warnings import DATA, StudyWarning, study_warnings
from plumbline.stages.tables import study_tables


def record_findings(
    engine: Engine, result: RunResult, full: Mapping[str, Any], known: tuple[StudyWarning, ...]
) -> tuple[StudyWarning, ...]:
    """Write a run's numbers and warnings, and return the warnings.

    What an earlier run found in the same results is copied, so that no table is read again.

    Parameters
    ----------
    full : the resolved recipe.
    known : warnings from before the run; they come first.
    """
    database = engine.cache.database
    before = run_that_told_the_same(database, result.run_id)
    if before is None:
        tables = study_tables(engine, result)
        metrics = gate_metrics(tables)
        found = study_warnings(tables, full)
    else:
        metrics = {(m["name"], m["subject"]): m["value"] for m in metrics_of_run(database, before)}
        told = warnings_of_run(database, before)
        found = tuple(
            StudyWarning(w["part"], w["subject"], w["text"]) for w in told if w["part"] != DATA
        )
    rows = [(w.part, w.signal, w.text) for w in known + found]
    engine.ledger.record_findings(result.run_id, metrics, rows)
    return known + found
