"""An exchange behind the library ccxt: its calls, its errors, and portions of its bars."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, final

from plumbline.core.errors import MissingExtraError, SourceError, nearest_names
from plumbline.lake.calls import Calls, PassingError

R = TypeVar("R")
Row = list[float | None]
Ask = Callable[[int, int, int], list[Row]]
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)  # of a broken answer


@final
class Exchange:
    """One exchange, asked without an account.

    Parameters
    ----------
    name : of the exchange in ccxt.
    address : root of the interface in place of the exchange's own, or None.
    timeout_seconds : how long an answer may take.
    label : what messages call it.

    Raises
    ------
    MissingExtraError
        If ccxt is not installed.
    SourceError
        If it knows no such exchange.
    """

    def __init__(self, name: str, address: str | None, timeout_seconds: float, label: str) -> None:
        try:
            import ccxt
        except ImportError as error:
            raise MissingExtraError("ccxt", "crypto") from error
        if name not in ccxt.exchanges:
            known = nearest_names(name, ccxt.exchanges)
            raise SourceError(label, [f"ccxt knows no exchange {name!r}; {known}"])
        self._library = ccxt
        self._label = label
        self._api: Any = getattr(ccxt, name)(
            {
                "enableRateLimit": True,
                "enableLastJsonResponse": True,
                "timeout": round(timeout_seconds * 1000),
            }
        )
        if address is not None:
            self._api.urls["api"] = _at(self._api.urls["api"], address.rstrip("/"))

    def refuse_unknown(self, symbols: Sequence[str], frequency: str, calls: Calls) -> None:
        """Refuse markets and lengths of bars that the exchange does not have, all at once."""
        markets = calls(lambda: self._asked(self._api.load_markets))
        problems = [
            f"no market {symbol!r}; {nearest_names(symbol, markets)}"
            for symbol in symbols
            if symbol not in markets
        ]
        lengths = self._api.timeframes or {}
        if frequency not in lengths:
            problems.append(f"no bars of {frequency}; known: {', '.join(lengths)}")
        if problems:
            raise SourceError(self._label, problems)

    def now_ms(self) -> int:
        """Return the exchange's time, or that of this machine if it tells none."""
        if self._api.has.get("fetchTime"):
            return int(self._asked(self._api.fetch_time))
        return int(self._api.milliseconds())

    def rows(
        self, symbol: str, frequency: str, start_ms: int, end_ms: int, limit: int
    ) -> list[Row]:
        """Return rows of time, open, high, low, close, volume from a time on, as they come.

        The library takes an answer that it cannot read, and rows older than what was asked for, as
        no rows. Since no rows mean a gap, they must stand in the answer as an empty list.
        """
        asked = self._asked(
            lambda: self._api.fetch_ohlcv(
                symbol, frequency, since=start_ms, limit=limit, params={"until": end_ms - 1}
            )
        )
        if not asked and not _has_empty_list(self._api.last_json_response):
            said = " ".join(str(self._api.last_http_response).split())[:100]
            raise PassingError(f"the answer is no list of bars: {said!r}")
        return list(asked)

    def _asked(self, call: Callable[[], R]) -> R:
        """Return what a call gives; errors are of two kinds, those that may pass and the rest."""
        library = self._library
        try:
            return call()
        except library.OperationFailed as error:
            raise PassingError(_said(error), self._told_to_wait()) from error
        except library.BaseError as error:
            raise SourceError(self._label, [_said(error)]) from error
        except _MALFORMED as error:
            raise PassingError(f"the answer cannot be read: {_said(error)}") from error

    def _told_to_wait(self) -> float:
        """Return the seconds that the last answer says to wait, 0 if none."""
        headers = self._api.last_response_headers or {}
        told = {key.lower(): value for key, value in headers.items()}.get("retry-after", "")
        return float(told) if str(told).isdigit() else 0.0


def portion_of(
    ask: Ask, window: tuple[int, int], step_ms: int, now_ms: int, calls: Calls
) -> list[Row]:
    """Return the closed bars of a portion in order of time, each once.

    The exchange is asked from the portion's start, then from behind the last bar that it gave,
    until it gives none up to the portion's end: so neither a limit of its own below the portion's
    length nor a gap is taken for the other.

    Parameters
    ----------
    ask : asks for bars by start, end and limit.
    window : numbers of the portion's first bar and of the bar after its last, counted from 1970.
    step_ms : length of a bar.
    now_ms : bars that close after it are not taken.
    calls : makes the calls.
    """
    end = min(window[1] * step_ms, now_ms - now_ms % step_ms)
    start = window[0] * step_ms
    found: dict[int, Row] = {}

    def part() -> list[Row]:
        limit = (end - start) // step_ms
        return _checked(ask(start, end, limit), start, end, step_ms)

    while start < end:
        rows = calls(part)
        if not rows:
            break
        found.update((int(row[0] or 0), row) for row in rows)
        start = max(found) + step_ms
    return [found[time] for time in sorted(found)]


def _checked(rows: Sequence[Any], start: int, end: int, step_ms: int) -> list[Row]:
    """Return the rows of an answer that lie in what was asked for.

    Raises
    ------
    PassingError
        If a row is no bar, lies between bars, or there are two that differ of one time.
    """
    held: dict[int, Row] = {}
    for row in rows:
        if len(row) != 6 or not all(value is None or _is_number(value) for value in row):
            raise PassingError(f"the answer holds a row that is no bar: {row!r}")
        if row[0] is None or None in row[1:5]:
            raise PassingError(f"the answer holds a bar without a time or a price: {row!r}")
        time = int(row[0])
        if time % step_ms:
            raise PassingError(f"the answer holds a bar that opens at {time}, between two bars")
        if held.setdefault(time, list(row)) != list(row):
            raise PassingError(f"the answer holds two bars of {time} that differ")
    return [row for time, row in held.items() if start <= time < end]


def _has_empty_list(value: Any) -> bool:
    """Return whether an answer is, or holds at any depth of its mappings, an empty list."""
    if isinstance(value, dict):
        return any(map(_has_empty_list, value.values()))
    return isinstance(value, list) and not value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _at(urls: Any, address: str) -> Any:
    """Return addresses with another root in the place of their scheme and host."""
    if isinstance(urls, dict):
        return {key: _at(value, address) for key, value in urls.items()}
    rest = str(urls).split("://", 1)[-1]
    return address + (f"/{rest.split('/', 1)[1]}" if "/" in rest else "")


def _said(error: Exception) -> str:
    """Return what an error says, in one line of sensible length."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}"
