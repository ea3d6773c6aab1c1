"""The JSON twin of a report: the same numbers at full precision.

Schema, version 2: an object with

* ``schema``            ``plumbline.study``
* ``schema_version``    2; raised when a field changes its meaning or goes away
* ``title``, ``recipe`` text; the recipe is resolved YAML
* ``headline_horizon_bars``  signal to horizon of the verdict, or null
* ``conventions``, ``unavailable``, ``warnings``  as in ``StudyResults``
* ``provenance``        as in ``Provenance``; ``data`` is a list of ``DataOrigin``, ``kept`` one of
  ``{"node", "n_blocks", "reasons"}``
* ``gates``             a list of ``{"gate", "passed", "text"}``, one for each gate of the recipe
* ``tables``            table name to ``{"n_rows", "columns", "dtypes", "not_finite"}``: ``columns``
  maps each column to its values, top to bottom; ``dtypes`` names the polars type; ``not_finite``
  counts, for columns that have any, cells that were NaN or infinite.

Numbers are written with as many digits as it takes to read back the same float64. Missing, NaN
and infinite cells are null. Times are ISO 8601 text, UTC.
"""

import dataclasses
import json
from typing import Final

import polars as pl

from plumbline.report.study import TABLES, Provenance, StudyResults
from plumbline.report.values import finite, utc_text

SCHEMA: Final = "plumbline.study"
SCHEMA_VERSION: Final = 2


def study_json(results: StudyResults) -> str:
    """Return the JSON twin of ``study_page``: equal results give equal text.

    Parameters
    ----------
    results : the study; see ``StudyResults`` for units.

    Returns
    -------
    One JSON object, ASCII, ending in a newline; schema in the module's docstring.
    """
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "title": results.title,
        "headline_horizon_bars": {name: results.headline(name) for name in results.signals},
        "conventions": dict(results.conventions),
        "unavailable": dict(results.unavailable),
        "warnings": list(results.warnings),
        "gates": [verdict._asdict() for verdict in results.gates],
        "provenance": _provenance(results.provenance),
        "recipe": results.recipe,
        "tables": {name: _table(results.tables[name]) for name in TABLES},
    }
    return json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"


def _provenance(source: Provenance) -> dict[str, object]:
    record = {item.name: getattr(source, item.name) for item in dataclasses.fields(source)}
    return record | {
        "versions": dict(source.versions),
        "data": [vars(origin) | {"cleaning": dict(origin.cleaning)} for origin in source.data],
        "blocks": dict(source.blocks),
        "codes": {node: list(codes) for node, codes in source.codes.items()},
        "kept": [found._asdict() for found in source.kept],
        "table_digests": dict(source.table_digests),
    }


def _table(frame: pl.DataFrame) -> dict[str, object]:
    lost = {
        column.name: int((~column.is_finite()).sum())
        for column in frame
        if column.dtype.is_float() and (~column.is_finite()).any()
    }
    return {
        "n_rows": frame.height,
        "columns": {column.name: _cells(column) for column in frame},
        "dtypes": {column.name: str(column.dtype) for column in frame},
        "not_finite": lost,
    }


def _cells(column: pl.Series) -> list[object]:
    if column.dtype in (pl.Datetime, pl.Date):
        return list(utc_text(column))
    if column.dtype.is_float() or column.dtype == pl.Decimal:
        return [finite(value) for value in column.to_list()]
    if column.dtype.is_integer() or column.dtype in (pl.Boolean, pl.Null):
        return column.to_list()
    return column.cast(pl.String).to_list()
