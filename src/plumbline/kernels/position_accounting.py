"""Holdings of portfolios through time: quantity, value, cost, what was realised, day by day.

A line is one symbol in one portfolio. Lines know nothing of each other, so the bits of one do not
depend on which others are computed beside it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.compilation import compiled

_CLOSED = 1e-9  # share of a holding below which what a trade leaves of it is rounding


class Marks(NamedTuple):
    """What symbols are worth, a row a symbol.

    Parameters
    ----------
    price : last price up to the day, in shares of the day; NaN where there is none or it is too
        old to value by.
    split : shares of the day for a share of the day before; 1 where nothing happens.
    dividend : cash a share held at the previous close, in shares of the day.
    expiry : session at whose end the symbol is settled, or -1.
    settlement : price that it is settled at; NaN if unknown, then it stays.
    multiplier : units of the underlying in one.
    """

    price: Float[np.ndarray, "symbols days"]
    split: Float[np.ndarray, "symbols days"]
    dividend: Float[np.ndarray, "symbols days"]
    expiry: Int[np.ndarray, " symbols"]
    settlement: Float[np.ndarray, " symbols"]
    multiplier: Float[np.ndarray, " symbols"]


class Trades(NamedTuple):
    """Trades sorted by line, then day, then order of execution.

    Parameters
    ----------
    start : (L + 1,) place of each line's first trade.
    day : session of the trade.
    quantity : signed, in shares of that day.
    price : of one unit.
    """

    start: Int[np.ndarray, " lines_and_one"]
    day: Int[np.ndarray, " trades"]
    quantity: Float[np.ndarray, " trades"]
    price: Float[np.ndarray, " trades"]


class Holdings(NamedTuple):
    """What lines hold at the close of each day, and what happened on it, a row a line.

    Parameters
    ----------
    quantity : signed, in shares of the day.
    value : quantity x multiplier x price; the carried value where there is no price.
    cost : what was paid for what is held; negative for a short holding.
    traded : net cost of the day's trades, settlements included, fees not.
    dividends : cash paid or, short, owed.
    realised : gain of what was closed over its cost.
    is_carried : whether something is held and there is no price to value it by.
    """

    quantity: Float[np.ndarray, "lines days"]
    value: Float[np.ndarray, "lines days"]
    cost: Float[np.ndarray, "lines days"]
    traded: Float[np.ndarray, "lines days"]
    dividends: Float[np.ndarray, "lines days"]
    realised: Float[np.ndarray, "lines days"]
    is_carried: Bool[np.ndarray, "lines days"]


class _Lots(NamedTuple):
    """Purchases, or short sales, that are still held, oldest first."""

    quantity: Float[np.ndarray, " lots"]
    cost: Float[np.ndarray, " lots"]
    ends: Int[np.ndarray, " two"]


def hold(
    symbol: Int[np.ndarray, " lines"],
    trades: Trades,
    marks: Marks,
    pays_dividends: Bool[np.ndarray, " lines"],
    *,
    by_lots: bool = False,
    first: int = 0,
) -> Holdings:
    """Carry lines through all days.

    Parameters
    ----------
    symbol : row of the marks that each line holds.
    trades : of all lines.
    marks : of all symbols.
    pays_dividends : lines that get the dividends of the marks.
    by_lots : what is closed is taken from the oldest lots; default: at average cost.
    first : day of the first column of what is returned; no trade lies before it.

    Returns
    -------
    Where a symbol has no price, the line keeps its last value, or its cost if it never had one:
    what is bought adds its cost, what is sold takes its share, and nothing is gained until there
    is a price again but by sales.

    Notes
    -----
    Cost: O(lines x days + trades), by lots O(trades) more memory for the longest line.
    """
    n_days = marks.price.shape[1]
    shape = (symbol.size, n_days - first)
    tables = {name: np.zeros(shape) for name in Holdings._fields}
    out = Holdings(**tables | {"is_carried": np.zeros(shape, dtype=np.bool_)})
    _hold(symbol, trades, marks, pays_dividends, (by_lots, first), out)
    return out


@compiled
def _hold(
    symbol: Int[np.ndarray, " lines"],
    trades: Trades,
    marks: Marks,
    pays_dividends: Bool[np.ndarray, " lines"],
    rules: tuple[bool, int],
    out: Holdings,
) -> None:
    n_days = marks.price.shape[1]
    by_lots, begin = rules
    for line in range(symbol.size):
        s = symbol[line]
        multiplier = marks.multiplier[s]
        at, end = trades.start[line], trades.start[line + 1]
        room = end - at + 1 if by_lots else 1
        lots = _Lots(np.zeros(room), np.zeros(room), np.zeros(2, dtype=np.int64))
        quantity, value, cost = 0.0, 0.0, 0.0
        first = trades.day[at] if at < end else n_days
        for day in range(first, n_days):
            split = marks.split[s, day]
            if split != 1.0:
                quantity *= split
                for lot in range(lots.ends[0], lots.ends[1]):
                    lots.quantity[lot] *= split
            dividends = (
                quantity * multiplier * marks.dividend[s, day] if pays_dividends[line] else 0.0
            )
            traded, realised = 0.0, 0.0
            while at < end and trades.day[at] == day:
                bought, price = trades.quantity[at], trades.price[at]
                closed, left = _closed(quantity, bought)
                if closed > 0.0:
                    share = closed / np.abs(quantity)
                    released = _release(lots, closed) if by_lots else cost * share
                    realised -= (bought - left) * price * multiplier + released
                    is_gone = share == 1.0
                    quantity = 0.0 if is_gone else quantity + bought
                    cost = 0.0 if is_gone else cost - released
                    value = 0.0 if is_gone else value - value * share
                if left != 0.0:
                    quantity += left
                    cost += left * price * multiplier
                    value += left * price * multiplier
                    if by_lots:
                        lots.quantity[lots.ends[1]] = left
                        lots.cost[lots.ends[1]] = left * price * multiplier
                        lots.ends[1] += 1
                traded += bought * price * multiplier
                at += 1
            if marks.expiry[s] == day and quantity != 0.0 and not np.isnan(marks.settlement[s]):
                worth = quantity * multiplier * marks.settlement[s]
                realised += worth - cost
                traded -= worth
                quantity, value, cost = 0.0, 0.0, 0.0
                lots.ends[0] = lots.ends[1]
            price = marks.price[s, day]
            if quantity != 0.0 and np.isnan(price):
                out.is_carried[line, day - begin] = True
            elif quantity != 0.0:
                value = quantity * multiplier * price
            out.quantity[line, day - begin] = quantity
            out.value[line, day - begin] = value
            out.cost[line, day - begin] = cost
            out.traded[line, day - begin] = traded
            out.dividends[line, day - begin] = dividends
            out.realised[line, day - begin] = realised


def mark_held(
    symbol: Int[np.ndarray, " lines"],
    trades: Trades,
    marks: Marks,
    row: Int[np.ndarray, " lines"],
    days: Int[np.ndarray, " dates"],
    out: Bool[np.ndarray, "rows dates"],
) -> None:
    """Mark which rows any line holds something of at the close of some days.

    Parameters
    ----------
    symbol : row of the marks that each line holds.
    trades : of all lines.
    marks : of all symbols.
    row : that each line counts for.
    days : ascending.
    out : is set where something is held.

    Notes
    -----
    Quantities are those of :func:`hold`. Cost: O(lines x days + trades), and no table of lines.
    """
    _mark_held(symbol, trades, marks, row, days, out)


@compiled
def _mark_held(
    symbol: Int[np.ndarray, " lines"],
    trades: Trades,
    marks: Marks,
    row: Int[np.ndarray, " lines"],
    days: Int[np.ndarray, " dates"],
    out: Bool[np.ndarray, "rows dates"],
) -> None:
    for line in range(symbol.size):
        s = symbol[line]
        at, end, quantity = trades.start[line], trades.start[line + 1], 0.0
        if at == end or not days.size:
            continue
        first = trades.day[at]
        d = np.searchsorted(days, first)
        for day in range(first, days[-1] + 1):
            split = marks.split[s, day]
            if split != 1.0:
                quantity *= split
            while at < end and trades.day[at] == day:
                bought = trades.quantity[at]
                closed, left = _closed(quantity, bought)
                if closed > 0.0:
                    quantity = 0.0 if closed / np.abs(quantity) == 1.0 else quantity + bought
                quantity += left
                at += 1
            if marks.expiry[s] == day and not np.isnan(marks.settlement[s]):
                quantity = 0.0
            if days[d] == day:
                out[row[line], d] |= quantity != 0.0
                d += 1


def mark_rows(
    row: Int[np.ndarray, " lines"],
    is_held: Bool[np.ndarray, "lines dates"],
    out: Bool[np.ndarray, "rows dates"],
) -> None:
    """Mark which rows any line holds something of, where it is known what lines hold.

    Parameters
    ----------
    row : that each line counts for.
    is_held : of each line and date.
    out : is set where something is held.

    Notes
    -----
    Cost: O(lines x dates).
    """
    _mark_rows(row, is_held, out)


@compiled
def _mark_rows(
    row: Int[np.ndarray, " lines"],
    is_held: Bool[np.ndarray, "lines dates"],
    out: Bool[np.ndarray, "rows dates"],
) -> None:
    for line in range(row.size):
        for day in range(is_held.shape[1]):
            out[row[line], day] |= is_held[line, day]


@compiled
def _closed(held: float, bought: float) -> tuple[float, float]:
    """Return how much of a holding a trade closes, and what of the trade is left to open another.

    What would be left of either is rounding if it is a billionth.
    """
    if held == 0.0 or bought == 0.0 or (held > 0.0) == (bought > 0.0):
        return 0.0, bought
    size, amount = np.abs(held), np.abs(bought)
    if np.abs(size - amount) <= _CLOSED * size:
        return size, 0.0
    if amount < size:
        return amount, 0.0
    return size, bought + held


@compiled
def _release(lots: _Lots, closed: float) -> float:
    """Take what is closed from the oldest lots; return its cost."""
    left, released = closed, 0.0
    while lots.ends[0] < lots.ends[1]:
        lot = lots.ends[0]
        size = np.abs(lots.quantity[lot])
        if size > left * (1.0 + _CLOSED):
            part = left / size
            released += lots.cost[lot] * part
            lots.cost[lot] -= lots.cost[lot] * part
            lots.quantity[lot] -= lots.quantity[lot] * part
            return float(released)
        released += lots.cost[lot]
        left -= size
        lots.ends[0] += 1
        if left <= _CLOSED * closed:
            return float(released)
    return float(released)
