"""Pages: what turns an evaluation into text for people and for programs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from plumbline.core.plugin import Plugin, Room


@dataclass(frozen=True)
class Page(Plugin, ABC):
    """A form in which an evaluation is shown; equal evaluations give equal text.

    An evaluation has ``tables`` (name -> frame), ``conventions`` (quantity or table -> one
    sentence) and ``unavailable`` (table -> why it has no rows).
    """

    @abstractmethod
    def html(self, evaluation: Any) -> str:
        """Return one self-contained HTML document."""

    @abstractmethod
    def json(self, evaluation: Any) -> str:
        """Return the same numbers at full precision, as one JSON object."""

    @abstractmethod
    def summary_html(self, evaluation: Any) -> str:
        """Return a small piece of HTML for a notebook: headline numbers and one figure."""


pages: Room[Page] = Room("plumbline.report.pages", Page)
"""The forms, by name; they lie above the finance wing, which names them here alone."""
