"""The nightly batch: every portfolio of a book on every date, valued and measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, final

from plumbline.stages.data_section import data_spec, resolved_data
from plumbline.stages.kind import DataSpec, Kind, Problem, Shape
from plumbline.stages.nightly_parts import (
    ALL,
    nightly_problems,
    nightly_schema,
    reading_of,
    span_of,
)
from plumbline.stages.validation import filled


@final
@dataclass(frozen=True)
class Nightly(Kind):
    """Portfolios of a stored book on prices of the lake: P&L and risk of each on every date.

    Its results are portfolio-days, each with a key of its own, so it stands for no graph of blocks.
    """

    def meant(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return a document without keys that hold nothing; see :meth:`Kind.meant`."""
        required = ("name", "book", "data")
        meant = {k: v for k, v in document.items() if v is not None or k in required}
        for section in ("dates", "analytics"):
            if section in meant:
                meant[section] = _with_texts(meant[section])
        return meant, []

    def schema(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """Return the schema of a document; see :meth:`Kind.schema`."""
        return nightly_schema(document)

    def problems(self, document: Mapping[str, Any], shape: Shape, base: Path) -> list[Problem]:
        """Return what plug-ins and options refuse; see :meth:`Kind.problems`."""
        return nightly_problems(document, shape, base)

    def resolved(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document with every default; see :meth:`Kind.resolved`."""
        return {
            "name": document["name"],
            "kind": "nightly",
            "title": document.get("title", document["name"]),
            "book": document["book"],
            "book_version": document.get("book_version"),
            "data": {name: resolved_data(name, spec) for name, spec in document["data"].items()},
            "prices": list(document.get("prices") or document["data"]),
            **filled(reading_of(document)),
            "analytics": document.get("analytics", ALL),
            "scenarios": document.get("scenarios"),
            "dates": filled(span_of(document)),
            "on_code_change": document.get("on_code_change", "recompute"),
        }

    def data(self, document: Mapping[str, Any]) -> Mapping[str, DataSpec]:
        """Return the data sets of a document; see :meth:`Kind.data`."""
        return {name: data_spec(name, spec) for name, spec in document["data"].items()}


def _with_texts(value: Any) -> Any:
    """Return a section with a text for each date: YAML reads a date where JSON has a text."""
    if isinstance(value, Mapping):
        return {key: _with_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
