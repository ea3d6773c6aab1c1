"""How a signal is evaluated."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from plumbline.core.parameters import broken, refuse, require_kinds

_LONGEST = 1_000_000  # bars: two years of minutes
_MOST = 1_000_000


@final
@dataclass(frozen=True)
class EvaluationOptions:
    """Horizons, quantiles, costs, and draws of an evaluation.

    Parameters
    ----------
    horizons : bars after the signal over which returns are taken, increasing, at most 1,000,000.
    n_quantiles : groups of equal count per bar, at least 2.
    cost_bps : cost of trading, basis points of the value traded, at least 0.
    spread_horizon : bars each spread book is held, at least 1.
    periods_per_year : bars in a year; 252 for sessions, 365 for days of a market that never closes.
    every_bars : information coefficients and quantile returns read each bar whose calendar number
        is a multiple of this; 1 reads all. The spread trades every bar, and turnover reads every
        bar.
    n_resamples : of the bootstrap interval of the mean rank IC, at most 1,000,000; 0 leaves it out.
    n_draws : of each null of the null suite, at most 1,000,000; 0 leaves it out.
    seed : of resamples and draws, at least 0.
    impact : coefficient of the square-root law: a trade as large as the value traded in an asset
        moves its price by this times its volatility; at least 0.
    impact_bars : bars of the trailing volatility and traded value of that law, at least 2.
    capitals_usd : capital of one side of the spread for each point of the capacity curve,
        increasing, above 0; none leaves the curve out.

    Raises
    ------
    ParameterError
        If a value is outside its range; every problem is named.
    """

    horizons: tuple[int, ...] = (1, 5, 21, 63)
    n_quantiles: int = 5
    cost_bps: float = 5.0
    spread_horizon: int = 21
    periods_per_year: float = 252.0
    every_bars: int = 1
    n_resamples: int = 1_000
    n_draws: int = 200
    seed: int = 0
    impact: float = 1.0
    impact_bars: int = 21
    capitals_usd: tuple[float, ...] = (1e5, 1e6, 1e7, 1e8, 1e9, 1e10)

    def __post_init__(self) -> None:
        require_kinds(self)
        increasing = _is_increasing(self.horizons)
        rules = (
            (
                bool(self.horizons) and increasing and self.horizons[0] >= 1,
                "horizons must be increasing numbers of bars, at least 1",
            ),
            (
                all(h <= _LONGEST for h in self.horizons),
                f"horizons must be at most {_LONGEST} bars",
            ),
            (2 <= self.n_quantiles <= 100, "n_quantiles must lie in 2 … 100"),
            (0 <= self.cost_bps < math.inf, "cost_bps must be a number of at least 0"),
            (self.spread_horizon >= 1, "spread_horizon must be at least 1 bar"),
            (0 < self.periods_per_year < math.inf, "periods_per_year must be a number above 0"),
            (self.every_bars >= 1, "every_bars must be at least 1"),
            (0 <= self.n_resamples <= _MOST, "n_resamples must lie in 0 … 1,000,000"),
            (0 <= self.n_draws <= _MOST, "n_draws must lie in 0 … 1,000,000"),
            (0 <= self.seed < 2**63, "seed must be a whole number of at least 0"),
            (0 <= self.impact < math.inf, "impact must be a number of at least 0"),
            (self.impact_bars >= 2, "impact_bars must be at least 2"),
            (
                _is_increasing(self.capitals_usd)
                and all(0 < c < math.inf for c in self.capitals_usd),
                "capitals_usd must be increasing numbers above 0",
            ),
        )
        refuse(self, broken(rules))


def _is_increasing(numbers: tuple[float, ...]) -> bool:
    return all(a < b for a, b in pairwise(numbers))
