"""The whole evaluation of many signals beside alphalens on one of them.

alphalens evaluates one signal, without plots: clean data, mean and standard error of returns by
quantile, information coefficients, turnover and rank autocorrelation, as its full tear sheet does.
Its time is scaled to all signals. It has no null suite, bootstrap, breaks, costs or capacity.

Run: python -m benchmarks.bench_evaluation [--short]
"""

import argparse
import contextlib
import io
import warnings
from functools import partial

from benchmarks.harness import Contender, Report, peak_memory

import numpy as np  # isort: skip
import pandas as pd  # isort: skip
from alphalens import performance  # isort: skip
from alphalens.utils import get_clean_factor_and_forward_returns  # isort: skip

from plumbline.core.panel import Panel  # isort: skip
from plumbline.factors import Evaluation, EvaluationOptions, evaluate  # isort: skip
from plumbline.kernels import rolling_mean  # isort: skip

N_SIGNALS, N_BARS, N_ASSETS = 20, 2_700, 600
HORIZONS = (1, 5, 10, 21, 63)
N_QUANTILES, N_SECTORS = 5, 11
GIB = 2**30


def market(n_bars: int, n_assets: int) -> Panel:
    """Return made closes and volumes: a third of the assets is listed late, 0.5 % is missing."""
    rng = np.random.default_rng(13)
    close = 50 * np.exp(np.cumsum(0.015 * rng.standard_normal((n_bars, n_assets)), axis=0))
    listed = np.where(rng.random(n_assets) < 0.3, rng.integers(0, n_bars // 2, n_assets), 0)
    close[np.arange(n_bars)[:, None] < listed] = np.nan
    close[rng.random(close.shape) < 0.005] = np.nan
    volume = np.exp(12 + rng.standard_normal(close.shape))
    bars = np.datetime64("2010-01-04", "us") + np.arange(n_bars) * np.timedelta64(1, "D")
    names = [f"A{i:04d}" for i in range(n_assets)]
    return Panel({"close": close, "volume": volume}, bars, names)


def made_signals(prices: Panel, n_signals: int) -> dict[str, np.ndarray]:
    """Return means of noise over 2 to 65 bars, each with gaps of its own and 200 bars' warm-up."""
    rng = np.random.default_rng(17)
    found = {}
    for i in range(n_signals):
        value = rolling_mean(rng.standard_normal(prices.shape), 2 + 21 * (i % 4), min_obs=2)
        value[:200] = np.nan
        value[rng.random(value.shape) < 0.01] = np.nan
        found[f"signal_{i:02d}"] = np.where(np.isfinite(prices["close"]), value, np.nan)
    return found


def everything(signals: dict[str, np.ndarray], prices: Panel) -> Evaluation:
    """Evaluate with sectors, a regime and volume, so that no table is empty."""
    sectors = {asset: f"sector {i % N_SECTORS}" for i, asset in enumerate(prices.assets)}
    regimes = {"half": np.arange(prices.n_bars) // 126 % 2}
    options = EvaluationOptions(horizons=HORIZONS, n_quantiles=N_QUANTILES)
    return evaluate(signals, prices, options=options, sectors=sectors, regimes=regimes)


def alphalens_inputs(signal: np.ndarray, prices: Panel) -> tuple[pd.Series, pd.DataFrame]:
    """Return a signal and the prices as alphalens wants them."""
    days = pd.DatetimeIndex(prices.bars, freq="D")
    table = pd.DataFrame(signal, index=days, columns=list(prices.assets))
    factor = table.stack().dropna().rename_axis(["date", "asset"])
    return factor, pd.DataFrame(prices["close"], index=days, columns=list(prices.assets))


def alphalens_figures(factor: pd.Series, close: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what its full tear sheet computes before it draws."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = get_clean_factor_and_forward_returns(
            factor, close, quantiles=N_QUANTILES, periods=HORIZONS, filter_zscore=None, max_loss=1
        )
    by_date, _ = performance.mean_return_by_quantile(data, by_date=True)
    performance.mean_return_by_quantile(data)
    performance.factor_returns(data)
    performance.factor_alpha_beta(data)
    performance.compute_mean_returns_spread(by_date, N_QUANTILES, 1)
    ic = performance.factor_information_coefficient(data)
    performance.mean_information_coefficient(data, by_time="ME")
    for period in HORIZONS:
        for quantile in range(1, N_QUANTILES + 1):
            performance.quantile_turnover(data["factor_quantile"], quantile, period)
        performance.factor_rank_autocorrelation(data, period)
    return {"ic": ic, "rows": data}


def compare_outputs(prices: Panel) -> None:
    """Check mean rank IC and quantile returns on what both can read.

    alphalens drops a value that lacks the return of any horizon before it forms groups; the signal
    is therefore given where all returns exist. Its own mean of a group weighs bars alike, ours
    weighs returns alike: that is taken of its groups and returns.
    """
    from plumbline.factors.forward_returns import forward_returns

    (signal,) = made_signals(prices, 1).values()
    whole = np.isfinite(forward_returns(prices["close"], HORIZONS)).all(axis=0)
    signal = np.where(whole, signal, np.nan)
    mine = everything({"one": signal}, prices)
    theirs = alphalens_figures(*alphalens_inputs(signal, prices))
    np.testing.assert_allclose(mine.summary["mean_ic"], theirs["ic"].mean(), rtol=0, atol=1e-12)
    means = theirs["rows"].groupby("factor_quantile").mean(numeric_only=True)
    for h, horizon in enumerate(HORIZONS):
        mean = mine.quantiles.filter(horizon_bars=horizon)["mean_return"]
        np.testing.assert_allclose(mean, means.iloc[:, h], rtol=0, atol=1e-12)
    assert mine.quantiles.filter(horizon_bars=1)["n"].sum() == len(theirs["rows"])


def main() -> None:
    """Compare, time, and save the figures; a short trial saves none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a fifth of the bars and assets")
    short = parser.parse_args().short
    warnings.simplefilter("ignore")  # alphalens meets deprecations of pandas
    part = 5 if short else 1
    prices = market(N_BARS // part, N_ASSETS // part)
    compare_outputs(prices)
    signals = made_signals(prices, N_SIGNALS)
    report = Report("evaluation")
    inputs = alphalens_inputs(signals["signal_00"], prices)
    peer = Contender(
        "alphalens-reloaded",
        partial(alphalens_figures, *inputs),
        scale=N_SIGNALS,
        note=f"1 of {N_SIGNALS} signals, scaled",
        rounds=1,
    )
    case = f"T={prices.n_bars} A={prices.n_assets} {N_SIGNALS} signals x {len(HORIZONS)} horizons"
    ours = Contender("plumbline, everything", partial(everything, signals, prices), rounds=1)
    report.compare(case, ours, [peer], {"alphalens-reloaded": 100.0})
    memory = peak_memory(partial(everything, signals, prices)) / GIB
    report.add(f"{case}: memory beside the inputs, GiB (at most 2)", peak=memory)
    if not short:
        report.save()


if __name__ == "__main__":
    main()
