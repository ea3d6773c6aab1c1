"""Books that are short, hedged, of one position, empty or private have sensible figures or none."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.risk.analytics.sector import Sector
from plumbline.risk.book import Book, Conventions
from plumbline.risk.measurement import measure
from plumbline.risk.portfolio_keys import portfolio_keys
from tests.risk.made_books import made_history

OPENED, LAST = 520, 559
FIGURES_OF_RETURNS = ("market_beta", "volatility_252", "var_95", "correlation_mean")


@pytest.fixture(scope="module")
def market():
    """Return a history in which a fund, which is appraised twice, is named beside the shares."""
    return made_history(3)


def book_of(market, quantities, classes=None, cash=1e6):
    """Return a book that buys, on its first day at the close, values in currency of symbols."""
    opened = market.dates[OPENED].item()
    symbols = list(quantities)
    instruments = pl.DataFrame(
        {"symbol": symbols, "class": [(classes or {}).get(s, "equity") for s in symbols]},
        schema={"symbol": pl.String, "class": pl.String},
    )
    prices = [market.close[market.place[s], OPENED] if s in market.place else 1.0 for s in symbols]
    trades = pl.DataFrame(
        {
            "portfolio": pl.Series(["p"] * len(symbols), dtype=pl.String),
            "date": pl.Series([opened] * len(symbols), dtype=pl.Date),
            "symbol": pl.Series(symbols, dtype=pl.String),
            "quantity": pl.Series(
                [v / q for v, q in zip(quantities.values(), prices, strict=True)]
            ),
            "price": pl.Series(prices, dtype=pl.Float64),
        },
        schema_overrides={"quantity": pl.Float64},
    )
    portfolios = pl.DataFrame({"portfolio": ["p"], "opened_on": [opened], "opening_cash": [cash]})
    return Book.from_frames(portfolios=portfolios, trades=trades, instruments=instruments)


def measured(book, market, day=LAST):
    result = measure(book, market, dates=[market.dates[day].item()])
    assert result.failures.height == 0
    for table in ("snapshots", "measures", "exposures", "sectors", "stress"):
        frame = getattr(result, table).select(pl.selectors.float())
        finite = frame.select(pl.all().drop_nulls().is_finite().all())
        assert all(finite.row(0)), table
    return result


def test_a_net_short_book_has_a_negative_beta_and_gains_when_the_market_falls(market):
    book = book_of(market, {"AAA": 2e5, "BBB": -6e5, "CCC": -3e5})
    result = measured(book, market)
    snapshot, row = result.snapshots.row(0, named=True), result.measures.row(0, named=True)
    assert snapshot["net"] < 0 < snapshot["equity"]
    assert_allclose(snapshot["gross"], snapshot["long"] - snapshot["short"])
    weights = dict(result.exposures.select("symbol", "weight").iter_rows())
    betas = result.symbols.filter(analytic="market_beta")
    beta = dict(betas.select("symbol", "beta").iter_rows())
    assert_allclose(row["market_beta"], sum(w * beta[s] for s, w in weights.items()))
    assert row["market_beta"] < 0
    assert row["volatility_252"] > 0
    assert row["var_95"] > 0
    assert result.stress.filter(scenario="market_down_10")["pnl"].item() > 0


def test_a_market_neutral_book_has_little_net_and_the_risk_of_its_sides(market):
    book = book_of(market, {"AAA": 5e5, "BBB": -5e5})
    result = measured(book, market, OPENED)
    snapshot, row = result.snapshots.row(0, named=True), result.measures.row(0, named=True)
    assert abs(snapshot["net"]) < 1e-6
    assert_allclose(snapshot["leverage"], 1.0)
    assert_allclose(row["herfindahl"], 0.5)
    assert row["volatility_252"] > 0
    sides = result.symbols.filter(analytic="market_beta").sort("symbol")["beta"]
    assert_allclose(row["market_beta"], 0.5 * (sides[0] - sides[1]), atol=1e-12)


def test_one_position_is_one_bet(market):
    row = measured(book_of(market, {"AAA": 5e5}), market).measures.row(0, named=True)
    assert (row["herfindahl"], row["effective_positions"], row["top_3"]) == (1.0, 1.0, 1.0)
    assert (row["diversification_ratio"], row["effective_bets"]) == (1.0, 1.0)
    assert row["correlation_mean"] is None
    assert row["market_beta_coverage"] == 1.0


def test_an_empty_book_has_equity_and_no_figures(market):
    result = measured(book_of(market, {}), market)
    snapshot, row = result.snapshots.row(0, named=True), result.measures.row(0, named=True)
    assert (snapshot["equity"], snapshot["gross"], snapshot["pnl"]) == (1e6, 0.0, 0.0)
    assert [row[name] for name in FIGURES_OF_RETURNS] == [None] * len(FIGURES_OF_RETURNS)
    assert row["herfindahl"] is None
    assert (result.exposures.height, result.sectors.height) == (0, 0)


def test_a_book_of_private_assets_alone_has_equity_concentration_and_no_figures_of_returns(market):
    book = book_of(market, {"FUND": 3e5, "HOUSE": 1e5}, {"FUND": "private", "HOUSE": "private"})
    result = measured(book, market)
    row = result.measures.row(0, named=True)
    assert result.snapshots["equity"][0] == pytest.approx(1e6)
    assert [row[name] for name in FIGURES_OF_RETURNS] == [None] * len(FIGURES_OF_RETURNS)
    assert row["market_beta_coverage"] == 0.0
    assert row["correlation_coverage"] == 0.0
    assert row["herfindahl"] == pytest.approx(0.75**2 + 0.25**2)


def test_gains_from_the_oldest_lots_differ_and_equity_does_not(market):
    opened, later = market.dates[OPENED].item(), market.dates[OPENED + 5].item()
    trades = pl.DataFrame(
        {
            "portfolio": "p",
            "date": [opened, opened, later],
            "symbol": "AAA",
            "quantity": [10.0, 10.0, -10.0],
            "price": [20.0, 40.0, 50.0],
        }
    )
    portfolios = pl.DataFrame({"portfolio": ["p"], "opened_on": [opened], "opening_cash": [1e4]})
    average = Book.from_frames(portfolios=portfolios, trades=trades)
    by_lots = replace(average, conventions=Conventions(by_lots=True))
    dates = market.dates[OPENED : OPENED + 8].tolist()
    one, other = (
        measure(book, market, dates=dates, analytics=[]).snapshots for book in (average, by_lots)
    )
    assert_allclose(one["realised"][5], 10 * (50 - 30))
    assert_allclose(other["realised"][5], 10 * (50 - 20))
    for name in ("equity", "pnl", "cash", "cumulative"):
        assert one[name].equals(other[name]), name
    assert_allclose(one["realised"] + one["unrealised"], other["realised"] + other["unrealised"])
    assert np.isfinite(one["equity"].to_numpy()).all()


def test_an_empty_book_has_keys_from_its_opening_on(market):
    kinds = {"sector": Sector()}
    keys = portfolio_keys(book_of(market, {}), market, kinds)
    assert (keys.words[0] != 0).tolist() == [day >= OPENED for day in range(market.dates.size)]
    more = portfolio_keys(book_of(market, {}, cash=2e6), market, kinds)
    assert (more.words[0, OPENED:] != keys.words[0, OPENED:]).all()
