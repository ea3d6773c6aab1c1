"""Portfolios of 500 real names: fits are those of statsmodels, and every amount adds up."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from plumbline.core.calendar import Calendar
from plumbline.core.panel import Panel
from plumbline.risk.book import Book
from plumbline.risk.market import Market, market_of
from plumbline.risk.measurement import measure
from plumbline.risk.result import RiskResult

FIRST, LAST = date(2018, 6, 1), date(2020, 12, 31)
DATES = (
    date(2020, 1, 2),
    date(2020, 3, 16),
    date(2020, 3, 24),
    date(2020, 6, 29),
    date(2020, 12, 31),
)
FUNDS = ("SPY", "TLT", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV")
FACTORS = {"market_beta": "SPY", "rate_beta": "TLT"}
FITS = ("beta", "alpha", "r2", "stderr", "t")
N_NAMES, N_PORTFOLIOS, N_LINES, N_PAIRS = 500, 40, 25, 200
OPENED = 330  # sessions before any portfolio is open: windows are full
KEYS = ["portfolio", "date"]


@dataclass(frozen=True)
class RealLoad:
    """Portfolios of real names: their figures on some dates, their amounts on all."""

    market: Market
    book: Book
    figures: RiskResult
    amounts: RiskResult


@pytest.fixture(scope="module")
def load(shared_data):
    folder = shared_data / "us_equity_adjclose"
    is_in = pl.col("date").is_between(FIRST, LAST)
    stocks = pl.read_parquet(folder / "us_large_mid_adjclose_2013-2026.parquet").filter(is_in)
    funds = pl.read_parquet(folder / "etf_adjclose_1993-2026.parquet", columns=["date", *FUNDS])
    named = [s for s in sorted(set(stocks.columns) - {"date"}) if stocks[s].count()][:N_NAMES]
    wide = stocks.select("date", *named).join(funds, on="date", validate="1:1")
    assert wide.height == stocks.height == 652
    calendar = Calendar("XNYS")
    prices = wide.select("date", pl.exclude("date").cast(pl.Float64).fill_nan(None))
    panel = Panel.from_frame(prices, calendar=calendar, form="wide", fields=["close"])
    market = market_of(panel, calendar, is_adjusted=True)
    assert len(market.symbols) == N_NAMES + len(FUNDS)
    book = book_of(market, named)
    return RealLoad(
        market, book, measure(book, market, dates=DATES), measure(book, market, analytics=[])
    )


def book_of(market: Market, named: list[str]) -> Book:
    """Return portfolios of 25 names each: long and short, lots at all times, some given up."""
    rng = np.random.default_rng(20)
    dealt = np.concatenate([rng.permutation(named), rng.permutation(named)])
    rows = []
    for line, symbol in enumerate(dealt):
        row, name = market.close[market.place[symbol]], f"p{line // N_LINES:02d}"
        listed = max(OPENED, int(np.flatnonzero(~np.isnan(row))[0]))
        side = 1 if rng.random() < 0.7 else -1
        lots = rng.integers(10, 200, rng.integers(1, 4)) * side
        sizes = [*lots, -(lots.sum() // 2)] if rng.random() < 0.3 else list(lots)
        days = np.sort(rng.integers(listed, row.size, len(sizes)))
        if line % N_LINES < 5 or listed > OPENED:
            days[0] = listed
        for day, size in zip(days, sizes, strict=True):
            adjustment = rng.uniform(0.4, 1.0)
            traded = row[day] / adjustment * np.exp(rng.normal(0, 0.01))
            rows.append((name, market.dates[day].item(), symbol, float(size), traded, adjustment))
    names = ["portfolio", "date", "symbol", "quantity", "price", "adjustment"]
    trades = pl.DataFrame(rows, schema=names, orient="row").with_columns(fees=pl.lit(1.5))
    portfolios = trades.select("portfolio").unique().sort("portfolio")
    opened = portfolios.with_columns(
        opened_on=pl.lit(market.dates[OPENED].item()), opening_cash=pl.lit(2e6)
    )
    return Book.from_frames(portfolios=opened, trades=trades)


def fit_of(market: Market, symbol: str, factor: str, day: int):
    own = slice(day - 89, day + 1)
    y, x = market.returns[market.place[symbol], own], market.returns[market.place[factor], own]
    keep = np.isfinite(y) & np.isfinite(x)
    return sm.OLS(y[keep], sm.add_constant(x[keep])).fit() if keep.sum() >= 54 else None


def test_all_names_are_held_and_nothing_fails(load):
    assert load.book.portfolios.height == N_PORTFOLIOS
    assert load.amounts.exposures["symbol"].n_unique() == N_NAMES
    assert load.figures.failures.height == 0
    assert load.figures.measures.height == N_PORTFOLIOS * len(DATES)
    assert load.amounts.snapshots.height == N_PORTFOLIOS * (load.market.dates.size - OPENED)
    assert load.amounts.snapshots["equity"].min() > 0
    assert load.amounts.snapshots.select(pl.col("short").min() < 0, pl.col("long").max() > 0).row(
        0
    ) == (True, True)


@pytest.mark.parametrize(("name", "factor"), FACTORS.items())
def test_fits_of_real_names_are_those_of_statsmodels(load, name, factor):
    rows = load.figures.symbols.filter(analytic=name)
    late = rows.filter(pl.col("n_obs") < 90)
    drawn = np.random.default_rng(7).choice(rows.height, N_PAIRS, replace=False)
    pairs = pl.concat([rows[drawn], late]).unique(maintain_order=True)
    assert 0 < late["beta"].null_count() < late.height
    fits = 0
    for row in pairs.iter_rows(named=True):
        day = int(np.searchsorted(load.market.dates, np.datetime64(row["date"])))
        fit = fit_of(load.market, row["symbol"], factor, day)
        found = [row[figure] for figure in FITS]
        if fit is None:
            assert (found, row["n_obs"]) == ([None] * 5, 0)
            continue
        fits += 1
        wanted = [fit.params[1], fit.params[0], fit.rsquared, fit.bse[1], fit.tvalues[1]]
        assert_allclose(found, wanted, rtol=1e-9, err_msg=str(row))
        assert row["n_obs"] == fit.nobs
    assert fits >= N_PAIRS - 5


@pytest.mark.parametrize("name", FACTORS)
def test_betas_of_portfolios_of_real_names_are_the_weighted_sums(load, name):
    fits = load.figures.symbols.filter(analytic=name).drop_nulls("beta")
    lines = load.figures.exposures.filter(pl.col("quantity") != 0).join(
        load.figures.snapshots.select(*KEYS, "equity", "gross"), on=KEYS
    )
    weight = pl.col("value") / pl.col("equity")
    sums = (
        lines.join(fits, on=["date", "symbol"])
        .group_by(KEYS)
        .agg(
            (weight * pl.col("beta")).sum().alias("beta"),
            (weight * pl.col("alpha")).sum().alias("alpha"),
            (pl.col("value").abs() / pl.col("gross")).sum().alias("coverage"),
        )
    )
    both = load.figures.measures.join(sums, on=KEYS)
    assert both.height == N_PORTFOLIOS * len(DATES)
    assert_allclose(both[name], both["beta"], rtol=1e-9, atol=1e-12)
    assert_allclose(both[f"{name}_alpha"], both["alpha"], rtol=1e-9, atol=1e-14)
    assert_allclose(both[f"{name}_coverage"], both["coverage"], rtol=1e-9)


def test_equity_of_every_portfolio_day_is_conserved(load):
    before = pl.col("equity").shift(1).over("portfolio", order_by="date").fill_null(0.0)
    gap = pl.col("equity") - before - pl.col("pnl") - pl.col("external")
    found = load.amounts.snapshots.sort(KEYS).with_columns(gap=gap.abs() / pl.col("equity"))
    assert found["gap"].max() < 1e-9
    assert found["external"].sum() == N_PORTFOLIOS * 2e6


def test_a_position_gains_on_its_first_day_from_the_trades_price_to_the_close(load):
    closes = pl.concat(
        pl.DataFrame({"symbol": symbol, "date": load.market.dates, "close": load.market.close[row]})
        for symbol, row in load.market.place.items()
    )
    trades = load.book.trades.join(closes, on=["symbol", "date"])
    paid = pl.col("price") * pl.col("adjustment")
    gains = trades.group_by(*KEYS, "symbol").agg(
        (pl.col("quantity") * (pl.col("close") - paid)).sum().alias("wanted")
    )
    lines = load.amounts.exposures.sort("date").group_by("portfolio", "symbol").first()
    first = lines.join(gains, on=[*KEYS, "symbol"])
    assert first.height == 2 * N_NAMES
    assert_allclose(first["value"] - first["traded"], first["wanted"], rtol=0, atol=1e-7)
    assert (first["realised"] == 0).all()


def test_gains_of_every_portfolio_day_are_those_of_what_was_held_and_traded(load):
    market, place = load.market, load.market.place
    names = load.book.portfolios["portfolio"].to_list()
    close = np.nan_to_num(market.close)  # nothing is held before it is listed
    gained = np.zeros((N_PORTFOLIOS, market.dates.size))
    held = np.zeros((N_PORTFOLIOS, *close.shape))
    for row in load.book.trades.iter_rows(named=True):
        p, s = names.index(row["portfolio"]), place[row["symbol"]]
        day = int(np.searchsorted(market.dates, np.datetime64(row["date"])))
        held[p, s, day:] += row["quantity"]
        paid = row["price"] * row["adjustment"]
        gained[p, day] += row["quantity"] * (close[s, day] - paid) - row["fees"]
    gained[:, 1:] += np.einsum("pst,st->pt", held[:, :, :-1], np.diff(close, axis=1))
    found = load.amounts.snapshots.sort(KEYS)["pnl"].to_numpy().reshape(N_PORTFOLIOS, -1)
    assert_allclose(found, gained[:, OPENED:], rtol=0, atol=1e-6)
