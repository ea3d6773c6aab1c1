"""Prices of all symbols over all sessions, as valuation and analytics read them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Float, Int

from plumbline.core.calendar import Calendar
from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.core.wording import counted
from plumbline.kernels.last_prices import last_prices

_NAMED = 5  # wrong values that are named one by one
STALE_SESSIONS = 10  # how old the last price may be that a holding is valued by


@final
@dataclass(frozen=True, eq=False)
class Market:
    """Closes, splits and dividends, a row a symbol.

    Parameters
    ----------
    dates : (T,) sessions, all of the calendar's between the first and the last.
    symbols : sorted.
    close : in shares of the day; NaN where there is none.
    split : shares of the day for a share of the session before; 1 where nothing happens.
    dividend : cash a share of the day, on the ex-date; 0 where there is none.
    is_adjusted : whether closes are adjusted for splits and dividends already.
    first_bar : calendar number of the first session.
    sources : that closes come from, if there are several.
    source : which of them gave each close; -1 where there is none.
    """

    dates: np.ndarray
    symbols: tuple[str, ...]
    close: Float[np.ndarray, "symbols sessions"]
    split: Float[np.ndarray, "symbols sessions"]
    dividend: Float[np.ndarray, "symbols sessions"]
    is_adjusted: bool = False
    first_bar: int = 0
    sources: tuple[str, ...] = ()
    source: Int[np.ndarray, "symbols sessions"] | None = None

    @cached_property
    def returns(self) -> Float[np.ndarray, "symbols sessions"]:
        """Return total returns of a session; NaN unless it and the one before have a close."""
        out = np.full(self.close.shape, np.nan)
        worth = self.split[:, 1:] * (self.close[:, 1:] + self.dividend[:, 1:])
        out[:, 1:] = worth / self.close[:, :-1] - 1.0
        return out

    @cached_property
    def place(self) -> dict[str, int]:
        """Return symbol -> row."""
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    @cached_property
    def last_closes(
        self,
    ) -> tuple[Float[np.ndarray, "symbols sessions"], Int[np.ndarray, "symbols sessions"]]:
        """Return the last close up to each session, in shares of it, and its age in sessions.

        NaN, and an age of -1, where there is none.
        """
        return last_prices(self.close, self.split)


def chained_market(
    panels: Mapping[str, Panel], calendar: Calendar, *, is_adjusted: bool = False
) -> Market:
    """Return the market of several sources: of each symbol and session, the first that answers.

    Parameters
    ----------
    panels : source -> ``close``, ``split``, ``dividend``, any of them; in the order in which they
        are asked. Each field is asked for by itself, so splits and dividends may have a source of
        their own.
    calendar, is_adjusted : as in :func:`market_of`.

    Raises
    ------
    MissingDataError, ParameterError
        As :func:`market_of`; the symbols and sessions are those of all sources.
    """
    if len(panels) == 1:
        return market_of(next(iter(panels.values())), calendar, is_adjusted=is_adjusted)
    first = min(panel.first_bar for panel in panels.values())
    stop = max(panel.first_bar + panel.n_bars for panel in panels.values())
    symbols = tuple(sorted({symbol for panel in panels.values() for symbol in panel.assets}))
    shape = (stop - first, len(symbols))
    place = {symbol: column for column, symbol in enumerate(symbols)}
    fields: dict[str, np.ndarray] = {}
    source = np.full(shape, -1)
    for at, panel in enumerate(panels.values()):
        columns = np.array([place[symbol] for symbol in panel.assets])
        rows = np.arange(panel.n_bars) + panel.first_bar - first
        cells = np.ix_(rows, columns)
        for name in set(panel) & {"close", "split", "dividend"}:
            known = fields.setdefault(name, np.full(shape, np.nan))
            is_first = np.isnan(known[cells]) & ~np.isnan(panel[name])
            known[cells] = np.where(is_first, panel[name], known[cells])
            if name == "close":
                source[cells] = np.where(is_first, at, source[cells])
    closes = calendar.closes(first, stop - 1)
    market = market_of(
        Panel(fields, closes, symbols, first_bar=first), calendar, is_adjusted=is_adjusted
    )
    return replace(market, sources=tuple(panels), source=np.ascontiguousarray(source.T))


def market_of(panel: Panel, calendar: Calendar, *, is_adjusted: bool = False) -> Market:
    """Return the market of a panel of prices.

    Parameters
    ----------
    panel : ``close``, and ``split`` and ``dividend`` if there are any; bars are numbered by the
        calendar. A missing split is none, a missing dividend is none.
    calendar : the sessions.
    is_adjusted : whether closes are adjusted for splits and dividends; then there may be neither.

    Raises
    ------
    MissingDataError
        If there is no close, or no bar.
    ParameterError
        If a close, split or dividend is none that a market has, all kinds of them at once.
    """
    if "close" not in panel or not panel.n_bars:
        raise MissingDataError(
            f"prices need the field close and a bar; there are {', '.join(panel)} and "
            f"{panel.n_bars} bars"
        )
    close = np.ascontiguousarray(panel["close"].T)
    split = _field(panel, "split", 1.0)
    dividend = _field(panel, "dividend", 0.0)
    problems = [
        *_wrong(panel, "close", close <= 0, "must be above 0"),
        *_wrong(panel, "close", np.isinf(close), "must be finite"),
        *_wrong(panel, "split", ~(np.isfinite(split) & (split > 0)), "must be finite and above 0"),
        *_wrong(panel, "dividend", ~(np.isfinite(dividend) & (dividend >= 0)), "must be 0 or more"),
    ]
    if is_adjusted and ((split != 1).any() or (dividend != 0).any()):
        problems.append(
            "closes that are adjusted hold splits and dividends already: leave the fields split "
            "and dividend out, or give closes as they were traded"
        )
    if problems:
        raise ParameterError("; ".join(problems))
    last_bar = panel.first_bar + panel.n_bars - 1
    dates = calendar.dates(panel.first_bar, last_bar)
    return Market(dates, panel.assets, close, split, dividend, is_adjusted, panel.first_bar)


def _field(panel: Panel, name: str, default: float) -> Float[np.ndarray, "symbols sessions"]:
    if name not in panel:
        return np.full((len(panel.assets), panel.n_bars), default)
    values = np.ascontiguousarray(panel[name].T)
    return np.where(np.isnan(values), default, values)


def _wrong(panel: Panel, name: str, is_wrong: np.ndarray, rule: str) -> list[str]:
    if not is_wrong.any():
        return []
    rows, sessions = (axis.tolist() for axis in np.nonzero(is_wrong))
    days = panel.bars.astype("datetime64[D]")
    told = [
        f"{panel[name][session, row]:g} of {panel.assets[row]} on {days[session]}"
        for row, session in zip(rows[:_NAMED], sessions[:_NAMED], strict=True)
    ]
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return [f"{counted(len(rows), 'value')} of {name} {rule}: {', '.join(told)}{more}"]
