"""Beta of what a portfolio did gain, not of what it holds."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.regression import RollingOptions, rolling_ols
from plumbline.risk.analytic import Analytic, Measures, PortfolioDays, Prepared


@final
@dataclass(frozen=True)
class BetaRealised(Analytic):
    """Least squares of a portfolio's own realised returns on a benchmark's.

    Trades, flows and fees are in those returns, and holdings were others than today's: it is
    another number than ``market_beta``, and both are shown.

    Parameters
    ----------
    window : returns of a fit, at least 3.
    min_share : share of them that a fit needs.
    benchmark : symbol whose returns are the market's.

    References
    ----------
    Jensen, "The performance of mutual funds in the period 1945-1964", Journal of Finance 23 (1968)
    389-416.
    """

    window: int = 90
    min_share: float = 0.6
    benchmark: str = "SPY"

    units: ClassVar = {
        "beta_realised": "return of equity per return of the benchmark",
        "beta_realised_alpha": "return of equity a day",
        "beta_realised_stderr": "as beta_realised",
        "beta_realised_r2": "share of variance",
    }

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
    def symbols(self) -> frozenset[str]:
        """Return the benchmark."""
        return frozenset({self.benchmark})

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios; coverage is the share of the window's returns."""
        del prepared  # all is the portfolios' own
        days = portfolios.days
        first = max(0, int(days.days.min()) - self.window + 1)
        rows = slice(first, int(days.days.max()) + 1)
        fit = rolling_ols(
            np.ascontiguousarray(portfolios.pnl_returns[:, rows].T),
            days.returns_of(self.benchmark)[rows, None],
            self.window,
            min_obs=max(3, int(np.ceil(self.min_share * self.window))),
            options=RollingOptions(inference=True, first_bar=days.market.first_bar + first),
        )
        at = days.days - first
        stderr, r2 = np.asarray(fit.stderr), np.asarray(fit.r2)
        figures = (fit.beta[at, :, 0], fit.alpha[at], stderr[at, :, 1], r2[at])
        values = {name: table.T.copy() for name, table in zip(self.units, figures, strict=True)}
        n_obs = fit.n_obs[at].T.astype(np.int64)
        return Measures(values, n_obs / self.window, n_obs)
