"""The worst days of today's holdings."""

from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from plumbline.kernels.component_risk import component_quantile
from plumbline.kernels.series_tails import TAILS, Tails, series_tails
from plumbline.kernels.series_volatility import HAR_DAYS
from plumbline.risk.analytic import Measures, PortfolioDays, Prepared
from plumbline.risk.trailing_analytic import TrailingAnalytic

_LEVELS: Final = tuple(enumerate(("var_95", "var_99")))  # as TAILS


@final
@dataclass(frozen=True)
class Tail(TrailingAnalytic):
    """Value at risk and expected shortfall of the returns that today's weights would have had.

    Losses are positive. The historical quantile is of type 7, shortfall is the mean loss of the
    days at or beyond it, the parametric figure is that of a normal distribution. Each position has
    its part in value at risk, ``component_var_95`` and ``component_var_99``: what it lost on the
    two days that the quantile lies between; they add up to it.

    Parameters
    ----------
    window_bars, min_obs : of the returns that are looked at, as
        :class:`~plumbline.risk.trailing_analytic.TrailingAnalytic` says.

    References
    ----------
    Jorion, "Value at risk" (3rd ed., 2006), chapters 5 and 10. Hyndman and Fan, "Sample quantiles
    in statistical packages", American Statistician 50 (1996) 361-365.
    """

    window_bars: int = 252

    units: ClassVar = {
        "var_95": "loss of equity a day, as a fraction",
        "var_99": "loss of equity a day, as a fraction",
        "es_95": "loss of equity a day, as a fraction",
        "es_99": "loss of equity a day, as a fraction",
        "var_95_normal": "loss of equity a day, as a fraction",
        "var_99_normal": "loss of equity a day, as a fraction",
        "worst_day": "loss of equity a day, as a fraction",
    }

    @property
    def least_obs(self) -> int:
        """Return 20: fewer have no worst twentieth."""
        return 20

    def problems(self) -> list[str]:
        """Return that a window is longer than the series that portfolios have."""
        if self.window_bars <= HAR_DAYS:
            return []
        return [f"window_bars={self.window_bars} must be {HAR_DAYS} at most"]

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the figures of some portfolios."""
        del prepared  # all is the portfolios' own
        series, coverage = portfolios.series
        shape = series.shape[:2]
        rows = series[:, :, -self.window_bars :].reshape(-1, self.window_bars)
        found = series_tails(rows, self.needed)
        normal = [-(found.mean + ndtri(tail) * found.deviation) for tail in TAILS]
        figures = [*found.value_at_risk.T, *found.shortfall.T, *normal, found.worst]
        values = {name: f.reshape(shape) for name, f in zip(self.units, figures, strict=True)}
        lines = {f"component_{name}": self._parts(portfolios, found, i) for i, name in _LEVELS}
        return Measures(values, coverage, found.n_obs.reshape(shape), lines=lines)

    def _parts(
        self, portfolios: PortfolioDays, found: Tails, level: int
    ) -> Float[np.ndarray, "lines dates"]:
        """Return what each line lost between the two days that a quantile lies between."""
        days = portfolios.days
        shape = portfolios.weights.gross.shape
        places = found.days[:, level].reshape(*shape, 2)
        begin = (days.days - (self.window_bars - 1))[None, :, None]
        sessions = np.where(places >= 0, places + begin, -1)
        share = found.share[:, level].reshape(shape)
        return component_quantile(
            portfolios.holding, days.returns, sessions[:, :, 0], sessions[:, :, 1], share
        )
