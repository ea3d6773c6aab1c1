"""Betas that move: a Kalman filter whose alphas and betas are random walks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.factors.model import FactorModel, LeastBars, window_reasons
from plumbline.factors.recursion import LONGEST, filtered, least_memory, rows_needed


@final
@dataclass(frozen=True)
class Kalman(FactorModel):
    """Alpha and betas by a Kalman filter, one for each asset, whose coefficients are random walks.

    r_t = α_t + β_t'f_t + ε_t. A beta's step has a standard deviation of ``beta_drift`` times that
    of ε, which fixes how fast the past fades; the size of ε is not needed, because it scales both.
    Betas at a bar are those given the returns up to it. The residual return of bar t is the
    one-step prediction error, r_t less what alpha and betas of bar t - 1 explain: nothing of bar t
    is in them. R² is 1 less the sum of squared prediction errors, each over its variance in units
    of the noise, over the sum of squared deviations of the return; it may be below 0.

    The start is diffuse. So that a row does not depend on where the data begin, bars are cut into
    blocks of ``memory_bars`` by calendar number, and the filter of a block starts with the block
    before: a fit knows between 1 and 2 blocks of bars. Every bar is filtered twice for it. Betas
    that move enough to forget a block within it do not show the seams.

    A bar where the asset's or a factor's return is missing is no observation; betas drift over it.
    Too few observations, or factors that are linearly dependent over them, give NaN.

    Parameters
    ----------
    beta_drift : standard deviation of a beta's change per bar over that of the residual, per unit
        of factor return, at least 0: with 1, a beta of an asset with residuals of 1 % moves by
        about 0.01 a bar. 0 is least squares over the block and the one before.
    alpha_drift : standard deviation of alpha's change per bar over that of the residual, at least
        0; 0 keeps alpha as it is.
    memory_bars : bars of a block, at most 10,000,000; more than the number of factors + 1.
    min_obs : observations that a fit needs; default: 60 % of ``memory_bars``, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Harvey, "Forecasting, structural time series models and the Kalman filter", Cambridge University
    Press (1989), chapter 3. Durbin and Koopman, "Time series analysis by state space methods", 2nd
    ed., Oxford University Press (2012), chapter 5 (diffuse start).
    """

    beta_drift: float = 1.0
    alpha_drift: float = 0.0
    memory_bars: int = 252
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (0 <= self.beta_drift < math.inf, "beta_drift must be a number of at least 0"),
            (0 <= self.alpha_drift < math.inf, "alpha_drift must be a number of at least 0"),
            (3 <= self.memory_bars <= LONGEST, f"memory_bars must lie in 3 … {LONGEST}"),
            (
                self.min_obs is None or 1 <= self.min_obs <= self.memory_bars,
                "min_obs must lie in 1 … memory_bars",
            ),
        )
        refuse(self, broken(rules))

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on: a filter's two blocks, and a bar."""
        return 2 * self.memory_bars

    def least_bars(self, n_factors: int) -> LeastBars:
        """Return the fewest bars after which fits and residuals can exist.

        Raises
        ------
        ParameterError
            If a block holds too few bars for the factors and an intercept.
        """
        least_memory(self.memory_bars, n_factors)
        needed = rows_needed(self.memory_bars, self.min_obs, n_factors)
        return LeastBars(fit=needed, residual=needed + 1)

    def reasons(self, fitted: Panel) -> Mapping[str, int]:
        """Return the fits that are missing by reason; see :func:`window_reasons`."""
        n_factors = sum(name.startswith("beta_") for name in fitted)
        return window_reasons(fitted, rows_needed(self.memory_bars, self.min_obs, n_factors))

    def fit(self, returns: Panel, factors: Panel) -> Panel:
        """Return alpha, betas, r2, n_obs and the causal residual of every bar and asset."""
        from plumbline.kernels.recursive_fit import RecursiveOptions

        options = RecursiveOptions(
            alpha_drift=self.alpha_drift,
            beta_drift=self.beta_drift,
            first_bar=returns.first_bar,
        )
        return filtered(returns, factors, self.memory_bars, self.min_obs, options)
