"""What portfolios hold on each session: lines, one symbol in one portfolio each."""

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from plumbline.kernels.position_accounting import Trades
from plumbline.risk.market import Market


@final
@dataclass(frozen=True, eq=False)
class Lines:
    """Lines sorted by portfolio, then symbol.

    Parameters
    ----------
    portfolios : sorted.
    start : (P + 1,) place of each portfolio's first line.
    symbol : (L,) row of the symbol in the market.
    trades : of all lines.
    fees : (P, T) of the trades of a session.
    """

    portfolios: tuple[str, ...]
    start: Int[np.ndarray, " portfolios_and_one"]
    symbol: Int[np.ndarray, " lines"]
    trades: Trades
    fees: Float[np.ndarray, "portfolios sessions"]

    @property
    def owner(self) -> Int[np.ndarray, " lines"]:
        """Return the portfolio of each line."""
        return np.repeat(np.arange(len(self.portfolios)), np.diff(self.start))


def lines_of(trades: pl.DataFrame, portfolios: tuple[str, ...], market: Market) -> Lines:
    """Return the lines of trades.

    Parameters
    ----------
    trades : ``portfolio date symbol quantity price fees``, in the order in which they were made.
    portfolios : sorted; those without trades have no line.
    market : holds every symbol and session of the trades.
    """
    n_sessions = market.dates.size
    owner = _places(trades["portfolio"], portfolios)
    symbol = _places(trades["symbol"], market.symbols)
    day = np.searchsorted(market.dates, trades["date"].to_numpy().astype("datetime64[D]"))
    order = np.lexsort((day, symbol, owner))
    owner, symbol, day = owner[order], symbol[order], day[order]
    line = owner * len(market.symbols) + symbol
    firsts = np.flatnonzero(np.diff(line, prepend=-1))
    fees = np.bincount(
        owner * n_sessions + day,
        weights=trades["fees"].to_numpy()[order],
        minlength=len(portfolios) * n_sessions,
    )
    return Lines(
        portfolios,
        np.searchsorted(owner[firsts], np.arange(len(portfolios) + 1)),
        symbol[firsts],
        Trades(
            np.append(firsts, line.size),
            day,
            trades["quantity"].to_numpy()[order].astype(np.float64),
            trades["price"].to_numpy()[order].astype(np.float64),
        ),
        fees.astype(np.float64).reshape(len(portfolios), n_sessions),
    )


def _places(names: pl.Series, known: tuple[str, ...]) -> Int[np.ndarray, " rows"]:
    return names.cast(pl.Enum(known)).to_physical().to_numpy().astype(np.int64)
