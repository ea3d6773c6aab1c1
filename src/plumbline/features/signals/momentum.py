"""Return of the past year, the last month left out."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.features.returns import return_between
from plumbline.features.signal import Signal


@final
@dataclass(frozen=True)
class Momentum(Signal):
    """Return from ``lookback_bars`` ago to ``skip_bars`` ago: what rose goes on rising.

    close[t - skip] / close[t - lookback] - 1. The last month is left out because returns reverse
    over it. NaN where one of the two closes is missing or not positive.

    Parameters
    ----------
    lookback_bars : bars back to the first close, above ``skip_bars``. 252 is a year of sessions.
    skip_bars : bars back to the last close, at least 0. 21 is a month of sessions.

    Raises
    ------
    ParameterError
        Unless 0 <= skip_bars < lookback_bars.

    References
    ----------
    Jegadeesh and Titman, "Returns to buying winners and selling losers: implications for stock
    market efficiency", Journal of Finance 48 (1993) 65-91.
    """

    lookback_bars: int = 252
    skip_bars: int = 21

    def __post_init__(self) -> None:
        require_kinds(self)
        holds = 0 <= self.skip_bars < self.lookback_bars
        refuse(self, broken([(holds, "need 0 <= skip_bars < lookback_bars")]))

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"close"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.lookback_bars

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value."""
        return self.lookback_bars + 1

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the momentum of every bar and asset, decimal."""
        return return_between(panel["close"], self.lookback_bars, self.skip_bars)
