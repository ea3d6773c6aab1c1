"""Beta of what a portfolio did gain, not of what it holds."""

from dataclasses import dataclass
from typing import ClassVar, final

from plumbline.risk.analytic import Measures, PortfolioDays, Prepared
from plumbline.risk.one_factor import fitted
from plumbline.risk.trailing_analytic import TrailingAnalytic


@final
@dataclass(frozen=True)
class BetaRealised(TrailingAnalytic):
    """Least squares of a portfolio's own realised returns on a benchmark's.

    Trades, flows and fees are in those returns, and holdings were others than today's: it is
    another number than ``market_beta``, and both are shown.

    Parameters
    ----------
    window_bars, min_obs : of a fit, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.
    benchmark : symbol whose returns are the market's.

    References
    ----------
    Jensen, "The performance of mutual funds in the period 1945-1964", Journal of Finance 23 (1968)
    389-416.
    """

    benchmark: str = "SPY"

    units: ClassVar = {
        "beta_realised": "return of equity per return of the benchmark",
        "beta_realised_alpha": "return of equity a day",
        "beta_realised_stderr": "as beta_realised",
        "beta_realised_r2": "share of variance",
    }

    @property
    def least_obs(self) -> int:
        """Return 3: a line through two points has no error."""
        return 3

    @property
    def symbols(self) -> frozenset[str]:
        """Return the benchmark."""
        return frozenset({self.benchmark})

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios; coverage is the share of the window's returns."""
        del prepared  # all is the portfolios' own
        days = portfolios.days
        factor = days.returns_of(self.benchmark)
        rules = (self.window_bars, self.needed)
        fit = fitted(days, portfolios.pnl_returns, factor, rules)
        slopes, errors = fit["slopes"], fit["errors"]
        figures = (slopes[:, :, 0], slopes[:, :, 1], errors[:, :, 1], errors[:, :, 0])
        values = dict(zip(self.units, figures, strict=True))
        return Measures(values, fit["n_obs"] / self.window_bars, fit["n_obs"])
