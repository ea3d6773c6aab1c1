"""Agreement with alphalens on ten years of month-end momentum of the S&P 500."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from plumbline.core.panel import Panel
from plumbline.factors.evaluation import Evaluation, evaluate
from plumbline.factors.options import EvaluationOptions
from plumbline.features.signals.momentum import Momentum

HORIZONS = (1, 5, 21)


@pytest.fixture(scope="module")
def golden(shared_data):
    text = (shared_data / "reference" / "golden.json").read_text()
    return json.loads(text)["alphalens_momentum_12_1"]


@pytest.fixture(scope="module")
def close(shared_data) -> Panel:
    folder = shared_data / "us_equity_cc0"
    prices = pl.read_parquet(folder / "sp500_ohlcv_2007-2017.parquet")
    issues = pl.read_csv(folder / "known_issues.csv")
    spikes = issues.filter(pl.col("kind").str.starts_with("spike"))["symbol"]
    kept = prices.filter(
        pl.col("date") != dt.date(2011, 2, 17), ~pl.col("symbol").is_in(spikes.implode())
    )
    n_days = kept["date"].n_unique()
    full = kept.filter(pl.len().over("symbol") == n_days)
    return Panel.from_frame(
        full.select("date", "symbol", pl.col("close").cast(pl.Float64)), bar="date", asset="symbol"
    )


@pytest.fixture(scope="module")
def evaluation(close) -> Evaluation:
    momentum = Momentum(lookback_bars=252, skip_bars=21).compute(close)
    month = close.bars.astype("datetime64[M]")
    is_read = np.append(month[1:] != month[:-1], True)
    is_read[-max(HORIZONS) :] = False  # alphalens drops dates that lack a horizon
    signal = np.where(is_read[:, None], momentum, np.nan)
    return evaluate({"momentum": signal}, close, options=EvaluationOptions(horizons=HORIZONS))


def test_the_sample_is_the_same(close, evaluation, golden):
    assert close.n_assets == golden["symbols"]
    assert evaluation.ic.filter(horizon_bars=1).height == golden["dates"]
    assert evaluation.quantiles.filter(horizon_bars=1)["n"].sum() == golden["rows"]


@pytest.mark.parametrize("horizon", HORIZONS)
def test_mean_and_deviation_of_the_ic_agree(evaluation, golden, horizon):
    line = evaluation.summary.filter(horizon_bars=horizon).row(0, named=True)
    assert_allclose(line["mean_ic"], golden["mean_ic_spearman"][f"{horizon}D"], atol=1e-12)
    assert_allclose(line["sd_ic"], golden["std_ic"][f"{horizon}D"], atol=1e-12)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_quantile_returns_agree(evaluation, golden, horizon):
    table = evaluation.quantiles.filter(horizon_bars=horizon).sort("quantile")
    for column, entry in (
        ("mean_return", "mean_forward_return_by_quantile_raw"),
        ("mean_return_demeaned", "mean_forward_return_by_quantile_demeaned"),
    ):
        expected = list(golden[entry][f"{horizon}D"].values())
        assert_allclose(table[column], expected, atol=1e-12)
