"""The JSON twins of pages: the same numbers at full precision.

Schema of a study, version 3: an object with

* ``schema``            ``plumbline.study``
* ``schema_version``    3; raised when a field changes its meaning or goes away
* ``title``, ``recipe`` text; the recipe is resolved YAML
* ``headline_horizon_bars``  signal to horizon of the verdict, or null
* ``conventions``, ``unavailable``, ``warnings``  as in ``StudyResults``
* ``provenance``        as in ``Provenance``; ``data`` is a list of ``DataOrigin``, ``kept`` one of
  ``{"node", "n_blocks", "reasons"}``
* ``gates``             a list of ``{"gate", "passed", "text"}``, one for each gate of the recipe
* ``tables``            table name to ``{"n_rows", "columns", "dtypes", "not_finite"}``: ``columns``
  maps each column to its values, top to bottom; ``dtypes`` names the polars type; ``not_finite``
  counts, for columns that have any, cells that were NaN or infinite. Of a table of more than
  ``MOST_ROWS`` rows ``columns`` is empty and ``left_out`` says where its values are.

Schema of a tear sheet, version 2: the same with ``schema`` ``plumbline.tear_sheet``; ``tables``
holds those of ``SHEET_TABLES``; ``provenance`` is null and ``recipe`` empty for an evaluation that
is no run.

Numbers are written with as many digits as it takes to read back the same float64. Missing, NaN
and infinite cells are null. Times are ISO 8601 text, UTC.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from plumbline.report.study import SHEET_TABLES, TABLES, Provenance, StudyResults
from plumbline.report.values import finite_cells, utc_text

SCHEMA: Final = "plumbline.study"
SCHEMA_VERSION: Final = 3
SHEET_SCHEMA: Final = "plumbline.tear_sheet"
SHEET_SCHEMA_VERSION: Final = 2
MOST_ROWS: Final = 50_000


def study_json(results: StudyResults) -> str:
    """Return the JSON twin of ``study_page``: equal results give equal text.

    Parameters
    ----------
    results : the study; see ``StudyResults`` for units.

    Returns
    -------
    One JSON object, ASCII, ending in a newline; schema in the module's docstring.
    """
    return _text(results, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION}, TABLES)


def sheet_json(results: StudyResults) -> str:
    """Return the JSON twin of ``sheet_page``, made as :func:`study_json` is."""
    head = {"schema": SHEET_SCHEMA, "schema_version": SHEET_SCHEMA_VERSION}
    return _text(results, head, SHEET_TABLES)


def _text(results: StudyResults, head: Mapping[str, object], names: Iterable[str]) -> str:
    record = {
        **head,
        "title": results.title,
        "headline_horizon_bars": {name: results.headline(name) for name in results.signals},
        "conventions": dict(results.conventions),
        "unavailable": dict(results.unavailable),
        "warnings": list(results.warnings),
        "gates": [verdict._asdict() for verdict in results.gates],
        "provenance": _provenance(results.provenance),
        "recipe": results.recipe,
        "tables": {name: table_record(name, results.tables[name]) for name in names},
    }
    return json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"


def _provenance(source: Provenance | None) -> dict[str, object] | None:
    if source is None:
        return None
    record = {item.name: getattr(source, item.name) for item in dataclasses.fields(source)}
    return record | {
        "versions": dict(source.versions),
        "data": [vars(origin) | {"cleaning": dict(origin.cleaning)} for origin in source.data],
        "blocks": dict(source.blocks),
        "codes": {node: list(codes) for node, codes in source.codes.items()},
        "kept": [found._asdict() for found in source.kept],
        "table_digests": dict(source.table_digests),
    }


def table_record(name: str, frame: pl.DataFrame) -> dict[str, object]:
    """Return a table as it stands in a twin: see the schema in the module's docstring."""
    lost = {
        column.name: int((~column.is_finite()).sum())
        for column in frame
        if column.dtype.is_float() and (~column.is_finite()).any()
    }
    table: dict[str, object] = {
        "n_rows": frame.height,
        "columns": {},
        "dtypes": {column.name: str(column.dtype) for column in frame},
        "not_finite": lost,
    }
    if frame.height > MOST_ROWS:
        reason = (
            f"more than {MOST_ROWS:,} rows; in Python they are in tables[{name!r}] of the result"
        )
        return table | {"left_out": reason}
    return table | {"columns": {column.name: _cells(column) for column in frame}}


def _cells(column: pl.Series) -> list[object]:
    if column.dtype in (pl.Datetime, pl.Date):
        return list(utc_text(column))
    if column.dtype.is_float() or column.dtype == pl.Decimal:
        return list(finite_cells(column))
    if column.dtype.is_integer() or column.dtype in (pl.Boolean, pl.Null):
        return column.to_list()
    return column.cast(pl.String).to_list()
