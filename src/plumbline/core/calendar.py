"""Trading calendars: which bars exist, when they close, and which number each one has.

A bar's number counts grid positions from a fixed epoch, so it never depends on where a data set
begins: blocks of bars, and the window sums inside rolling kernels, are anchored on it.
"""

import json
import textwrap
import warnings
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Bool, Int

from plumbline.core.arguments import Argument, require
from plumbline.core.calendar_files import kept, zone_digest
from plumbline.core.errors import CalendarError, UnknownCalendarError, nearest_names

ALWAYS_OPEN = "24/7"
EPOCH = np.datetime64("1960-01-01")  # sessions are counted from here, or from the first on record
_HORIZON = np.datetime64("2259-12-31")  # nanoseconds of the calendar library end in 2262
_MOST_SAID = 300  # characters of what the library says of a calendar that it cannot lay out
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "8h": 480, "1d": 1440}


@final
@dataclass(frozen=True)
class Calendar:
    """A grid of bars.

    Parameters
    ----------
    name : ``24/7``, or an exchange's ISO code known to ``exchange_calendars``, such as ``XNYS``.
        Another name that the library has for it, such as ``NYSE``, becomes that code.
    frequency : ``1m 5m 15m 30m 1h 4h 8h 1d`` for 24/7, where a day ends at 00:00 UTC;
        ``1d`` for an exchange, where a bar is a session and closes with it.

    Raises
    ------
    UnknownCalendarError
        If the name or the frequency is not one of these.
    ParameterError
        If one is no text.
    """

    name: str = ALWAYS_OPEN
    frequency: str = "1d"

    def __post_init__(self) -> None:
        named = isinstance(self.name, str)
        require(
            Argument("name", self.name, named, f"a text such as 'XNYS' or {ALWAYS_OPEN!r}"),
            Argument(
                "frequency", self.frequency, isinstance(self.frequency, str), "a text such as '1d'"
            ),
        )
        if self.frequency not in _MINUTES:
            hint = nearest_names(self.frequency, _MINUTES)
            raise UnknownCalendarError(f"no frequency {self.frequency!r}; {hint}")
        if self.name == ALWAYS_OPEN:
            return
        if self.frequency != "1d":
            raise UnknownCalendarError(
                f"calendar {self.name} has bars of 1d, not {self.frequency}; "
                f"for intraday bars use {ALWAYS_OPEN!r}"
            )
        known = _known()
        if self.name not in known:
            hint = nearest_names(self.name, [*known, ALWAYS_OPEN])
            raise UnknownCalendarError(f"no calendar {self.name!r}; {hint}")
        object.__setattr__(self, "name", known[self.name].code)

    @property
    def step(self) -> np.timedelta64:
        """Return the length of a bar on a 24/7 grid."""
        return np.timedelta64(_MINUTES[self.frequency] * 60_000_000, "us")

    def closes(self, first: int, last: int) -> np.ndarray:
        """Return the UTC close times of the bars numbered ``first`` … ``last``, both included."""
        if self.name == ALWAYS_OPEN:
            return np.datetime64(0, "us") + np.arange(first, last + 1) * self.step
        sessions = self._first_sessions(last + 1)
        if first < 0 or last >= len(sessions.closes):
            raise CalendarError(
                f"{self.name} has sessions 0 … {len(sessions.closes) - 1}, not {first} … {last}"
            )
        return sessions.closes[first : last + 1].copy()

    def dates(self, first: int, last: int) -> np.ndarray:
        """Return the dates of the daily bars numbered ``first`` … ``last``, both included.

        Raises
        ------
        CalendarError
            If bars are not daily, or the calendar has no such bars.
        """
        if self.frequency != "1d":
            raise CalendarError(f"bars of {self.frequency} have times, not dates")
        closes = self.closes(first, last)
        if self.name == ALWAYS_OPEN:
            return (closes - self.step).astype("datetime64[D]")
        return self._first_sessions(last + 1).dates[first : last + 1].copy()

    def sessions(self, first: int, last: int) -> "Sessions":
        """Return when the sessions numbered ``first`` … ``last`` of an exchange begin and end."""
        found = self._first_sessions(last + 1)
        return Sessions(*(getattr(found, name)[first : last + 1] for name in Sessions._fields))

    def numbers(self, closes: np.ndarray) -> Int[np.ndarray, " bars"]:
        """Return the number of each close time.

        Raises
        ------
        CalendarError
            If a time is no bar's close; the first few are named.
        """
        closes = np.asarray(closes, dtype="datetime64[us]")
        numbers, on_grid = self.locate(closes)
        if not on_grid.all():
            wrong = closes[~on_grid]
            shown = ", ".join(str(t) for t in wrong[:5])
            raise CalendarError(
                f"{wrong.size} times are no close of a {self.frequency} bar of {self.name}: {shown}"
            )
        return numbers

    def locate(
        self, closes: np.ndarray
    ) -> tuple[Int[np.ndarray, " bars"], Bool[np.ndarray, " bars"]]:
        """Return for each time the number of the last bar that has closed, and if it is then."""
        closes = np.asarray(closes, dtype="datetime64[us]")
        if closes.size == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        if np.isnat(closes).any():
            raise CalendarError(
                f"{np.isnat(closes).sum()} of {closes.size} times are missing (NaT)"
            )
        if self.name == ALWAYS_OPEN:
            since = closes.astype(np.int64)
            step = int(self.step.astype(np.int64))
            numbers = since // step
            return numbers, numbers * step == since
        table = self._sessions_to(_year(closes.max())).closes
        numbers = np.searchsorted(table, closes, side="right") - 1
        return numbers, (numbers >= 0) & (table[np.maximum(numbers, 0)] == closes)

    def session_closes(self, dates: np.ndarray) -> tuple[np.ndarray, Bool[np.ndarray, " bars"]]:
        """Return the close time of each session date, and whether the date is a session.

        On a 24/7 grid every date is one, and its bar closes at the following midnight UTC.
        """
        days = np.asarray(dates, dtype="datetime64[D]")
        if np.isnat(days).any():
            raise CalendarError(f"{np.isnat(days).sum()} of {days.size} dates are missing (NaT)")
        if self.name == ALWAYS_OPEN or days.size == 0:
            one_day = np.timedelta64(1, "D")
            return (days + one_day).astype("datetime64[us]"), np.ones(days.shape, dtype=bool)
        sessions = self._sessions_to(_year(days.max()))
        place = np.minimum(np.searchsorted(sessions.dates, days), len(sessions.dates) - 1)
        return sessions.closes[place], sessions.dates[place] == days

    def _sessions_to(self, year: int) -> "_Sessions":
        """Return the sessions from the first on record to the end of a year's decade at least."""
        first, last = _known()[self.name].record
        if year > _year(last):
            raise CalendarError(f"{self.name} is on record from {first} to {last}, not in {year}")
        return _sessions(self.name, max(year, _year(first)) // 10 * 10 + 9)

    def _first_sessions(self, count: int) -> "_Sessions":
        """Return at least so many sessions from the first on record, or all if it has fewer."""
        first, last = _known()[self.name].record
        year = min(_year(first) + max(count, 0) // 262, _year(last))  # 262 weekdays a year at most
        sessions = self._sessions_to(year)
        while len(sessions.closes) < count and year < _year(last):
            year = min(year + 10, _year(last))
            sessions = self._sessions_to(year)
        return sessions


def grid_of(calendar: Calendar | str) -> tuple[str, str]:
    """Return name and frequency of a calendar, given as such or as ``XNYS`` or ``24/7 1h``.

    Raises
    ------
    ParameterError
        If it is neither.
    """
    if isinstance(calendar, Calendar):
        return calendar.name, calendar.frequency
    is_text = isinstance(calendar, str) and bool(calendar.strip())
    allowed = f"a Calendar, or text such as 'XNYS' or '{ALWAYS_OPEN} 1h'"
    require(Argument("calendar", calendar, is_text, allowed))
    name, _, frequency = calendar.strip().partition(" ")
    return name, frequency.strip() or "1d"


def bars_a_year(name: str, frequency: str) -> float:
    """Return how many bars a year has, by custom: 252 sessions, or 365 days that never close."""
    if name != ALWAYS_OPEN:
        return 252.0
    return 365.0 * _MINUTES["1d"] / _MINUTES[frequency]


class Sessions(NamedTuple):
    """When sessions begin, pause and end, UTC; NaT where one has no break."""

    opens: np.ndarray
    break_starts: np.ndarray
    break_ends: np.ndarray
    closes: np.ndarray


@final
@dataclass(frozen=True)
class _Sessions:
    dates: np.ndarray
    closes: np.ndarray
    opens: np.ndarray
    break_starts: np.ndarray
    break_ends: np.ndarray


@dataclass(frozen=True)
class _Listed:
    """What the library says of a name; all numbers of sessions hang on the first date on record."""

    code: str
    record: tuple[np.datetime64, np.datetime64]
    zone: str


@cache
def _known() -> dict[str, _Listed]:
    """Return every name that the library knows."""
    found = json.loads(kept("names", lambda: json.dumps(_names()).encode()))
    return {
        name: _Listed(code, (np.datetime64(first), np.datetime64(last)), zone)
        for name, (code, first, last, zone) in found.items()
    }


def _names() -> dict[str, tuple[str, str, str, str]]:
    """Return name -> code, first and last date, time zone, as the library has them."""
    from exchange_calendars import calendar_utils, get_calendar_names

    found = {}
    for name in get_calendar_names():
        code = calendar_utils.resolve_alias(name)
        cls = calendar_utils._default_calendar_factories[code]
        earliest, latest = cls.bound_min(), cls.bound_max()
        first = EPOCH if earliest is None else max(EPOCH, np.datetime64(earliest.date()))
        last = _HORIZON if latest is None else min(_HORIZON, np.datetime64(latest.date()))
        zone = cls.__new__(cls).tz  # laid out for no dates
        found[name] = (code, str(first), str(last), str(zone))
    return found


@lru_cache(maxsize=32)
def _sessions(name: str, last_year: int) -> _Sessions:
    """Return all sessions on record to the end of a year."""
    about = _known()[name]
    file = f"{name}-{last_year}-{zone_digest(about.zone)}"
    content = kept(file, lambda: _laid_out(name, about, last_year).tobytes())
    moments = np.frombuffer(content, dtype="datetime64[us]").reshape(len(fields(_Sessions)), -1)
    return _Sessions(moments[0].astype("datetime64[D]"), *moments[1:])


def _laid_out(name: str, about: _Listed, last_year: int) -> np.ndarray:
    """Return a row of moments for each field of sessions, as the library lays them out."""
    import exchange_calendars
    from exchange_calendars.errors import CalendarError as LibraryError

    start, latest = about.record
    end = min(np.datetime64(f"{last_year}-12-31"), latest)
    try:
        with warnings.catch_warnings():  # of pandas, about calls that the library makes
            warnings.simplefilter("ignore", DeprecationWarning)
            calendar = exchange_calendars.get_calendar(name, start=str(start), end=str(end))
    # the library raises any of these for a calendar or a year that it has no rules for
    except (ValueError, NotImplementedError, LibraryError) as error:
        said = textwrap.shorten(str(error), _MOST_SAID)  # some list thousands of dates
        raise CalendarError(
            f"exchange_calendars cannot lay out {name} from {start} to {end}: {said}"
        ) from error
    _, *others = (field.name for field in fields(_Sessions))
    moments = [getattr(calendar, other).dt.tz_convert(None).to_numpy() for other in others]
    rows = [calendar.sessions.to_numpy(), *moments]
    return np.stack([row.astype("datetime64[us]") for row in rows])


def _year(moment: np.datetime64) -> int:
    return int(moment.astype("datetime64[Y]").astype(np.int64)) + 1970
