"""Stage: how well a factor model fits, bar by bar."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.factors.model import FactorModel


@final
@dataclass(frozen=True)
class SummariseModel(Stage):
    """Tables ``factor_fit``, means over the assets of a bar, and ``uncomputed``, lost windows.

    Parameters
    ----------
    model : made the fits; says why some are missing.
    """

    model: FactorModel
    reads: ClassVar[tuple[str, ...]] = ("model",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Summarise all bars."""
        from plumbline.factors.history import factor_fit
        from plumbline.factors.uncomputed import Lost, uncomputed

        fitted = inputs["model"]
        n_windows = fitted.n_bars * fitted.n_assets
        lost = Lost("factor_model", self.model.reasons(fitted), n_windows, "windows")
        return {"factor_fit": factor_fit(fitted), "uncomputed": uncomputed([lost])}
