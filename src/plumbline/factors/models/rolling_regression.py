"""Regression of each asset on the factors over a trailing window."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.model import FactorModel, LeastBars, require_same_bars, window_reasons

if TYPE_CHECKING:
    from plumbline.kernels.regression import RollingFit

_LONGEST = 10_000_000  # bars: a minute's bars over 19 years


@final
@dataclass(frozen=True)
class RollingRegression(FactorModel):
    """Alpha and betas by least squares over the last ``window`` bars, per asset.

    The residual return of bar t uses the coefficients of the window that ends at
    t - ``as_of_lag``: nothing of bar t is in them. A bar where the asset's or a factor's return is
    missing is left out of its window. A window with too few bars or factors that are linearly
    dependent in it gives NaN.

    Parameters
    ----------
    window : bars per fit, above the number of factors + 1, at most 10,000,000. 168 is a
        week of hours; a year of sessions is 252.
    min_obs : returns a window needs; default: 60 % of it, rounded up.
    as_of_lag : bars between the end of the window and the return it explains, at least 1.
    ridge : penalty on the squared betas, in units of factor return squared; 0 is least squares.
    half_life : bars in which a return's weight halves; default: equal weights.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Fama and MacBeth, "Risk, return, and equilibrium: empirical tests", Journal of Political
    Economy 81 (1973) 607-636 (betas from a trailing window, applied to what follows). Hoerl and
    Kennard, "Ridge regression", Technometrics 12 (1970) 55-67.
    """

    window: int = 168
    min_obs: int | None = None
    as_of_lag: int = 1
    ridge: float = 0.0
    half_life: float | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (3 <= self.window <= _LONGEST, f"window must lie in 3 … {_LONGEST}"),
            (
                self.min_obs is None or 1 <= self.min_obs <= self.window,
                "min_obs must lie in 1 … window",
            ),
            (self.as_of_lag >= 1, "as_of_lag must be at least 1, or the residual is not causal"),
            (0 <= self.ridge < math.inf, "ridge must be a number of at least 0"),
            (
                self.half_life is None or 0 < self.half_life < math.inf,
                "half_life must be a number above 0",
            ),
        )
        refuse(self, broken(rules))

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.window - 1 + self.as_of_lag

    @property
    def needs_independent_factors(self) -> bool:
        """Return whether dependent factors have no fit: without a penalty they have none."""
        return self.ridge == 0

    def least_bars(self, n_factors: int) -> LeastBars:
        """Return the fewest bars after which fits and residuals can exist.

        Raises
        ------
        ParameterError
            If the window holds too few bars for the factors and an intercept.
        """
        if self.window < n_factors + 2:
            raise ParameterError(
                f"window={self.window} cannot fit {n_factors} factors and an intercept, needs at "
                f"least {n_factors + 2}"
            )
        needed = self._needed(n_factors)
        return LeastBars(fit=needed, residual=needed + self.as_of_lag)

    def reasons(self, fitted: Panel) -> Mapping[str, int]:
        """Return the windows without a fit by reason, and those whose returns are all alike.

        ``too_few_observations`` and ``rank_deficient`` have no fit, as
        :class:`plumbline.kernels.regression.RollingFit` counts them; ``constant_return`` has one
        without R².
        """
        n_factors = sum(name.startswith("beta_") for name in fitted)
        return window_reasons(fitted, self._needed(n_factors))

    def _needed(self, n_factors: int) -> int:
        """Return the observations that a window needs; one more than there are coefficients."""
        least = math.ceil(0.6 * self.window) if self.min_obs is None else self.min_obs
        return max(least, n_factors + 2)

    @property
    def error_convention(self) -> str:
        """Return in a sentence what ``beta_errors`` are."""
        kind = "classical least squares" if self.half_life is None else "weighted least squares"
        penalty = ", of the penalised estimator" if self.ridge else ""
        alike = "of one variance" if self.half_life is None else "of variances inverse to weights"
        return (
            f"Standard errors are those of {kind}{penalty}: residuals of the last {self.window} "
            f"bars are taken as uncorrelated over bars and {alike}; no Newey-West correction."
        )

    def beta_errors(self, returns: Panel, factors: Panel) -> Panel:
        """Return the standard errors of the betas of every bar and asset."""
        found = self._rolling(returns, factors, inference=True).stderr
        of_betas = () if found is None else np.moveaxis(found, 2, 0)[1:]
        named = zip(factors.assets, of_betas, strict=True)
        return returns.only([]).with_fields({f"stderr_{name}": errors for name, errors in named})

    def fit(self, returns: Panel, factors: Panel) -> Panel:
        """Return alpha, betas, r2, n_obs and the causal residual of every bar and asset."""
        fit = self._rolling(returns, factors, inference=False)
        betas = {f"beta_{name}": fit.beta[:, :, k] for k, name in enumerate(factors.assets)}
        fields = {
            "alpha": fit.alpha,
            **betas,
            "n_obs": fit.n_obs,
            "r2": fit.r2,
            "residual_return": fit.residual,
        }
        return Panel(
            fields,
            returns.bars,
            returns.assets,
            known_at=np.maximum(returns.known_at, factors.known_at),
            first_bar=returns.first_bar,
        )

    def _rolling(self, returns: Panel, factors: Panel, *, inference: bool) -> "RollingFit":
        """Return the regressions of every bar and asset, with standard errors if asked for."""
        from plumbline.kernels.regression import RollingOptions, rolling_ols

        y, x = returns["return"], factors["return"]
        require_same_bars(returns, factors)
        options = RollingOptions(
            as_of_lag=self.as_of_lag,
            ridge=self.ridge,
            half_life=self.half_life,
            inference=inference,
            first_bar=returns.first_bar,
        )
        return rolling_ols(y, x, self.window, min_obs=self.min_obs, options=options)
