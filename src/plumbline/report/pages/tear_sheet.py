"""The tear sheet of an evaluation, its JSON twin and its summary for notebooks."""

from dataclasses import dataclass, replace
from typing import Any, final

import polars as pl

from plumbline.core.page import Page
from plumbline.report.sheet import sheet_page
from plumbline.report.sheet_summary import summary_piece
from plumbline.report.study import SHEET_TABLES, TABLES, StudyResults
from plumbline.report.twin import sheet_json


@final
@dataclass(frozen=True)
class TearSheet(Page):
    """Everything that an evaluation says of its signals, on one page without a network.

    Nothing is computed: numbers are those of the evaluation's tables, rounded for the eye; what is
    missing is said to be missing, with the reason that ``unavailable`` gives.
    """

    def html(self, evaluation: Any) -> str:
        """Return the tear sheet; with several signals, they stand side by side."""
        return sheet_page(_results(evaluation))

    def json(self, evaluation: Any) -> str:
        """Return its JSON twin; the schema is in :mod:`plumbline.report.twin`."""
        return sheet_json(_results(evaluation))

    def summary_html(self, evaluation: Any) -> str:
        """Return headline numbers and one figure, with styles that touch nothing else."""
        return summary_piece(_results(evaluation))


def _results(evaluation: Any) -> StudyResults:
    """Return what the page shows; tables that the evaluation lacks have no rows.

    Raises
    ------
    ParameterError
        If a table lacks a column or one is of a wrong type; all problems at once.
    """
    given = {name: evaluation.tables.get(name) for name in SHEET_TABLES}
    tables = {
        name: pl.DataFrame() if (frame := given.get(name)) is None else frame for name in TABLES
    }
    told = dict(evaluation.conventions)
    results = StudyResults("", "", tables, told, None, dict(evaluation.unavailable))
    names = results.signals
    return replace(results, title=names[0] if len(names) == 1 else f"{len(names)} signals")
