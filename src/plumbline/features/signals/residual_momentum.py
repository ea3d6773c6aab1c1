"""Momentum of the part of the return that common factors do not explain."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.features.signal import Signal
from plumbline.features.trailing import values_needed

_ROUNDING = 1e-12  # a standard deviation this small beside its values is rounding


@final
@dataclass(frozen=True)
class ResidualMomentum(Signal):
    """Sum of the past year's residual returns, the last month left out, over their deviation.

    With e the causal residual return and the window t - lookback + 1 … t - skip:
    Σe / sd(e), sd with ddof 1. Scaling by sd keeps assets with noisy residuals from filling the
    extremes. The residuals come from the study's factor model, whose coefficients for bar t end
    at the bar before, so nothing in the sum was fitted on itself. Missing residuals are left out;
    NaN where fewer than ``min_obs`` are there or their deviation is zero to rounding.

    Parameters
    ----------
    lookback_bars : bars back to the start of the window, at least 2 above ``skip_bars``.
    skip_bars : latest bars left out, at least 0.
    min_obs : residuals needed, 2 … lookback - skip; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If the parameters are outside these ranges.

    References
    ----------
    Blitz, Huij and Martens, "Residual momentum", Journal of Empirical Finance 18 (2011) 506-521.
    The paper uses monthly residuals of a three-year regression; here they are those of the bars.
    """

    lookback_bars: int = 252
    skip_bars: int = 21
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (
                0 <= self.skip_bars <= self.lookback_bars - 2,
                "need 0 <= skip_bars <= lookback_bars - 2",
            ),
            (
                self.min_obs is None or 2 <= self.min_obs <= self.window_bars,
                f"need 2 <= min_obs <= {self.window_bars}",
            ),
        )
        refuse(self, broken(rules))

    @property
    def window_bars(self) -> int:
        """Return the bars summed over."""
        return self.lookback_bars - self.skip_bars

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"residual_return"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.lookback_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value: residuals needed, and those left out."""
        return self._needed + self.skip_bars

    @property
    def _needed(self) -> int:
        return values_needed(self.window_bars, self.min_obs, least=2)

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the residual momentum of every bar and asset, dimensionless."""
        from plumbline.kernels.rolling import rolling_moments

        residual = panel["residual_return"]
        n_rows = max(len(residual) - self.skip_bars, 0)
        moments = rolling_moments(
            residual[:n_rows],
            self.window_bars,
            min_obs=self._needed,
            first_bar=panel.first_bar,
            counts=True,
        )
        usable = moments.std > _ROUNDING * np.abs(moments.mean)
        momentum = np.full(residual.shape, np.nan)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ratio = np.where(usable, moments.n_obs * moments.mean / moments.std, np.nan)
        momentum[self.skip_bars :] = np.where(np.isfinite(ratio), ratio, np.nan)
        return momentum
