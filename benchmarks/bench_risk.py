"""Every figure of 1,000 portfolios beside plain loops over their positions.

The load is made: 1,000 portfolios of 21 positions on 87 dates, 1,500 shares. All analytics are
computed, without reading or writing. The peer takes the weights that we found and computes four
figures alone: a beta by statsmodels and a ridge by scikit-learn for each position, volatility and
value at risk by pandas. It does a stated sample of portfolio-days, compared to 1e-8 with ours, and
its time is scaled to all of them. Equity must reconcile on every portfolio-day.

Portfolios are measured on threads of our own; every library stays on one.

Run: python -m benchmarks.bench_risk [--short]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.harness import Contender, Report, peak_memory

import numpy as np  # isort: skip
import pandas as pd  # isort: skip
import polars as pl  # isort: skip
import statsmodels.api as sm  # isort: skip
from sklearn.linear_model import Ridge  # isort: skip
from sklearn.preprocessing import StandardScaler  # isort: skip

from plumbline.risk import Book, Load, Market, RiskResult, measure, synthesize  # isort: skip

LOAD = Load(portfolios=1_000, positions=21, dates=87, symbols=1_500)
BASE = Load(portfolios=100, positions=10, dates=10, symbols=300)
SIZES = {
    "portfolios": (100, 300, 1_000, 5_000),
    "positions": (5, 20, 50, 100),
    "dates": (1, 10, 50, 250),
    "symbols": (100, 300, 1_000, 3_000),
}
SEED = 11
N_SAMPLED = 20  # portfolio-days of the peer
GOAL = 1_000.0
FUNDS = ["VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV"]
STYLES = ["value", "growth", "momentum", "quality", "size", "low_volatility"]
FIGURES = ["market_beta", *(f"style_{name}" for name in STYLES), "volatility_252", "var_95"]


@dataclass(frozen=True)
class Sample:
    """What the peer is given: weights of some portfolio-days and the returns of all symbols."""

    days: list[tuple[pd.Timestamp, pd.Series, float]]  # date, weights of what is measured, gross
    returns: pd.DataFrame


def everything(book: Book, market: Market, n_dates: int) -> RiskResult:
    """Measure all portfolios on all dates with all analytics."""
    return measure(book, market, dates=market.dates[-n_dates:].tolist())


def conservation(result: RiskResult, load: Load) -> float:
    """Return the largest gap of a portfolio-day's equity, as a share; check that all are there."""
    before = pl.col("equity").shift(1).over("portfolio", order_by="date").fill_null(0.0)
    gap = pl.col("equity") - before - pl.col("pnl") - pl.col("external")
    shares = result.snapshots.select(gap.abs() / pl.col("equity").abs()).to_series()
    assert shares.len() == load.portfolios * load.dates
    largest = float(shares.max())
    assert largest <= 1e-9, f"equity is off by {largest:g} of itself"
    return largest


