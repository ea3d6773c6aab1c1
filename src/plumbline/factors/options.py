"""How a signal is evaluated."""

import math
from dataclasses import dataclass
from typing import final

from plumbline.core.errors import ParameterError

_LONGEST = 1_000_000  # bars: two years of minutes


@final
@dataclass(frozen=True)
class EvaluationOptions:
    """Horizons, quantiles and costs of an evaluation.

    Parameters
    ----------
    horizons : bars after the signal over which returns are taken, increasing, at most 1,000,000.
    n_quantiles : groups of equal count per bar, at least 2.
    cost_bps : cost of trading, basis points of the value traded, at least 0.
    spread_horizon : bars each spread book is held, at least 1.
    periods_per_year : bars in a year; 252 for sessions, 365 for days of a market that never closes.
    every_bars : information coefficients and quantile returns read each bar whose calendar number
        is a multiple of this; 1 reads all. The spread trades every bar.

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

    def __post_init__(self) -> None:
        increasing = all(a < b for a, b in zip(self.horizons, self.horizons[1:], strict=False))
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
        )
        problems = [text for holds, text in rules if not holds]
        if problems:
            raise ParameterError(f"{'; '.join(problems)}; got {self}")
