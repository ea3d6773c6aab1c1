"""The JSON twins of the pages of portfolios: the same numbers at full precision.

The schema stands in ``docs/portfolio_report.md``.
"""

import json
from typing import Final

import polars as pl

from plumbline.report.portfolio_words import dates_of, last_row, reason
from plumbline.report.twin import table_record
from plumbline.report.values import finite
from plumbline.stages.portfolio_results import TABLES, PortfolioResults, ResultOrigin

SCHEMA: Final = "plumbline.portfolio"
SCHEMA_VERSION: Final = 1
INDEX_SCHEMA: Final = "plumbline.portfolio_index"
INDEX_SCHEMA_VERSION: Final = 1


def portfolio_json(results: PortfolioResults) -> str:
    """Return the JSON twin of ``portfolio_page``: equal results give equal text.

    Parameters
    ----------
    results : the portfolio; see ``PortfolioResults`` for units.

    Returns
    -------
    One JSON object, ASCII, ending in a newline.
    """
    dates = dates_of(results)
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "portfolio": results.portfolio,
        "name": results.name,
        "owner": results.owner,
        "currency": results.currency,
        "first_date": str(dates[0]) if dates else None,
        "last_date": str(dates[-1]) if dates else None,
        "n_dates": len(dates),
        "analytics": {
            name: {"definition": words.definition, "units": dict(words.units)}
            for name, words in results.words.items()
        },
        "unavailable": _missing(results),
        "provenance": _origin(results.provenance),
        "tables": {name: table_record(name, results.tables[name]) for name in TABLES},
    }
    return _text(record)


def index_json(frame: pl.DataFrame, origin: ResultOrigin | None) -> str:
    """Return the JSON twin of the page of all portfolios, made as :func:`portfolio_json` is."""
    record = {
        "schema": INDEX_SCHEMA,
        "schema_version": INDEX_SCHEMA_VERSION,
        "provenance": _origin(origin),
        "tables": {"portfolios": table_record("portfolios", frame)},
    }
    return _text(record)


def _text(record: dict[str, object]) -> str:
    return json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"


def _missing(results: PortfolioResults) -> dict[str, str]:
    """Return why figures are missing on the last date."""
    row = last_row(results, "measures")
    return {
        figure: reason(results, figure)
        for words in results.words.values()
        for figure in words.units
        if finite(row.get(figure)) is None
    }


def _origin(origin: ResultOrigin | None) -> dict[str, object] | None:
    return None if origin is None else vars(origin) | {"versions": dict(origin.versions)}
