"""One regression of each symbol on market, rates and styles together, for stress and attribution.

Rates and spreads are taken less what the market explains of them, so that each factor is counted
once.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.standardised_ridge import standardised_ridge
from plumbline.risk.analytic import MarketDays
from plumbline.risk.analytics.style_spread import SPREADS, spread_returns

FACTORS: Final = ("market", "rates", *SPREADS)
_THREADS: Final = 4  # dates at a time; kernels give up the interpreter's lock


@final
@dataclass(frozen=True)
class JointModel:
    """How symbols are regressed on all factors.

    Parameters
    ----------
    benchmark, rates : symbols of the market and of long bonds.
    window_bars : returns of a fit; it ends a session before the date.
    min_obs : returns that a fit needs.
    penalty : of squared standardised slopes on spreads; market and rates have none.
    """

    benchmark: str = "SPY"
    rates: str = "TLT"
    window_bars: int = 180
    min_obs: int = 108
    penalty: float = 1.0

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns and the date's own."""
        return self.window_bars + 2

    @property
    def symbols(self) -> frozenset[str]:
        """Return the symbols of all factors."""
        funds = {fund for pair in SPREADS.values() for fund in pair}
        return frozenset({self.benchmark, self.rates, *funds})

    def raw_factors(self, days: MarketDays) -> Float[np.ndarray, "sessions factors"]:
        """Return the returns of market, bonds and spreads on all sessions."""
        spreads = [spread_returns(days, style) for style in SPREADS]
        columns = [days.returns_of(self.benchmark), days.returns_of(self.rates), *spreads]
        return np.stack(columns, axis=1)

    def fit(self, days: MarketDays) -> "JointFit":
        """Fit all symbols on each date, once for all that ask.

        Cost: O(dates x window x symbols x factors).
        """
        return days.once(self, lambda: self._fitted(days))

    def _fitted(self, days: MarketDays) -> "JointFit":
        raw = self.raw_factors(days)
        n_symbols, n_factors = len(days.market.symbols), len(FACTORS)
        shape = (n_symbols, days.days.size)
        fit = JointFit(
            np.full((*shape, n_factors), np.nan),
            np.zeros(shape, dtype=np.int64),
            np.full((days.days.size, n_factors, 2), np.nan),
            raw,
            days.days,
        )
        penalty = np.append(np.zeros(2), np.full(n_factors - 2, self.penalty))
        returns = np.ascontiguousarray(days.market.returns.T)

        def fit_date(at: int) -> None:
            own = slice(max(0, int(days.days[at]) - self.window_bars), int(days.days[at]))
            rows = raw[own]
            fit.line[at] = _lines_on_market(rows, self.min_obs)
            known = rows - fit.line[at, :, 0] - fit.line[at, :, 1] * rows[:, :1]
            if not rows.shape[0]:
                return
            found = standardised_ridge(
                returns[own],
                known,
                np.array([rows.shape[0] - 1]),
                self.window_bars,
                min_obs=self.min_obs,
                penalty=penalty,
            )
            fit.beta[:, at] = found.beta[0]
            fit.n_obs[:, at] = np.where(np.isnan(found.alpha[0]), 0, found.n_obs[0])

        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(fit_date, range(days.days.size)):
                pass
        return fit


@final
@dataclass(frozen=True, eq=False)
class JointFit:
    """Slopes of all symbols on each date, from the window that ends a session before.

    Parameters
    ----------
    beta : (S, D, K) slopes on market, rates and spreads, these less what the market explains.
    n_obs : (S, D) returns of a fit, 0 where there is none.
    line : (D, K, 2) intercept and slope of each raw factor on the market; 0 for the market.
    raw : (T, K) returns of raw factors.
    days : (D,) sessions.
    """

    beta: Float[np.ndarray, "symbols dates factors"]
    n_obs: Int[np.ndarray, "symbols dates"]
    line: Float[np.ndarray, "dates factors two"]
    raw: Float[np.ndarray, "sessions factors"]
    days: Int[np.ndarray, " dates"]

    @cached_property
    def factor_returns(self) -> Float[np.ndarray, "dates factors"]:
        """Return the factors' returns of each date itself."""
        raw = self.raw[self.days]
        return np.asarray(raw - self.line[:, :, 0] - self.line[:, :, 1] * raw[:, :1])


def _lines_on_market(
    rows: Float[np.ndarray, "rows factors"], min_obs: int
) -> Float[np.ndarray, "factors two"]:
    """Return intercept and slope of each factor on the first; NaN where rows are too few."""
    out = np.full((rows.shape[1], 2), np.nan)
    out[0] = 0.0
    x = rows[:, 0]
    for k in range(1, rows.shape[1]):
        keep = np.isfinite(x) & np.isfinite(rows[:, k])
        if keep.sum() < min_obs:
            continue
        a, b = x[keep] - x[keep].mean(), rows[keep, k] - rows[keep, k].mean()
        square = float(a @ a)
        if square > 0:
            slope = float(a @ b) / square
            out[k] = rows[keep, k].mean() - slope * x[keep].mean(), slope
    return out
