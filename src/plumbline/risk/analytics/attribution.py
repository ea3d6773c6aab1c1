"""Where the P&L of a session came from."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.kernels.weighted_sums import fewest_of_held, weighted_sums
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.attribution import PARTS, attribute
from plumbline.risk.joint_model import JointModel


@final
@dataclass(frozen=True)
class Attribution(Analytic):
    """The P&L of a session split over factors, trading, dividends, interest, fees and the rest.

    A factor's part is the exposure at the close of the session before, times the slope of the
    joint model, times the factor's return. The parts add up to the P&L.

    Parameters
    ----------
    benchmark, rates : symbols of the market and of long bonds.

    References
    ----------
    Grinold and Kahn, "Active portfolio management" (2nd ed., 1999), chapter 17.
    """

    benchmark: str = "SPY"
    rates: str = "TLT"

    units: ClassVar = {f"from_{name}": "currency" for name in PARTS}

    @property
    def model(self) -> JointModel:
        """Return the model that slopes come from."""
        return JointModel(self.benchmark, self.rates)

    @property
    def sessions(self) -> int:
        """Return the closes that the model reads."""
        return self.model.sessions

    @property
    def symbols(self) -> frozenset[str]:
        """Return the symbols of all factors."""
        return self.model.symbols

    def prepare(self, days: MarketDays) -> Prepared:
        """Return the fit of each symbol and date."""
        return {"fit": self.model.fit(days)}

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the parts; coverage is the share of the exposure before that has slopes."""
        fit = prepared["fit"]
        before = portfolios.before
        parts = attribute(portfolios.accounts, portfolios.days.valuation, before, fit)
        _, coverage = weighted_sums(before.dollars, np.ascontiguousarray(fit.beta[:, :, :1]))
        values = {f"from_{name}": table for name, table in parts.items()}
        return Measures(values, coverage, fewest_of_held(before.dollars, fit.n_obs))
