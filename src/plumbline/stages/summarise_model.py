"""Stage: how well a factor model fits, bar by bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables


@final
@dataclass(frozen=True)
class SummariseModel(Stage):
    """Table ``factor_fit``: means over the assets of a bar."""

    reads: ClassVar[tuple[str, ...]] = ("model",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Summarise all bars."""
        from plumbline.factors.history import factor_fit

        return {"factor_fit": factor_fit(inputs["model"])}
