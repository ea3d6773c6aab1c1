"""Betas of symbols to one series of returns, and of portfolios."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.kernels.regression import RollingOptions, rolling_ols
from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.symbol_table import symbol_rows
from plumbline.risk.trailing_analytic import TrailingAnalytic


@dataclass(frozen=True)
class OneFactor(TrailingAnalytic):
    """Least squares with an intercept of symbols' daily returns on a factor's.

    A portfolio's figures are the sums of signed weight times those of its symbols, which are told
    too, with their errors.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as :class:`TrailingAnalytic` says.
    """

    shares: ClassVar = ("symbols",)
    units: ClassVar = {}
    label: ClassVar[str]
    """Name of the beta; those of the other figures begin with it."""

    @property
    def least_obs(self) -> int:
        """Return 3: a line through two points has no error."""
        return 3

    @abstractmethod
    def factor(self, days: MarketDays) -> Float[np.ndarray, " sessions"]:
        """Return the factor's returns on all sessions."""

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the fit of each symbol and date."""
        rules = (self.window_bars, self.needed)
        return fitted(days, days.market.returns, self.factor(days), rules)

    def shared_tables(
        self, prepared: Prepared, days: MarketDays, dates: slice
    ) -> Mapping[str, pl.DataFrame]:
        """Return the fits of the symbols that are held."""
        own = {name: figures[:, dates] for name, figures in prepared.items()}
        return {"symbols": symbol_rows(self.label, own, days.part(dates))}

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        weights = portfolios.weights
        sums, coverage = weighted_sums(weights, prepared["slopes"])
        values = {
            self.label: sums[:, :, 0],
            f"{self.label}_alpha": sums[:, :, 1],
            f"{self.label}_exposure": sums[:, :, 0] * portfolios.exposures.equity,
        }
        return Measures(values, coverage, fewest_of_held(weights, prepared["n_obs"]))


def fitted(
    days: MarketDays,
    returns: Float[np.ndarray, "series sessions"],
    factor: Float[np.ndarray, " sessions"],
    rules: tuple[int, int],
) -> Prepared:
    """Fit series of returns on one factor, over windows that end on the dates.

    Parameters
    ----------
    days : the dates.
    returns, factor : on all sessions.
    rules : returns of a window, and those that it needs.

    Returns
    -------
    ``slopes`` (N, D, 2) beta and alpha; ``errors`` (N, D, 3) R2, standard error and t of beta;
    ``n_obs`` (N, D), 0 where there is no fit.
    """
    window_bars, min_obs = rules
    rows = days.rows_of(window_bars)
    fit = rolling_ols(
        np.ascontiguousarray(returns[:, rows].T),
        factor[rows, None],
        window_bars,
        min_obs=min_obs,
        options=RollingOptions(inference=True, first_bar=days.market.first_bar + rows.start),
    )
    at = days.days - rows.start

    def of_days(table: np.ndarray | None) -> np.ndarray:
        return np.asarray(np.asarray(table)[at].swapaxes(0, 1))

    beta = of_days(fit.beta)[:, :, 0]
    errors = [of_days(fit.r2), of_days(fit.stderr)[:, :, 1], of_days(fit.tstat)[:, :, 1]]
    return {
        "slopes": np.stack([beta, of_days(fit.alpha)], axis=2),
        "errors": np.stack(errors, axis=2),
        "n_obs": np.where(np.isnan(beta), 0, of_days(fit.n_obs)),
    }
