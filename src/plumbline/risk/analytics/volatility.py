"""Volatility of today's holdings."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.kernels.component_risk import component_volatility
from plumbline.kernels.series_volatility import HAR_DAYS, YEAR, series_volatility
from plumbline.risk.analytic import Analytic, Measures, PortfolioDays, Prepared

_A_YEAR = np.sqrt(252.0)


@final
@dataclass(frozen=True)
class Volatility(Analytic):
    """Volatility of the returns that today's weights would have had, and a forecast of it.

    Weights stand still over the window; days on which symbols with less than 95 % of gross
    exposure have a return are left out, and a window needs 60 % of its days. Each position has its
    part, ``component_volatility``, in the volatility of 252 sessions; they add up to it.

    References
    ----------
    Litterman, "Hot spots and hedges", Journal of Portfolio Management (1996).
    Corsi, "A simple approximate long-memory model of realized volatility", Journal of Financial
    Econometrics 7 (2009) 174-196. J. P. Morgan/Reuters, "RiskMetrics technical document" (1996).
    """

    units: ClassVar = {
        "volatility_21": "a year, as a fraction",
        "volatility_63": "a year, as a fraction",
        "volatility_252": "a year, as a fraction",
        "volatility_ewma": "a year, as a fraction",
        "volatility_har": "a year, as a fraction, of the next 21 sessions",
        "volatility_percentile": "share of the last 252 values that are not above volatility_21",
        "volatility_trend": "volatility_21 over volatility_63, less 1",
    }

    @property
    def sessions(self) -> int:
        """Return the closes of the forecast's returns."""
        return HAR_DAYS + 1

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        del prepared  # all is the portfolios' own
        series, coverage = portfolios.series
        shape = series.shape[:2]
        found = series_volatility(series.reshape(-1, series.shape[2]))
        figures = [
            found.month * _A_YEAR,
            found.quarter * _A_YEAR,
            found.year * _A_YEAR,
            found.decayed * _A_YEAR,
            found.forecast * _A_YEAR,
            found.percentile,
            found.trend,
        ]
        values = {name: f.reshape(shape) for name, f in zip(self.units, figures, strict=True)}
        year = np.ascontiguousarray(series[:, :, -YEAR:])
        days = portfolios.days
        own = component_volatility(portfolios.holding, days.returns, days.days, year) * _A_YEAR
        own[np.isnan(values["volatility_252"])[portfolios.holding.owner]] = np.nan
        lines = {"component_volatility": own}
        return Measures(values, coverage, found.n_obs.reshape(shape), lines=lines)
