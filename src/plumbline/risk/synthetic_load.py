"""How large a made load is, and of what it is made."""

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, final

import numpy as np

from plumbline.core.calendar import Calendar
from plumbline.core.errors import CalendarError
from plumbline.core.parameters import broken, kind_problems, refuse

HISTORY: Final = 506
"""Sessions before the first date: 505 returns up to the day before it, what analytics read."""
MOST: Final = 1_000_000  # portfolios and symbols: as many as their names number
CALENDAR: Final = "XNYS"
_SHARES: Final = ("short", "option", "private", "late", "delisted", "gap")


@final
@dataclass(frozen=True)
class Load:
    """A load to be made.

    Parameters
    ----------
    portfolios : how many; all are open on every date.
    positions : lines that a portfolio opens; some are closed, and another takes their place.
    dates : sessions on which there are portfolios.
    symbols : shares with prices, beside eight funds, options and private assets.
    first : the first date, or a day before it without a session.
    short_share : of the lines that may be short; private assets are held long.
    option_share, private_share : of the lines of a portfolio.
    late_share : of the shares, listed within the history or in the month after the first date.
    delisted_share : of the shares, delisted in the quarter after the first date; the first share is
        one of them unless it is 0.
    gap_share : of the closes of shares, missing.

    Raises
    ------
    ParameterError
        If there can be no such load; every reason is named.
    """

    portfolios: int = 1_000
    positions: int = 21
    dates: int = 87
    symbols: int = 1_500
    first: date = date(2023, 1, 3)
    short_share: float = 0.3
    option_share: float = 0.05
    private_share: float = 0.02
    late_share: float = 0.1
    delisted_share: float = 0.01
    gap_share: float = 0.002

    def __post_init__(self) -> None:
        problems = list(kind_problems(self).values())
        if not isinstance(self.first, date) or isinstance(self.first, datetime):
            problems.append("first must be a date")
        refuse(self, problems)
        rules: list[tuple[object, str]] = [
            (
                1 <= getattr(self, name) <= most,
                f"{name}={getattr(self, name)} must be 1 … {most:,}",
            )
            for name, most in (("portfolios", MOST), ("dates", 10_000), ("symbols", MOST))
        ]
        rules.append((self.positions >= 1, f"positions={self.positions} must be at least 1"))
        rules.extend(
            (0 <= share <= 1, f"{name}_share={share} must be 0 … 1")
            for name in _SHARES
            for share in (getattr(self, f"{name}_share"),)
        )
        together = self.option_share + self.private_share
        rules.append(
            (together <= 1, f"option_share + private_share = {together:g} must be at most 1")
        )
        found = broken(rules)
        if not found:
            found = [*self._too_few(), *self._off_calendar()]
        refuse(self, found)

    def _too_few(self) -> list[str]:
        n_listed = len(self.punctual)
        text = (
            f"positions={self.positions} are different shares, and only {n_listed} of "
            f"symbols={self.symbols} are listed on the first date; ask for fewer positions, more "
            "symbols or a smaller late_share"
        )
        return broken([(self.positions <= n_listed, text)])

    def _off_calendar(self) -> list[str]:
        try:
            self.sessions()
        except CalendarError as error:
            return [f"first={self.first} with dates={self.dates} leaves the calendar: {error}"]
        return []

    def sessions(self) -> tuple[np.ndarray, int]:
        """Return all sessions, the history among them, and the calendar's number of the first."""
        calendar = Calendar(CALENDAR)
        day = np.datetime64(self.first, "D")
        closes, _ = calendar.session_closes(np.array([day]))
        start = int(calendar.numbers(closes)[0]) - HISTORY
        return calendar.dates(start, start + HISTORY + self.dates - 1), start

    @property
    def punctual(self) -> tuple[int, ...]:
        """Return the numbers of the shares that are listed throughout the history."""
        return tuple(i for i in range(self.symbols) if not self.is_late(i))

    def is_late(self, number: int) -> bool:
        """Return whether a share is listed late: every so many of them are."""
        return _marks(number, self.late_share, 0.5)

    def is_delisted(self, number: int) -> bool:
        """Return whether a share is delisted: the first is, and then every so many."""
        return _marks(number, self.delisted_share, 1.0 - self.delisted_share)

    def pool(self, share: float) -> int:
        """Return how many instruments there are of a class that lines have that share of."""
        return math.ceil(share * self.symbols) + 1 if share else 0


def _marks(number: int, share: float, phase: float) -> bool:
    """Return whether evenly spread marks, a share of all, fall on a number."""
    return math.floor((number + 1) * share + phase) > math.floor(number * share + phase)
