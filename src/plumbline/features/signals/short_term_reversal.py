"""Return of the past month, its sign turned."""

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
class ShortTermReversal(Signal):
    """Minus the return from ``lookback_bars`` ago to ``skip_bars`` ago: what fell recovers.

    1 - close[t - skip] / close[t - lookback]. Part of the effect is the bounce between bid and
    ask, which nobody earns; ``skip_bars`` of 1 leaves it out. NaN where one of the two closes is
    missing or not positive.

    Parameters
    ----------
    lookback_bars : bars back to the first close, above ``skip_bars``. 21 is a month of sessions.
    skip_bars : bars back to the last close, at least 0.

    Raises
    ------
    ParameterError
        Unless 0 <= skip_bars < lookback_bars.

    References
    ----------
    Jegadeesh, "Evidence of predictable behavior of security returns", Journal of Finance 45 (1990)
    881-898. Lehmann, "Fads, martingales, and market efficiency", Quarterly Journal of Economics
    105 (1990) 1-28.
    """

    lookback_bars: int = 21
    skip_bars: int = 0

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
        """Return the reversal of every bar and asset, decimal. O(T·A)."""
        return -return_between(panel["close"], self.lookback_bars, self.skip_bars)
