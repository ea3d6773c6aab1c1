"""Long-run reversal, without what betas explain of it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.features.returns import positive_prices
from plumbline.features.signal import Signal


@final
@dataclass(frozen=True)
class ValueAgainstBeta(Signal):
    """Minus the log return of past years, less what the assets' betas explain of it on the bar.

    v = log close[t - lookback] - log close[t - skip]; the signal is the residual of the regression
    of v, on each bar across assets, on an intercept and the beta. What has become cheap over years
    is what a measure of value made of prices alone finds; what lost most also has high betas then,
    so part of its later gain is pay for risk, which the regression takes out. The last year is left
    out because returns go on over it.

    NaN where a close is missing or not positive or the beta is missing, and on a bar with fewer
    than 3 assets that have both. The residuals of a bar sum to zero.

    Parameters
    ----------
    lookback_bars : bars back to the first close, above ``skip_bars``. 1260 is five years of
        sessions.
    skip_bars : bars back to the last close, at least 0. 252 is a year of sessions.
    factor : name of the factor in the study whose beta is taken out.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Asness, Moskowitz and Pedersen, "Value and momentum everywhere", Journal of Finance 68 (2013)
    929-985 (minus the return of five years as value). De Bondt and Thaler, "Does the stock market
    overreact?", Journal of Finance 40 (1985) 793-805. Chan, "On the contrarian investment
    strategy", Journal of Business 61 (1988) 147-163 (the betas of losers).
    """

    lookback_bars: int = 1260
    skip_bars: int = 252
    factor: str = "market"

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (0 <= self.skip_bars < self.lookback_bars, "need 0 <= skip_bars < lookback_bars"),
            (bool(self.factor), "factor must be a name"),
        )
        refuse(self, broken(rules))

    @property
    def is_cross_sectional(self) -> bool:
        """Return that a value also depends on the other assets of its bar."""
        return True

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"close", f"beta_{self.factor}"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.lookback_bars

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value."""
        return self.lookback_bars + 1

    def least_bars_of(self, field: str) -> int:
        """Return the bars of the first value: of the beta, the bar's own is enough."""
        return self.least_bars if field == "close" else 1

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the value of every bar and asset beyond its beta, in log return. O(T·A)."""
        from plumbline.kernels.cross_section import neutralise

        price = np.log(positive_prices(panel["close"]))
        value = np.full_like(price, np.nan)
        n_rows = max(len(price) - self.lookback_bars, 0)
        if n_rows:
            first = self.lookback_bars - self.skip_bars
            value[self.lookback_bars :] = price[:n_rows] - price[first : first + n_rows]
        residual: Float[np.ndarray, "bars assets"] = neutralise(
            value, panel[f"beta_{self.factor}"][:, :, None]
        )
        return residual
