"""Made trades and flows of one portfolio, which draws from a stream of its own."""

from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.core.random import random_stream
from plumbline.risk.synthetic_load import HISTORY, Load
from plumbline.risk.synthetic_market import World

_GROSS: Final = 1.2  # of opening cash, when all lines are open
_LATER: Final = 0.2  # of the lines are opened after the first date
_ADDED: Final = 0.5  # have a trade in between
_CLOSED: Final = 0.25  # are closed, and replaced
_FLOW_DAYS: Final = 20  # sessions between two flows of cash

Rows = Int[np.ndarray, " trades"]


@final
@dataclass(frozen=True, eq=False)
class Shop:
    """What can be bought on each date.

    Parameters
    ----------
    price : (S, D) NaN where there is no trade; of a private asset its last appraisal.
    growth : (S, D) shares for one that was held before the first session.
    multiplier : of each symbol.
    spot : (S, D) what one is exposed to by its last close, of an option its underlying's.
    listed, options, privates : rows of the symbols.
    dates : (D,).
    """

    price: Float[np.ndarray, "symbols dates"]
    growth: Float[np.ndarray, "symbols dates"]
    multiplier: Float[np.ndarray, " symbols"]
    spot: Float[np.ndarray, "symbols dates"]
    listed: Int[np.ndarray, " listed"]
    options: Int[np.ndarray, " options"]
    privates: Int[np.ndarray, " privates"]
    dates: np.ndarray


class Orders(NamedTuple):
    """Trades of one portfolio, by date."""

    symbol: Rows
    day: Rows
    quantity: Float[np.ndarray, " trades"]
    price: Float[np.ndarray, " trades"]
    fees: Float[np.ndarray, " trades"]


class Payments(NamedTuple):
    """Flows of cash of one portfolio; ``day`` counts calendar days from the first date."""

    day: Int[np.ndarray, " flows"]
    amount: Float[np.ndarray, " flows"]
    kind: list[str]


class Account(NamedTuple):
    """One portfolio."""

    opening_cash: float
    dividends: str
    orders: Orders
    payments: Payments


def shop_of(world: World) -> Shop:
    """Return what can be bought."""
    market, kinds = world.market, world.instruments["class"].to_numpy()
    is_option, is_private = kinds == "option", kinds == "private"
    last = market.last_closes[0][:, HISTORY:]
    price = np.where(is_private[:, None], last, market.close[:, HISTORY:])
    growth = np.cumprod(market.split, axis=1)[:, HISTORY:]
    multiplier = np.where(is_option, 100.0, 1.0)
    underlying = np.arange(kinds.size)
    names = world.instruments["underlying"].to_list()
    underlying[is_option] = [market.place[name] for name in names if name is not None]
    return Shop(
        price=price,
        growth=growth,
        multiplier=multiplier,
        spot=multiplier[:, None] * last[underlying],
        listed=np.flatnonzero(~is_option & ~is_private),
        options=np.flatnonzero(is_option),
        privates=np.flatnonzero(is_private),
        dates=market.dates[HISTORY:],
    )


def make_account(load: Load, seed: int, number: int, shop: Shop) -> Account:
    """Return a portfolio; it depends on its number, and not on how many there are."""
    draw = random_stream(seed, "synthetic_portfolio", number)
    cash = round(float(1e6 * np.exp(draw.normal(0.0, 1.0))), 2)
    dividends = "cash_flows" if draw.random() < 0.1 else "prices"
    orders = _orders(load, draw, cash, shop)
    return Account(cash, dividends, orders, _payments(shop.dates, draw, cash, dividends))


