"""How much nearer to one an asset's beta is than it usually was."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from plumbline.core.panel import Panel
from plumbline.core.parameters import refuse, require_kinds
from plumbline.features.signal import Signal
from plumbline.features.trailing import values_needed, window_problems


@final
@dataclass(frozen=True)
class BetaCompression(Signal):
    """Mean distance of an asset's beta from one over the window, less its distance at the bar.

    mean of |beta - 1| over t - window + 1 … t, less |beta[t] - 1|. Above zero the beta is nearer
    to one than it usually was, below zero it is further away. The paper: when funding is tight,
    betas are compressed towards one, and what is held for its beta is sold below its worth. It
    speaks of all assets together; that a single asset whose beta is compressed is the one to buy
    is the hypothesis of this signal, and what a study of it tests.

    The betas are those of the study's factor model, whose window ends at the bar. A missing beta
    is left out of the mean; NaN where the beta of the bar is missing, or fewer than ``min_obs``
    are there.

    Parameters
    ----------
    factor : name of the factor in the study.
    window_bars : bars of the mean, this one included, at least 2. 252 is a year of sessions.
    min_obs : betas needed, 2 … window_bars; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.

    References
    ----------
    Frazzini and Pedersen, "Betting against beta", Journal of Financial Economics 111 (2014) 1-25,
    proposition 4 (beta compression).
    """

    factor: str = "market"
    window_bars: int = 252
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        problems = window_problems(self.window_bars, self.min_obs, least=2)
        if not self.factor:
            problems.append("factor must be a name")
        refuse(self, problems)

    def requires(self) -> frozenset[str]:
        """Return the fields it reads."""
        return frozenset({f"beta_{self.factor}"})

    @property
    def warm_up(self) -> int:
        """Return the bars before a row that it depends on."""
        return self.window_bars - 1

    @property
    def least_bars(self) -> int:
        """Return the bars of the first value."""
        return values_needed(self.window_bars, self.min_obs, least=2)

    def compute(self, panel: Panel) -> Float[np.ndarray, "bars assets"]:
        """Return the compression of every bar and asset, in units of beta. O(T·A)."""
        from plumbline.kernels.rolling import rolling_mean

        beta = panel[f"beta_{self.factor}"]
        distance = np.abs(np.where(np.isfinite(beta), beta, np.nan) - 1.0)
        usual = rolling_mean(
            distance, self.window_bars, min_obs=self.least_bars, first_bar=panel.first_bar
        )
        compression = np.where(np.isfinite(usual), usual, np.nan) - distance
        return np.where(np.isfinite(compression), compression, np.nan)
