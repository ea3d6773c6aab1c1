"""Signals on the example data against pandas: real prices, gaps, days without volume."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.panel import Panel
from plumbline.features.returns import simple_returns
from plumbline.features.signal import signals
from tests.study_files import EXAMPLES

YEARS = (2009, 2010, 2011)
STOCKS = 20


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """Return closes and volumes, a column a stock; missing sessions are NaN."""
    folder = EXAMPLES / "data" / "us_equity" / "stocks"
    table = pl.concat([pl.read_parquet(folder / f"{year}.parquet") for year in YEARS]).with_columns(
        pl.col("symbol").cast(pl.String), pl.col("close").cast(pl.Float64)
    )
    chosen = sorted(table["symbol"].unique())[:STOCKS]
    rows = table.filter(pl.col("symbol").is_in(chosen)).to_pandas()
    return {k: rows.pivot_table(k, "date", "symbol") for k in ("close", "volume")}


@pytest.fixture(scope="module")
def panel(frames) -> Panel:
    close, volume = (frames[k].to_numpy(np.float64) for k in ("close", "volume"))
    bars = frames["close"].index.to_numpy().astype("datetime64[us]")
    fields = {"close": close, "volume": volume, "return": simple_returns(close)}
    return Panel(fields, bars, list(frames["close"].columns), first_bar=1234)


@pytest.fixture(scope="module")
def returns(frames) -> pd.DataFrame:
    return frames["close"].pct_change(fill_method=None)


def test_these_prices_have_gaps_and_days_without_volume(frames):
    assert frames["close"].isna().to_numpy().any()
    assert (frames["volume"] == 0).to_numpy().any()


def test_short_term_reversal(panel, frames):
    expected = -frames["close"].pct_change(21, fill_method=None)
    assert_allclose(signals["short_term_reversal"]().compute(panel), expected, atol=1e-12)


def test_low_volatility(panel, returns):
    expected = -returns.rolling(252, min_periods=152).std()
    assert_allclose(signals["low_volatility"]().compute(panel), expected, rtol=1e-9)


def test_volume_surprise(panel, frames):
    logs = np.log(frames["volume"].where(frames["volume"] > 0))
    before = logs.shift(1).rolling(63, min_periods=38)
    expected = (logs - before.mean()) / before.std()
    found = signals["volume_surprise"]().compute(panel)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.isfinite(found[63:]).mean() > 0.98


def test_amihud(panel, frames, returns):
    traded = (frames["close"] * frames["volume"]).where(frames["volume"] > 0)
    expected = (returns.abs() / traded * 1e6).rolling(252, min_periods=152).mean()
    assert_allclose(signals["amihud"]().compute(panel), expected, rtol=1e-9)


def test_a_composite_of_ranks(panel):
    parts = {f"signal:{k}": signals[k]().compute(panel) for k in ("amihud", "short_term_reversal")}
    found = signals["composite"](("amihud", "short_term_reversal"), None, "rank").compute(
        panel.with_fields(parts)
    )
    shares = []
    for values in parts.values():
        ranks = pd.DataFrame(values).rank(axis=1)
        shares.append((ranks - 0.5).div(ranks.count(axis=1), axis=0) - 0.5)
    assert_allclose(found, (shares[0] + shares[1]) / 2, atol=1e-12)
