"""Made prices: a common market, rates and styles, and what each symbol does by itself.

Every symbol draws from streams of its own, session after session, so its prices depend neither on
how many other symbols there are nor on how many sessions follow.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.random import random_stream
from plumbline.risk.market import Market
from plumbline.risk.options import DAYS_A_YEAR, Contracts, greeks
from plumbline.risk.synthetic_load import HISTORY, Load

FUNDS: Final = ("SPY", "TLT", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV")
_SECTORS: Final = (
    *("communication", "consumer_cyclical", "consumer_defensive", "energy", "financial"),
    *("health_care", "industrial", "materials", "real_estate", "technology", "utilities"),
)
_DEVIATIONS: Final = (0.010, 0.006, *(0.004,) * 6)  # of the market's, rates' and styles' returns
_SPLITS: Final = (2.0, 3.0, 4.0, 0.5)
_SPLIT_CHANCE: Final = 0.0004  # a session: a split in ten years
_QUARTER: Final = 63
_YIELD: Final = 0.004  # a quarter

Series = Float[np.ndarray, " sessions"]


class _Prices(NamedTuple):
    close: Series
    split: Series
    dividend: Series


@final
@dataclass(frozen=True, eq=False)
class World:
    """What there is to be held.

    Parameters
    ----------
    market : of all instruments.
    instruments : as a book has them.
    """

    market: Market
    instruments: pl.DataFrame


def make_world(load: Load, seed: int) -> World:
    """Return the prices and instruments of a load.

    Notes
    -----
    Cost: O(symbols x sessions), some 50 µs a symbol.
    """
    dates, first_bar = load.sessions()
    n = dates.size
    noise = random_stream(seed, "synthetic_factors").standard_normal((n, len(FUNDS)))
    factors = np.ascontiguousarray((noise * _DEVIATIONS).T)
    factors[0] += 0.0003
    prices: dict[str, _Prices] = {}
    rows: list[dict[str, object]] = []
    for i, fund in enumerate(FUNDS):
        prices[fund] = _fund(seed, i, factors)
        rows.append({"symbol": fund, "class": "etf"})
    for i in range(load.symbols):
        name = share_name(i)
        prices[name], sector = _share(load, seed, i, factors)
        rows.append({"symbol": name, "class": "equity", "sector": sector})
    punctual = load.punctual
    for i in range(load.pool(load.option_share)):
        underlying = share_name(punctual[i % len(punctual)])
        terms, quotes = _option(seed, i, dates, prices[underlying])
        name = f"{underlying}-{terms['right']}-{i:06d}"
        prices[name] = quotes
        rows.append({"symbol": name, "class": "option", "underlying": underlying, **terms})
    for i in range(load.pool(load.private_share)):
        name = f"PRIVATE-{i:06d}"
        prices[name] = _private(seed, i, n)
        rows.append({"symbol": name, "class": "private"})
    names = tuple(sorted(prices))
    close, split, dividend = (
        np.stack([prices[name][field] for name in names]) for field in range(3)
    )
    market = Market(dates, names, close, split, dividend, first_bar=first_bar)
    return World(market, pl.DataFrame(rows, schema=_INSTRUMENTS).sort("symbol"))


_INSTRUMENTS: Final = {
    **dict.fromkeys(("symbol", "class", "sector", "underlying", "right"), pl.String()),
    "strike": pl.Float64(),
    "expiry": pl.Date(),
    "volatility": pl.Float64(),
}


def share_name(number: int) -> str:
    """Return the symbol of a share."""
    return f"S{number:06d}"


def _fund(seed: int, number: int, factors: Float[np.ndarray, "factors sessions"]) -> _Prices:
    """Return a fund's prices: the market, with a style of its own; of bonds, rates."""
    own = factors[number]
    returns = (factors[0], own - 0.15 * factors[0])[number] if number < 2 else factors[0] + own
    start = random_stream(seed, "synthetic_fund", number).uniform(50.0, 400.0)
    quiet = np.ones(returns.size)
    return _quoted(start * np.exp(np.cumsum(returns)), quiet, _is_ex(returns.size, number))