def sample_of(result: RiskResult, book: Book, market: Market) -> tuple[Sample, pl.DataFrame]:
    """Return the peer's inputs and our figures of the same portfolio-days."""
    have = result.measures.drop_nulls(FIGURES).select("portfolio", "date", *FIGURES)
    ours = have.gather_every(max(1, have.height // N_SAMPLED)).head(N_SAMPLED)
    assert ours.height == N_SAMPLED
    known = book.instruments.select("symbol", "class", "underlying")
    lines = result.exposures.join(ours, on=["portfolio", "date"], how="semi")
    lines = lines.filter(pl.col("quantity") != 0).join(known, on="symbol")
    lines = lines.with_columns(pl.coalesce("underlying", "symbol").alias("moved_by"))
    is_measured = (pl.col("class") != "private") & ~pl.col("is_carried")
    days = []
    for row in ours.iter_rows(named=True):
        held = lines.filter(portfolio=row["portfolio"], date=row["date"])
        own = held.filter(is_measured).group_by("moved_by", maintain_order=True)
        merged = own.agg(pl.col("weight").sum())
        weights = pd.Series(merged["weight"].to_numpy(), index=merged["moved_by"].to_list())
        rest = held.filter(~is_measured)["weight"]
        gross = float(weights.abs().sum() + rest.abs().sum())
        days.append((pd.Timestamp(row["date"]), weights, gross))
    dates = pd.DatetimeIndex(market.dates)
    returns = pd.DataFrame(market.returns.T, index=dates, columns=list(market.symbols))
    return Sample(days, returns), ours


def plain_loops(sample: Sample) -> list[list[float]]:
    """Return the figures of the sample, position by position."""
    return [
        [*position_figures(sample, date, weights), *series_figures(sample, date, weights, gross)]
        for date, weights, gross in sample.days
    ]


def position_figures(sample: Sample, date: pd.Timestamp, weights: pd.Series) -> Iterator[float]:
    """Yield the beta and the slopes on style funds: sums over fits of each position."""
    window = sample.returns.loc[:date].tail(90)
    beta, slopes = 0.0, np.zeros(len(FUNDS))
    for symbol, weight in weights.items():
        rows = pd.concat({"y": window[symbol], "x": window["SPY"]}, axis=1).dropna()
        if len(rows) < 54:
            continue
        beta += weight * sm.OLS(rows["y"], sm.add_constant(rows["x"])).fit().params["x"]
        joint = pd.concat([window[symbol].rename("y"), window[FUNDS]], axis=1)
        joint = joint.loc[:, ~joint.columns.duplicated(keep="first")].dropna()
        scaler = StandardScaler().fit(joint[FUNDS])
        fit = Ridge(alpha=1.0).fit(scaler.transform(joint[FUNDS]), joint["y"])
        slopes += weight * fit.coef_ / scaler.scale_
    yield beta
    yield from slopes


def series_figures(
    sample: Sample, date: pd.Timestamp, weights: pd.Series, gross: float
) -> tuple[float, float]:
    """Return volatility and value at risk of the returns that the weights would have had."""
    returns = sample.returns.loc[:date, list(weights.index)].tail(252)
    is_there = returns.notna().mul(weights.abs()).sum(axis=1) >= 0.95 * gross
    days = returns.mul(weights).sum(axis=1)[is_there]
    return float(days.std() * np.sqrt(252)), float(-days.quantile(0.05))


def compare_outputs(sample: Sample, ours: pl.DataFrame) -> None:
    """Check the four figures of the sample."""
    theirs = np.array(plain_loops(sample))
    np.testing.assert_allclose(ours.select(FIGURES).to_numpy(), theirs, rtol=1e-8, atol=1e-10)


def grow(report: Report, base: Load) -> None:
    """Record time and memory along each axis from a small base."""
    for axis, sizes in SIZES.items():
        for size in sizes:
            load = replace(base, **{axis: size})
            book, market = synthesize(load, SEED)
            work = partial(everything, book, market, load.dates)
            memory = peak_memory(work)
            taken = seconds(work)
            days = load.portfolios * load.dates
            report.add(
                f"{axis}={size:,}",
                ms=1e3 * taken,
                us_a_portfolio_day=1e6 * taken / days,
                mib=memory / 2**20,
                kib_a_portfolio_day=memory / 2**10 / days,
            )


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Compare, time, and save the figures; a short trial saves none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of portfolios and symbols")
    short = parser.parse_args().short
    load = replace(LOAD, portfolios=100, symbols=150) if short else LOAD
    book, market = synthesize(load, SEED)
    result = everything(book, market, load.dates)
    report = Report("risk")
    report.add(
        "equity that does not reconcile, the largest share of it",
        share=conservation(result, load),
        portfolio_days=result.snapshots.height,
        positions=result.snapshots["n_positions"].mean(),
    )
    sample, ours = sample_of(result, book, market)
    compare_outputs(sample, ours)
    n_days = load.portfolios * load.dates
    del result
    report.compare(
        f"{load.portfolios:,} portfolios x {load.positions} positions x {load.dates} dates, "
        f"{load.symbols:,} shares",
        Contender(
            "plumbline, all analytics", partial(everything, book, market, load.dates), rounds=1
        ),
        [
            Contender(
                "plain loops, four figures",
                partial(plain_loops, sample),
                scale=n_days / N_SAMPLED,
                note=f"{N_SAMPLED} of {n_days:,} portfolio-days, scaled",
                rounds=3,
            )
        ],
        {"plain loops, four figures": GOAL},
    )
    if short:
        return
    grow(report, BASE)
    report.save()


if __name__ == "__main__":
    main()