def _orders(load: Load, draw: np.random.Generator, cash: float, shop: Shop) -> Orders:
    """Return the trades: lines are opened, some changed, some closed and replaced."""
    rows, spare, is_share = _chosen(load, draw, shop)
    n, n_dates = rows.size, load.dates
    is_short = (draw.random((2, n)) < load.short_share) & ~np.isin(rows, shop.privates)
    worth = cash * _GROSS / n * np.exp(draw.normal(0.0, 0.3, (2, n)))
    days = draw.integers(0, n_dates, (3, n))
    chance = draw.random((3, n))
    way = np.where(draw.random(n) < 0.5, -1.0, 1.0)
    day = np.where((chance[0] < _LATER) & np.isfinite(shop.price[rows, days[0]]), days[0], 0)
    held = _sized(worth[0], is_short[0], shop, rows, day)
    is_added = (chance[1] < _ADDED) & (days[1] > day) & np.isfinite(shop.price[rows, days[1]])
    added = np.where(is_added, way * np.maximum(np.round(0.3 * np.abs(held)), 1.0), 0.0)
    is_closed = is_share & (chance[2] < _CLOSED) & np.isfinite(shop.price[rows, days[2]])
    is_closed &= (days[2] > day) & (~is_added | (days[2] > days[1]))
    growth = shop.growth[rows, days[2]]
    left = held * (growth / shop.growth[rows, day])  # exact, as splits are small whole ratios
    left += added * (growth / shop.growth[rows, days[1]])
    new = slice(0, spare.size)
    is_new = is_closed[new] & np.isfinite(shop.price[spare, days[2][new]])
    size = _sized(worth[1][new], is_short[1][new], shop, spare, days[2][new])
    symbol = np.concatenate([rows, rows, rows, spare])
    when = np.concatenate([day, days[1], days[2], days[2][new]])
    quantity = np.concatenate(
        [held, added, np.where(is_closed, -left, 0.0), np.where(is_new, size, 0.0)]
    )
    kept = np.flatnonzero(quantity)
    return _filled(draw, shop, symbol[kept], when[kept], quantity[kept])


def _chosen(
    load: Load, draw: np.random.Generator, shop: Shop
) -> tuple[Rows, Rows, Bool[np.ndarray, " lines"]]:
    """Return different symbols to open, others that may replace them, and which are shares."""
    n, rounding = load.positions, draw.random()
    n_options = min(n, int(load.option_share * n + rounding))
    both = (load.option_share + load.private_share) * n
    n_private = min(n - n_options, int(both + rounding) - n_options)
    n_shares = n - n_options - n_private
    mixed = draw.permutation(shop.listed)
    is_there = np.isfinite(shop.price[mixed, 0])
    is_first = is_there & (np.cumsum(is_there) <= n_shares)
    own = np.concatenate(
        [
            mixed[is_first],
            draw.choice(shop.options, n_options, replace=False),
            draw.choice(shop.privates, n_private, replace=False),
        ]
    ).astype(np.int64)
    return own, mixed[~is_first][:n], np.arange(n) < n_shares


def _sized(
    worth: Float[np.ndarray, " lines"],
    is_short: Bool[np.ndarray, " lines"],
    shop: Shop,
    rows: Rows,
    day: Rows,
) -> Float[np.ndarray, " lines"]:
    """Return whole numbers of shares of the day, at least one, worth about so much."""
    size = np.fmax(np.round(worth / shop.spot[rows, day]), 1.0)  # 1 of what has no close yet
    return np.asarray(np.where(is_short, -size, size))


def _filled(
    draw: np.random.Generator,
    shop: Shop,
    symbol: Rows,
    day: Rows,
    quantity: Float[np.ndarray, " trades"],
) -> Orders:
    """Return the trades by date, at prices near the close, with fees."""
    order = np.argsort(day, kind="stable")
    symbol, day, quantity = symbol[order], day[order], quantity[order]
    price = shop.price[symbol, day] * (1.0 + 0.001 * draw.standard_normal(day.size))
    price = np.maximum(np.round(price, 4), 0.0001)
    fees = np.round(1.0 + 0.0005 * np.abs(quantity) * price * shop.multiplier[symbol], 2)
    return Orders(symbol, day, quantity, price, fees)


def _payments(
    dates: np.ndarray, draw: np.random.Generator, cash: float, dividends: str
) -> Payments:
    """Return flows on any day, weekends among them."""
    span = int((dates[-1] - dates[0]).astype(np.int64))
    kinds = ["contribution", "withdrawal", "fee", "interest"]
    kinds += ["dividend"] * (dividends == "cash_flows")
    n = int(draw.poisson(dates.size / _FLOW_DAYS))
    day = np.sort(draw.integers(0, span + 1, n))
    kind = [kinds[i] for i in draw.integers(0, len(kinds), n)]
    size = np.array([0.02 if name in kinds[:2] else 0.001 for name in kind])
    amount = np.maximum(np.round(cash * size * draw.uniform(0.2, 1.8, n), 2), 0.01)
    return Payments(day, amount, kind)
