"""What portfolios would lose in scenarios."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from plumbline.core.parameters import refuse, require_kinds
from plumbline.kernels.segment_sums import segment_sums
from plumbline.risk.analytic import Analytic, MarketDays, Measures, PortfolioDays, Prepared
from plumbline.risk.joint_model import JointModel
from plumbline.risk.options import Contracts, greeks
from plumbline.risk.scenarios import DEFAULT_SCENARIOS, Scenario, bond_return, factor_moves


@final
@dataclass(frozen=True)
class Stress(Analytic):
    """P&L of today's holdings if factors move as scenarios say.

    A symbol moves by its slopes of the joint model times the factors' moves. Options are valued
    anew at the price and volatility that the scenario gives; what has no slopes moves by nothing,
    which coverage says.

    Parameters
    ----------
    scenarios : of distinct names; none by which bonds lose all.
    benchmark, rates : symbols of the market and of long bonds.
    duration : years, of the bonds; yields that rise by 1 % cost so many per cent.

    References
    ----------
    Kupiec, "Stress testing in a value at risk framework", Journal of Derivatives 6 (1998) 7-24.
    """

    scenarios: tuple[Scenario, ...] = DEFAULT_SCENARIOS
    benchmark: str = "SPY"
    rates: str = "TLT"
    duration: float = 17.0

    units: ClassVar = {"stress_worst": "P&L over equity in the worst scenario"}

    def __post_init__(self) -> None:
        require_kinds(self)
        if not all(isinstance(scenario, Scenario) for scenario in self.scenarios):
            refuse(self, ["scenarios must be a tuple, each entry a Scenario"])
        names = [scenario.name for scenario in self.scenarios]
        problems = []
        if not names or len(set(names)) < len(names):
            problems.append(f"scenarios need distinct names, and one at least; given: {names}")
        if not 0 < self.duration < 100:
            problems.append(f"duration={self.duration} must be above 0 and below 100 years")
        else:
            problems += [
                f"scenarios: {scenario.name!r} has rates_bp {scenario.rates_bp:g}, by which bonds "
                f"of {self.duration:g} years lose all: it must be below {1e4 / self.duration:.0f}"
                for scenario in self.scenarios
                if bond_return(scenario, self.duration) <= -1
            ]
        refuse(self, problems)

    @property
    def model(self) -> JointModel:
        """Return the model that slopes come from."""
        return JointModel(self.benchmark, self.rates)

    @property
    def sessions(self) -> int:
        """Return the closes that the model and the covariance of factors read."""
        return 254

    @property
    def symbols(self) -> frozenset[str]:
        """Return the symbols of all factors."""
        return self.model.symbols

    def prepare(self, days: MarketDays) -> Prepared:
        """Return for each symbol, date and scenario what one unit gains; NaN without slopes."""
        fit = self.model.fit(days)
        moves = factor_moves(self.scenarios, fit, days.market.dates, self.duration)
        move = np.einsum("sdk,djk->sdj", fit.beta, moves)
        valuation = days.valuation
        unit = valuation.marks.multiplier[:, None] * valuation.marks.price[:, days.days]
        gain = unit[:, :, None] * move
        known = valuation.options
        if known.rows.size:
            gain[known.rows] = self._options(days, move[valuation.underlying[known.rows]])
        gain[~valuation.is_measured] = np.nan
        return {"gain": gain, "n_obs": fit.n_obs}

    def _options(self, days: MarketDays, move: np.ndarray) -> np.ndarray:
        """Return what one unit of each option gains, valued anew."""
        valuation, known = days.valuation, days.valuation.options
        terms = known.contracts
        now = known.volatility[:, days.days, None]
        shift = np.array([scenario.volatility for scenario in self.scenarios])

        def moved(factor: np.ndarray) -> Contracts:
            return Contracts(
                terms.spot[:, days.days, None] * factor,
                terms.strike[:, :, None],
                terms.years[:, days.days, None],
                terms.rate,
                terms.dividend_yield,
                terms.is_call[:, :, None],
            )

        after = greeks(moved(np.maximum(1.0 + move, 0.0)), np.maximum(now + shift, 1e-4)).value
        before = greeks(moved(np.ones_like(move)), now).value
        multiplier = valuation.marks.multiplier[known.rows]
        return np.asarray(multiplier[:, None, None] * (after - before))

    def compute(self, prepared: Prepared, portfolios: PortfolioDays) -> Measures:
        """Return the worst loss of some portfolios, and the table of all scenarios."""
        accounts, exposures = portfolios.accounts, portfolios.exposures
        days = portfolios.days.days
        quantity = accounts.at("quantity", days)
        gain = prepared["gain"][accounts.lines.symbol]
        is_known = ~np.isnan(gain)
        n_scenarios = gain.shape[2]
        shape = (quantity.shape[0], days.size * n_scenarios)
        parts = quantity[:, :, None] * np.where(is_known, gain, 0.0)
        pnl = segment_sums(np.ascontiguousarray(parts.reshape(shape)), exposures.start)
        sizes = np.abs(exposures.exposure)[:, :, None] * is_known
        covered = segment_sums(np.ascontiguousarray(sizes.reshape(shape)), exposures.start)
        whole = (exposures.start.size - 1, days.size, n_scenarios)
        pnl, covered = pnl.reshape(whole), covered.reshape(whole)
        gross = segment_sums(np.abs(exposures.exposure), exposures.start)[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):  # nothing is held
            coverage = covered / gross
            share = np.where(covered > 0, pnl, np.nan) / exposures.positive_equity[:, :, None]
        p, d, j = np.nonzero(np.broadcast_to(gross > 0, whole))
        names = np.array([scenario.name for scenario in self.scenarios], dtype=object)
        table = {
            "portfolio": p,
            "date": d,
            "scenario": names[j],
            "pnl": np.where(covered > 0, pnl, np.nan)[p, d, j],
            "share": share[p, d, j],
            "coverage": coverage[p, d, j],
        }
        n_obs = prepared["n_obs"][accounts.lines.symbol]
        fewest = np.where((quantity != 0) & (n_obs > 0), n_obs, np.iinfo(np.int64).max)
        least = np.full(whole[:2], np.iinfo(np.int64).max)
        np.minimum.at(least, accounts.lines.owner, fewest)
        counts = np.where(least == np.iinfo(np.int64).max, 0, least)
        worst = np.nanmin(np.where(np.isnan(share), np.inf, share), axis=2)
        values = {"stress_worst": np.where(np.isinf(worst), np.nan, worst)}
        return Measures(values, coverage.min(axis=2), counts, {"stress": table})
