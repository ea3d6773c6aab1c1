"""Portfolios of many names have all figures of correlation, with gaps and without."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.calendar import Calendar
from plumbline.risk import Book, measure
from plumbline.risk.nearest_correlation import nearest_correlation

N_NAMES, WINDOW = 300, 90  # more names than returns, so that most components have no variance


def made(gaps):
    """Return a book of one portfolio, its prices, its last day, and closes."""
    rng = np.random.default_rng(1)
    days = Calendar("XNYS").dates(15800, 15900).astype("datetime64[D]")
    factors = rng.normal(size=(days.size, 3)) @ rng.normal(size=(3, N_NAMES)) / 2
    closes = 100 * np.exp(np.cumsum(0.01 * (factors + rng.normal(size=factors.shape)), axis=0))
    for day, name in gaps:
        closes[day, name] = np.nan
    names = np.array([f"S{i:03d}" for i in range(N_NAMES)])
    prices = pl.DataFrame(
        {
            "date": days.repeat(N_NAMES),
            "symbol": np.tile(names, days.size),
            "close": pl.Series(closes.ravel()).fill_nan(None),
        }
    ).drop_nulls()
    last = days[-1].item()
    trades = {
        "portfolio": ["a"] * N_NAMES,
        "date": [last] * N_NAMES,
        "symbol": names,
        "quantity": rng.choice([-3.0, 2.0, 5.0], N_NAMES),
        "price": closes[-1],
    }
    portfolios = {"portfolio": ["a"], "opened_on": [last], "opening_cash": [1e6]}
    book = Book.from_frames(portfolios=pl.DataFrame(portfolios), trades=pl.DataFrame(trades))
    return book, prices, last, closes


def expected(weights, closes):
    """Return diversification and bets, pair by pair over the rows that both have."""
    returns = pd.DataFrame(closes).pct_change(fill_method=None).tail(WINDOW)
    matrix = returns.corr().to_numpy()
    if returns.isna().any(axis=None):
        matrix = nearest_correlation(matrix)
    risk = weights * returns.std().to_numpy()
    values, basis = np.linalg.eigh(matrix)
    shares = np.maximum(values, 0) * (basis.T @ risk) ** 2
    shares = shares[shares > 0] / shares.sum()
    return np.abs(risk).sum() / np.sqrt(risk @ matrix @ risk), np.exp(-shares @ np.log(shares))


@pytest.mark.parametrize("gaps", [[], [(40, 3)], [(40, 3), (55, 77), (55, 78), (70, 120)]])
def test_a_portfolio_of_more_names_than_returns_has_diversification_and_bets(gaps):
    book, prices, last, closes = made(gaps)
    result = measure(book, prices, dates=[last], analytics=["correlation"])
    weights = result.exposures.sort("symbol")["weight"].to_numpy()
    (row,) = result.measures.to_dicts()
    found = row["diversification_ratio"], row["effective_bets"]
    assert_allclose(found, expected(weights, closes), rtol=1e-6)
    assert row["correlation_n_obs"] == N_NAMES
    assert result.failures.height == 0


def test_a_portfolio_that_is_hedged_to_nothing_has_no_diversification():
    book, prices, last, _ = made([])
    twins = prices.with_columns(pl.col("symbol") + "T")
    trades = book.trades.drop("portfolio")
    short = trades.with_columns(pl.col("symbol") + "T", -pl.col("quantity"))
    both = pl.concat([trades, short]).with_columns(portfolio=pl.lit("a"))
    hedged = Book.from_frames(portfolios=book.portfolios, trades=both)
    result = measure(hedged, pl.concat([prices, twins]), dates=[last], analytics=["correlation"])
    (row,) = result.measures.to_dicts()
    assert row["diversification_ratio"] is None
    assert row["effective_bets"] is None
    assert row["correlation_mean"] is not None