def _share(
    load: Load, seed: int, number: int, factors: Float[np.ndarray, "factors sessions"]
) -> tuple[_Prices, str]:
    """Return a share's prices and sector."""
    n = factors.shape[1]
    draw = random_stream(seed, "synthetic_share", number)
    sector = _SECTORS[draw.integers(len(_SECTORS))]
    start, deviation = draw.uniform(20.0, 250.0), draw.uniform(0.008, 0.022)
    is_payer, quarter_day = draw.random() < 0.6, int(draw.integers(_QUARTER))
    listed, last = draw.integers(1, HISTORY + 21), HISTORY + draw.integers(1, _QUARTER)
    loads = draw.normal([1.0, 0.0, *(0.0,) * 6], [0.3, 0.1, *(0.3,) * 6])
    chance = draw.random((n, 2))
    returns = deviation * random_stream(seed, "synthetic_moves", number).standard_normal(n)
    for weight, factor in zip(loads, factors, strict=True):  # in order: bits without a matrix
        returns += weight * factor
    is_split = chance[:, 1] < _SPLIT_CHANCE
    kind = np.minimum(chance[:, 1] / _SPLIT_CHANCE * len(_SPLITS), len(_SPLITS) - 1)
    split = np.where(is_split, np.array(_SPLITS)[kind.astype(np.int64)], 1.0)
    ex = _is_ex(n, quarter_day) & is_payer
    prices = _quoted(start * np.exp(np.cumsum(returns)), split, ex)
    session = np.arange(n)
    is_missing = (chance[:, 0] < load.gap_share) & (session != HISTORY)
    if load.is_late(number):
        is_missing |= session < listed
    if load.is_delisted(number):
        is_missing |= session > last
    return prices._replace(close=np.where(is_missing, np.nan, prices.close)), sector


def _is_ex(n_sessions: int, day: int) -> np.ndarray:
    """Return the sessions on which a quarter's dividend goes off."""
    return np.asarray(np.arange(n_sessions) % _QUARTER == day)


def _quoted(value: Series, split: Series, is_ex: np.ndarray) -> _Prices:
    """Return closes in cents, in shares of the day, of what a holder's wealth is."""
    kept = np.cumprod(np.where(is_ex, 1.0 - _YIELD, 1.0))
    raw = value * kept / np.cumprod(split)
    dividend = np.where(is_ex, np.round(raw * _YIELD / (1.0 - _YIELD), 4), 0.0)
    return _Prices(_cents(raw), split, dividend)


def _cents(price: Series) -> Series:
    return np.asarray(np.maximum(np.round(price, 2), 0.01))


def _option(
    seed: int, number: int, dates: np.ndarray, underlying: _Prices
) -> tuple[dict[str, object], _Prices]:
    """Return an option's terms and closes: none before the first date nor after a split."""
    draw = random_stream(seed, "synthetic_option", number)
    n = dates.size
    strike = max(0.5, round(2 * underlying.close[HISTORY] * draw.uniform(0.9, 1.1)) / 2)
    expiry = dates[HISTORY] + np.timedelta64(int(draw.integers(20, 400)), "D")
    is_call, volatility = bool(draw.random() < 0.5), float(draw.uniform(0.15, 0.6))
    is_quoted = (draw.random(n) > 0.2) | (np.arange(n) == HISTORY)
    days = (expiry - dates).astype(np.int64)
    is_split = (underlying.split != 1.0) & (np.arange(n) > HISTORY)
    is_quoted &= (np.arange(n) >= HISTORY) & (days >= 0) & (np.cumsum(is_split) == 0)
    contract = Contracts(
        spot=underlying.close,
        strike=np.array(strike),
        years=np.maximum(days, 0) / DAYS_A_YEAR,
        rate=np.array(0.0),
        dividend_yield=np.array(0.0),
        is_call=np.array(is_call),
    )
    value = greeks(contract, np.full(n, volatility)).value
    close = np.where(is_quoted & np.isfinite(value), _cents(value), np.nan)
    terms: dict[str, object] = {
        "right": "call" if is_call else "put",
        "strike": strike,
        "expiry": expiry.item(),
        "volatility": round(volatility, 4),
    }
    return terms, _Prices(close, np.ones(n), np.zeros(n))


def _private(seed: int, number: int, n_sessions: int) -> _Prices:
    """Return the appraisals of a private asset, one a quarter."""
    draw = random_stream(seed, "synthetic_private", number)
    value = draw.uniform(100.0, 1_000.0) * np.exp(np.cumsum(draw.normal(0.0, 0.005, n_sessions)))
    is_told = np.arange(n_sessions) % _QUARTER == 0
    close = np.where(is_told, _cents(value), np.nan)
    return _Prices(close, np.ones(n_sessions), np.zeros(n_sessions))
