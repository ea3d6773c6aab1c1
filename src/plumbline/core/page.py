"""Pages that show a result: named here, so that a result can be shown without knowing how."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from plumbline.core.plugin import Plugin, Room


@dataclass(frozen=True)
class Page(Plugin, ABC):
    """A way to show an evaluation; a file in ``report/pages`` adds one."""

    @abstractmethod
    def html(self, evaluation: Any) -> str:
        """Return one self-contained HTML document."""

    @abstractmethod
    def json(self, evaluation: Any) -> str:
        """Return the same numbers as one JSON document."""

    @abstractmethod
    def summary_html(self, evaluation: Any) -> str:
        """Return a small piece of HTML, for a notebook's cell."""


pages: Room[Page] = Room("plumbline.report.pages", Page)
