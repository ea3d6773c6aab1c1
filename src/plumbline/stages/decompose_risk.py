"""Stage: exposures of every asset, and where the risk of the universe comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from jaxtyping import Bool

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.engine.stage import Stage, Tables
from plumbline.factors.model import FactorModel

PORTFOLIO: Final = "equal_weight"


@final
@dataclass(frozen=True)
class DecomposeRisk(Stage):
    """Tables ``exposures``, ``portfolio_exposures`` and ``risk`` at the last bar.

    The assets of the portfolio ``equal_weight`` are the members of the universe with a return on
    the last bar; all assets are members where there is no ``universe``. It has no ``factors`` where
    the model makes its own.

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
    optional: ClassVar[tuple[str, ...]] = ("factors", "universe")

    def run(self, inputs: Mapping[str, Panel]) -> Tables:
        """Decompose the last bar."""
        import polars as pl

        from plumbline.factors.portfolio_exposures import equal_weight_errors, portfolio_exposures
        from plumbline.factors.risk_decomposition import (
            exposures,
            has_risk_estimate,
            risk_decomposition,
        )

        fitted = inputs["model"].tail(self.window)
        returns = inputs["returns"].tail(self.window + self.model.warm_up)
        given = conform(inputs["factors"], returns) if "factors" in inputs else returns.select([])
        factors = conform(self.model.factor_returns(returns, given), fitted)
        is_in = _members(returns, inputs.get("universe"))
        risk = risk_decomposition(
            fitted,
            factors,
            {PORTFOLIO: is_in / max(int(is_in.sum()), 1)},
            window=self.window,
            periods_per_year=self.periods_per_year,
        )
        n_bars = self.model.warm_up + 1
        last, on_last = returns.tail(n_bars), given.tail(n_bars)
        betas = exposures(fitted, self.model.beta_errors(last, on_last))
        is_held = is_in & has_risk_estimate(fitted, factors, self.window)
        errors = equal_weight_errors(self.model, last, on_last, is_held)
        held = [asset for asset, is_one in zip(fitted.assets, is_held, strict=True) if is_one]
        of_held = betas.filter(pl.col("asset").is_in(held))
        return {
            "exposures": betas,
            "portfolio_exposures": portfolio_exposures(risk, of_held, errors),
            "risk": risk,
        }


def _members(returns: Panel, universe: Panel | None) -> Bool[np.ndarray, " assets"]:
    """Return the members of the universe with a return on the last bar."""
    is_in: Bool[np.ndarray, " assets"] = np.isfinite(returns["return"][-1:]).any(axis=0)
    if universe is not None:
        is_in &= (conform(universe, returns)["member"][-1:] == 1).any(axis=0)
    return is_in
