"""Stage: who belongs to the universe, and who was kept out, when and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class SummariseUniverse(Stage):
    """Table ``universe``, a row for each asset and reason for which it was kept out."""

    reads: ClassVar[tuple[str, ...]] = ("universe",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Summarise all bars; see :func:`plumbline.factors.membership.membership`."""
        from plumbline.factors.membership import membership

        return {"universe": membership(inputs["universe"])}
