"""Betas of symbols to one series of returns, and of portfolios."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.regression import RollingOptions, rolling_ols
from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared


@dataclass(frozen=True)
class OneFactor(Analytic):
    """Least squares with an intercept of symbols' daily returns on a factor's.

    A portfolio's figures are the sums of signed weight times those of its symbols.

    Parameters
    ----------
    window : returns of a fit, at least 3.
    min_share : share of them that a fit needs, above 0.
    """

    window: int = 90
    min_share: float = 0.6

    units: ClassVar = {}

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = []
        if self.window < 3:
            problems.append(f"window={self.window} must be at least 3")
        if not 0 < self.min_share <= 1:
            problems.append(f"min_share={self.min_share} must be above 0 and at most 1")
        refuse(self, problems)

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns."""
        return self.window + 1

    @property
    def min_obs(self) -> int:
        """Return the returns that a fit needs."""
        return max(3, int(np.ceil(self.min_share * self.window)))

    @abstractmethod
    def factor(self, days: MarketDays) -> Float[np.ndarray, " sessions"]:
        """Return the factor's returns on all sessions."""

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the fit of each symbol and date."""
        return fitted(days, self.factor(days), self.window, self.min_obs)

    def measured(self, prepared: Prepared, portfolios: PortfolioDays, name: str) -> Measures:
        """Return a portfolio's figures under names that begin with one."""
        weights = portfolios.weights
        sums, coverage = weighted_sums(weights, prepared["slopes"])
        values = {
            name: sums[:, :, 0],
            f"{name}_alpha": sums[:, :, 1],
            f"{name}_exposure": sums[:, :, 0] * portfolios.exposures.equity,
        }
        return Measures(values, coverage, fewest_of_held(weights, prepared["n_obs"]))


def fitted(
    days: MarketDays, factor: Float[np.ndarray, " sessions"], window: int, min_obs: int
) -> Prepared:
    """Fit all symbols on one factor.

    Returns
    -------
    ``slopes`` (S, D, 2) beta and alpha; ``errors`` (S, D, 3) R2, standard error and t of beta;
    ``n_obs`` (S, D), 0 where there is no fit.
    """
    first = max(0, int(days.days.min()) - window + 1)
    rows = slice(first, int(days.days.max()) + 1)
    fit = rolling_ols(
        np.ascontiguousarray(days.market.returns[:, rows].T),
        factor[rows, None],
        window,
        min_obs=min_obs,
        options=RollingOptions(inference=True, first_bar=days.market.first_bar + first),
    )
    at = days.days - first

    def of_days(table: np.ndarray | None) -> np.ndarray:
        return np.asarray(np.asarray(table)[at].swapaxes(0, 1))

    beta = of_days(fit.beta)[:, :, 0]
    errors = [of_days(fit.r2), of_days(fit.stderr)[:, :, 1], of_days(fit.tstat)[:, :, 1]]
    return {
        "slopes": np.stack([beta, of_days(fit.alpha)], axis=2),
        "errors": np.stack(errors, axis=2),
        "n_obs": np.where(np.isnan(beta), 0, of_days(fit.n_obs)),
    }
