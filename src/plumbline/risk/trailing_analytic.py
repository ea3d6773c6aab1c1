"""What analytics over trailing windows of returns share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from plumbline.core.parameters import refuse, require_kinds
from plumbline.features.trailing import values_needed, window_problems
from plumbline.risk.analytic import Analytic


@dataclass(frozen=True)
class TrailingAnalytic(Analytic, ABC):
    """Figures that rest on the returns of a trailing window.

    Parameters
    ----------
    window_bars : returns of a window, the date's own included.
    min_obs : returns that a figure needs; default: 60 % of the window, rounded up.

    Raises
    ------
    ParameterError
        If a parameter is outside its range; every problem is named.
    """

    window_bars: int = 90
    min_obs: int | None = None

    def __post_init__(self) -> None:
        require_kinds(self)
        windows = window_problems(self.window_bars, self.min_obs, self.least_obs)
        refuse(self, [*windows, *self.problems()])

    @property
    @abstractmethod
    def least_obs(self) -> int:
        """Return the fewest returns of which the figures exist."""

    def problems(self) -> list[str]:
        """Return what is wrong with parameters beside those of the window."""
        return []

    @property
    def needed(self) -> int:
        """Return the returns that a figure needs."""
        return values_needed(self.window_bars, self.min_obs, self.least_obs)

    @property
    def sessions(self) -> int:
        """Return the closes of a window's returns."""
        return self.window_bars + 1
