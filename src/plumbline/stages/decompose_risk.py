"""Stage: exposures of every asset, and where the risk of the universe comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.factors.model import FactorModel


@final
@dataclass(frozen=True)
class DecomposeRisk(Stage):
    """Tables ``exposures`` and ``risk`` at the last bar; portfolio ``equal_weight`` of all assets.

    The assets of that portfolio are those with a return on the last bar. It has no ``factors``
    where the model makes its own.

    Parameters
    ----------
    model : made the fits.
    window : bars of the covariances.
    periods_per_year : bars in a year.
    """

    model: FactorModel
    window: int
    periods_per_year: float
    reads: ClassVar[tuple[str, ...]] = ("model", "returns")
    optional: ClassVar[tuple[str, ...]] = ("factors",)

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Decompose the last bar."""
        from plumbline.factors.risk_decomposition import exposures, risk_decomposition

        fitted = inputs["model"].tail(self.window)
        returns = inputs["returns"].tail(self.window + self.model.warm_up)
        given = conform(inputs["factors"], returns) if "factors" in inputs else returns.select([])
        factors = conform(self.model.factor_returns(returns, given), fitted)
        has_return = np.isfinite(returns["return"][-1:]).any(axis=0)
        weight = has_return / max(int(has_return.sum()), 1)
        risk = risk_decomposition(
            fitted,
            factors,
            {"equal_weight": weight},
            window=self.window,
            periods_per_year=self.periods_per_year,
        )
        return {"exposures": exposures(fitted), "risk": risk}
