"""The worst days of today's holdings."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from scipy.special import ndtri

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.series_tails import TAILS, series_tails
from plumbline.kernels.series_volatility import HAR_DAYS
from plumbline.risk.analytic import Analytic, Measures, PortfolioDays, Prepared


@final
@dataclass(frozen=True)
class Tail(Analytic):
    """Value at risk and expected shortfall of the returns that today's weights would have had.

    Losses are positive. The historical quantile is of type 7, shortfall is the mean loss of the
    days at or beyond it, the parametric figure is that of a normal distribution.

    Parameters
    ----------
    window : returns that are looked at, 20 to 504.
    min_share : share of them that must be there.

    References
    ----------
    Jorion, "Value at risk" (3rd ed., 2006), chapters 5 and 10. Hyndman and Fan, "Sample quantiles
    in statistical packages", American Statistician 50 (1996) 361-365.
    """

    window: int = 252
    min_share: float = 0.6

    units: ClassVar = {
        "var_95": "loss of equity a day, as a fraction",
        "var_99": "loss of equity a day, as a fraction",
        "es_95": "loss of equity a day, as a fraction",
        "es_99": "loss of equity a day, as a fraction",
        "var_95_normal": "loss of equity a day, as a fraction",
        "var_99_normal": "loss of equity a day, as a fraction",
        "worst_day": "loss of equity a day, as a fraction",
    }

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = []
        if not 20 <= self.window <= HAR_DAYS:
            problems.append(f"window={self.window} must be 20 … {HAR_DAYS}")
        if not 0 < self.min_share <= 1:
            problems.append(f"min_share={self.min_share} must be above 0 and at most 1")
        refuse(self, problems)

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns."""
        return self.window + 1

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        del prepared  # all is the portfolios' own
        series, coverage = portfolios.series
        shape = series.shape[:2]
        rows = series[:, :, -self.window :].reshape(-1, self.window)
        found = series_tails(rows, int(np.ceil(self.min_share * self.window)))
        normal = [-(found.mean + ndtri(tail) * found.deviation) for tail in TAILS]
        figures = [*found.value_at_risk.T, *found.shortfall.T, *normal, found.worst]
        values = {name: f.reshape(shape) for name, f in zip(self.units, figures, strict=True)}
        return Measures(values, coverage, found.n_obs.reshape(shape))
