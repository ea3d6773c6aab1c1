"""How unusual the latest volume is beside that of the months before it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import broken, refuse, require_kinds
from plumbline.features.signal import Signal
from plumbline.features.trailing import LONGEST, trailing_deviation, values_needed


@final
@dataclass(frozen=True)
class VolumeSurprise(Signal):
    """Mean log volume of the latest bars less that of the bars before, over their deviation.

    With v the log volume: (mean of v over t - short + 1 … t, less its mean over the ``long_bars``
    bars before those) / its standard deviation (n - 1) over those. High: an asset that many look
    at is bought by more people than can sell it. A volume that is missing or not positive is left
    out; NaN where a window has too few, or where the deviation is zero to rounding.

    Parameters
    ----------
    short_bars : latest bars, at least 1; 60 % of them, rounded up, need a volume.
    long_bars : bars before them, above ``short_bars``, at most 10,000,000. 63 is a quarter of
        sessions.
    min_obs : volumes that ``long_bars`` need, 2 … long_bars; default: 60 %, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Gervais, Kaniel and Mingelgrin, "The high-volume return premium", Journal of Finance 56 (2001)
    877-919. The paper ranks a day's volume among those of the 49 days before.
    """

    short_bars: int = 1
    long_bars: int = 63
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        rules = (
            (
                1 <= self.short_bars < self.long_bars <= LONGEST,
                f"need 1 <= short_bars < long_bars <= {LONGEST}",
            ),
            (
                self.min_obs is None or 2 <= self.min_obs <= self.long_bars,
                "min_obs must lie in 2 … long_bars",
            ),
        )
        refuse(self, broken(rules))

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({"volume"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.short_bars + self.long_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value: those of the long window, and the short one."""
        return self._needed + self.short_bars

    @property
    def _needed(self) -> int:
        return values_needed(self.long_bars, self.min_obs, least=2)

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the surprise of every bar and asset, in standard deviations. O(T·A)."""
        from plumbline.kernels.rolling import rolling_mean

        volume = panel["volume"]
        is_there = np.isfinite(volume) & (volume > 0)
        logs = np.log(np.where(is_there, volume, np.nan))
        first_bar = panel.first_bar
        least = values_needed(self.short_bars, None)
        latest = rolling_mean(logs, self.short_bars, min_obs=least, first_bar=first_bar)
        usual, deviation = trailing_deviation(
            logs, self.long_bars, self._needed, first_bar=first_bar
        )
        surprise = np.full(volume.shape, np.nan)
        n_rows = max(len(volume) - self.short_bars, 0)
        gap = latest[self.short_bars :] - usual[:n_rows]
        surprise[self.short_bars :] = gap / deviation[:n_rows]
        return surprise
