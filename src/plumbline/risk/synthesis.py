"""Made books and markets of any size, ragged as real ones are, for trials and benchmarks."""

import numpy as np
import polars as pl

from plumbline.risk.book import Book
from plumbline.risk.market import Market
from plumbline.risk.synthetic_load import CALENDAR, HISTORY, Load
from plumbline.risk.synthetic_market import make_world
from plumbline.risk.synthetic_trades import Account, make_account, shop_of

_OWNERS = 10  # portfolios are shared out to so many in turn


def synthesize(load: Load, seed: int) -> tuple[Book, Market]:
    """Make the portfolios and prices of a load.

    Returns
    -------
    book : portfolios ``P000000`` …, open on all dates, long and short, with trades spread over the
        dates, fees, contributions and withdrawals; a tenth of them take dividends from flows.
    market : the funds that analytics read with all closes; shares ``S000000`` … with late
        listings, gaps, delistings, splits and dividends; options, quoted on four sessions of five
        from the first date on; private assets, appraised each quarter. Before the first date lie
        :data:`~plumbline.risk.synthetic_load.HISTORY` sessions.

    Notes
    -----
    A symbol draws by itself and a portfolio draws by itself: the bits of one do not depend on how
    many others there are, except that portfolios choose among all symbols. Prices do not depend on
    how many sessions follow. Cost: some 50 µs a symbol, 0.3 ms a portfolio.

    Raises
    ------
    ParameterError
        If the seed is no whole number of 0 or more.
    """
    world = make_world(load, seed)
    shop = shop_of(world)
    accounts = [make_account(load, seed, i, shop) for i in range(load.portfolios)]
    names = pl.Series("portfolio", [f"P{i:06d}" for i in range(load.portfolios)])
    dates = world.market.dates[HISTORY:]
    book = Book.from_frames(
        portfolios=_portfolios(accounts, names, dates),
        trades=_trades(accounts, names, dates, world.market.symbols),
        cash_flows=_cash_flows(accounts, names, dates),
        instruments=world.instruments,
        calendar=CALENDAR,
    )
    return book, world.market


def _portfolios(accounts: list[Account], names: pl.Series, dates: np.ndarray) -> pl.DataFrame:
    n = len(accounts)
    return pl.DataFrame(
        {
            "portfolio": names,
            "opening_cash": [account.opening_cash for account in accounts],
            "opened_on": np.repeat(dates[:1], n),
            "owner": [f"desk_{i % _OWNERS}" for i in range(n)],
            "dividends": [account.dividends for account in accounts],
        }
    )


def _trades(
    accounts: list[Account], names: pl.Series, dates: np.ndarray, symbols: tuple[str, ...]
) -> pl.DataFrame:
    orders = [account.orders for account in accounts]
    sizes = [own.day.size for own in orders]
    number = np.concatenate([np.arange(size) for size in sizes])
    owner = names.gather(pl.Series(np.repeat(np.arange(len(orders)), sizes)))
    row = np.concatenate([own.symbol for own in orders])
    frame = pl.DataFrame(
        {
            "portfolio": owner,
            "date": dates[np.concatenate([own.day for own in orders])],
            "symbol": pl.Series(symbols, dtype=pl.String).gather(pl.Series(row)),
            "quantity": np.concatenate([own.quantity for own in orders]),
            "price": np.concatenate([own.price for own in orders]),
            "fees": np.concatenate([own.fees for own in orders]),
        }
    )
    ids = pl.format("{}-{}", pl.col("portfolio"), pl.Series(number))
    return frame.with_columns(ids.alias("trade_id"))


def _cash_flows(accounts: list[Account], names: pl.Series, dates: np.ndarray) -> pl.DataFrame:
    payments = [account.payments for account in accounts]
    sizes = [own.day.size for own in payments]
    days = np.concatenate([own.day for own in payments])
    return pl.DataFrame(
        {
            "portfolio": names.gather(pl.Series(np.repeat(np.arange(len(payments)), sizes))),
            "date": dates[0] + days.astype("timedelta64[D]"),
            "amount": np.concatenate([own.amount for own in payments]),
            "kind": pl.Series([kind for own in payments for kind in own.kind], dtype=pl.String),
        }
    )
