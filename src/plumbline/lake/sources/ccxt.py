"""Bars of an exchange, fetched portion by portion over its public interface."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final
from urllib.parse import quote, unquote

import numpy as np

from plumbline.core.calendar import ALWAYS_OPEN, Calendar
from plumbline.core.errors import ParameterError, SourceError
from plumbline.lake.remote_source import Fetch, Portion, RemoteSource, portion_name
from plumbline.lake.selection import names_in

if TYPE_CHECKING:
    import polars


_SETTLED = 1  # bars after which an exchange has surely published the last one
_FIELDS = ("open", "high", "low", "close", "volume")
_DAY_MS = 86_400_000


@final
@dataclass(frozen=True)
class Ccxt(RemoteSource):
    """Open, high, low, close and volume from the exchanges that the library ccxt knows.

    Time is cut into portions of ``portion_bars`` bars at fixed places. A portion is kept by the
    lake once all its bars have closed and all of it was answered, and is never fetched again; a
    fetch that is broken off goes on where it was. A bar that has not closed, by the exchange's own
    clock, is not taken. Calls are spaced as the exchange asks for.

    A bar is open at the time that the exchange gives for it, UTC, and closes a bar's length later.
    The length is the calendar's. Bars that the exchange does not give are missing.

    Parameters
    ----------
    exchange : name of the exchange in ccxt, such as ``binance``.
    symbols : markets as ccxt writes them, one text or several: ``BTC/USDT`` of spot,
        ``BTC/USDT:USDT`` of perpetuals. They are the names of the assets.
    since : day of the first bar, such as ``2024-01-01``.
    until : day after that of the last bar; default: as far as there are bars.
    address : root of the interface, in place of the exchange's own, as of a proxy.
    portion_bars : bars a portion, and at most those asked for at once.

    Raises
    ------
    ParameterError
        If a value is none of these.

    References
    ----------
    CCXT, "CryptoCurrency eXchange Trading Library", https://docs.ccxt.com.
    """

    exchange: str
    symbols: str | Sequence[str]
    since: str
    until: str | None = None
    address: str | None = None
    portion_bars: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", names_in(self.symbols))
        problems = self._patience_problems()
        if self.address is not None and "@" in self.address:
            problems.append(
                "address must hold no user or password: it stands in messages and in the lake"
            )
        if not self.exchange:
            problems.append("exchange must be a name, such as binance")
        if not self.symbols or not all(self.symbols):
            problems.append("symbols must name at least one market, such as BTC/USDT")
        if not 1 <= self.portion_bars <= 1500:
            problems.append(f"portion_bars={self.portion_bars} must lie in 1 … 1500")
        for name in ("since", "until"):
            if (value := getattr(self, name)) is not None and _day_ms(value) is None:
                problems.append(f"{name}={value!r} must be a day such as 2024-01-31")
        if not problems and self.until is not None and self.until <= self.since:
            problems.append(f"until={self.until} must be later than since={self.since}")
        if problems:
            raise ParameterError("; ".join(problems))

    @property
    def label(self) -> str:
        """Return the exchange, and its address if it is another than its own."""
        return f"ccxt {self.exchange}" + (f" at {self.address}" if self.address else "")

    def portions(self, fetch: Fetch) -> Iterator[Portion]:
        """Yield the portions of each market in order of time; see :meth:`RemoteSource.portions`."""
        from plumbline.lake.exchange import Exchange, portion_of

        if fetch.calendar.name != ALWAYS_OPEN:
            told = f"the exchange never closes: say calendar: '24/7 1h', not {fetch.calendar.name}"
            raise SourceError(self.label, [told])
        exchange = Exchange(self.exchange, self.address, self.timeout_seconds, self.label)
        exchange.refuse_unknown(self.symbols, fetch.calendar.frequency, fetch.calls)
        now_ms = fetch.calls(exchange.now_ms)
        for symbol in self.symbols:
            for number in range(*self._portion_numbers(fetch.calendar, now_ms)):
                name = f"{_safe(symbol)}-{number:08}"
                if name in fetch.held:
                    yield Portion(name, None, is_final=True)
                    continue
                ask = partial(exchange.rows, symbol, fetch.calendar.frequency)
                step_ms = _step_ms(fetch.calendar)
                window = (number * self.portion_bars, (number + 1) * self.portion_bars)
                rows = portion_of(ask, window, step_ms, now_ms, fetch.calls)
                is_final = (window[1] + _SETTLED) * step_ms <= now_ms
                content = json.dumps(rows, separators=(",", ":")).encode()
                yield Portion(name, content, is_final)

    def bars(
        self,
        base: Path,
        calendar: Calendar,
        findings: "list[polars.DataFrame]",  # noqa: ARG002  # as of all sources
    ) -> "list[polars.DataFrame]":
        """Read the kept portions; see :meth:`Source.bars`."""
        return [self._frame(path, calendar) for path in self.files(base)]

    def places(self, base: Path, calendar: Calendar, wanted: "polars.DataFrame") -> list[list[str]]:
        """Return the kept portion of each value; see :meth:`Source.places`."""
        found: list[list[str]] = [[] for _ in range(wanted.height)]
        keys = wanted.select("asset", "bar_close").rows()
        for path in self.files(base):
            held = set(self._frame(path, calendar).select("asset", "bar_close").iter_rows())
            for row, key in enumerate(keys):
                if key in held:
                    found[row].append(f"portion {path.name}")
        return found

    def _frame(self, path: Path, calendar: Calendar) -> "polars.DataFrame":
        """Return the bars of a portion that lie between ``since`` and ``until``."""
        import polars as pl

        rows = json.loads(path.read_bytes())
        table = np.array(rows, dtype=float).reshape(-1, 6)
        opens = np.array([row[0] for row in rows], dtype=np.int64)
        first, last = _day_ms(self.since) or 0, _day_ms(self.until or "9999-12-31") or 0
        is_asked = (opens >= first) & (opens < last)
        closes = pl.Series("bar_close", (opens + _step_ms(calendar))[is_asked] * 1000)
        asset = unquote(portion_name(path).rsplit("-", 1)[0])
        return pl.DataFrame(
            [
                closes.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                pl.Series("asset", [asset], dtype=pl.String).new_from_index(0, closes.len()),
                *(pl.Series(f, table[is_asked, i + 1]) for i, f in enumerate(_FIELDS)),
            ]
        )

    def _portion_numbers(self, calendar: Calendar, now_ms: int) -> tuple[int, int]:
        """Return the numbers of the first portion, and of the portion after the last."""
        length = self.portion_bars * _step_ms(calendar)
        until = now_ms if self.until is None else min(now_ms, _day_ms(self.until) or 0)
        return (_day_ms(self.since) or 0) // length, -(-until // length)


def _day_ms(text: str) -> int | None:
    """Return the first millisecond of a day, counted from 1970; None if the text is no day."""
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days * _DAY_MS
    except ValueError:
        return None


def _step_ms(calendar: Calendar) -> int:
    return int(calendar.step.astype("timedelta64[ms]").astype(int))


def _safe(symbol: str) -> str:
    """Return the name of a market as a part of a file's name."""
    return quote(symbol, safe="")
