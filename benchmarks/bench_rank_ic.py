"""Rank correlations of many signals and horizons beside polars, pandas and alphalens.

Run: python -m benchmarks.bench_rank_ic
"""

import itertools
import warnings
from collections.abc import Callable
from functools import partial

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip
import pandas as pd  # isort: skip
import polars as pl  # isort: skip
from alphalens.performance import factor_information_coefficient  # isort: skip

from plumbline.kernels import rank_ic  # isort: skip

N_BARS, N_ASSETS, N_SIGNALS, N_HORIZONS = 4_000, 200, 10, 5
HORIZONS = ("1D", "5D", "10D", "21D", "63D")
SLOW_BARS = 200  # bars of one signal that alphalens correlates; its time is scaled to all
GAPS = ("no gaps", "gaps apart", "gaps alike", "ties")


def panels(n_assets: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return made signals and forward returns; 3 % gaps or rounded returns, as the kind says."""
    rng = np.random.default_rng(13)
    both = rng.standard_normal((N_SIGNALS + N_HORIZONS, N_BARS, n_assets))
    if kind == "gaps apart":
        both[rng.random(both.shape) < 0.03] = np.nan
    if kind == "gaps alike":
        both[:, rng.random(both.shape[1:]) < 0.03] = np.nan
    signals, forwards = both[:N_SIGNALS].copy(), both[N_SIGNALS:].copy()
    return signals, np.round(forwards, 1) if kind == "ties" else forwards


def polars_ranks(signals: np.ndarray, forwards: np.ndarray) -> Callable[[], pl.DataFrame]:
    """Return a run of polars; its table is made beforehand.

    Without gaps every column is ranked once and pairs are correlated; with gaps polars has to
    rank every pair over the assets that both have.
    """
    n_bars, n_assets = signals.shape[1:]
    left = [f"s{s}" for s in range(len(signals))]
    right = [f"f{h}" for h in range(len(forwards))]
    values = np.concatenate([signals, forwards]).reshape(-1, n_bars * n_assets)
    table = pl.DataFrame(
        {
            "bar": np.repeat(np.arange(n_bars), n_assets),
            **dict(zip([*left, *right], values, strict=True)),
        }
    ).with_columns(pl.col(left + right).fill_nan(None))
    pairs = list(itertools.product(left, right))
    if not np.isnan(values).any():
        ranks = table.lazy().with_columns(pl.col(left + right).rank().over("bar"))
        correlations = [pl.corr(s, f).alias(f"{s}{f}") for s, f in pairs]
        return ranks.group_by("bar", maintain_order=True).agg(correlations).collect
    correlations = []
    for s, f in pairs:
        there = pl.col(s).is_not_null() & pl.col(f).is_not_null()
        ranked = [pl.col(name).filter(there).rank() for name in (s, f)]
        correlations.append(pl.corr(*ranked).alias(f"{s}{f}"))
    return table.lazy().group_by("bar", maintain_order=True).agg(correlations).collect


def pandas_correlations(signals: np.ndarray, forwards: np.ndarray) -> np.ndarray:
    """Correlate the ranks of every pair of panels with pandas, over the assets that have both."""
    left, right = ([pd.DataFrame(panel) for panel in panels] for panels in (signals, forwards))
    out = np.empty((len(left), len(right), len(left[0])))
    for s, signal in enumerate(left):
        for h, forward in enumerate(right):
            out[s, h] = signal.corrwith(forward, axis=1, method="spearman")
    return out


def alphalens_table(signals: np.ndarray, forwards: np.ndarray) -> pd.DataFrame:
    """Return the first bars of one signal as alphalens wants them."""
    n_assets = signals.shape[2]
    days = pd.date_range("2000-01-03", periods=SLOW_BARS, freq="B")
    index = pd.MultiIndex.from_product([days, range(n_assets)], names=["date", "asset"])
    columns = {name: forwards[h, :SLOW_BARS].ravel() for h, name in enumerate(HORIZONS)}
    return pd.DataFrame({**columns, "factor": signals[0, :SLOW_BARS].ravel()}, index=index)


def compare(report: Report, case: str, inputs: tuple[np.ndarray, np.ndarray], part: float) -> None:
    """Check that all give the same correlations, then time them."""
    signals, forwards = inputs
    polars_run = polars_ranks(signals, forwards)
    mine = rank_ic(signals, forwards)
    theirs = polars_run().drop("bar").to_numpy().T.reshape(mine.shape)
    np.testing.assert_allclose(theirs, mine, rtol=0, atol=1e-12)
    peers = [Contender("polars, rank and corr", polars_run, rounds=9)]
    if not np.isnan(mine).any() and not any(np.isnan(panel).any() for panel in inputs):
        table = alphalens_table(signals, forwards)
        theirs = factor_information_coefficient(table).to_numpy().T
        np.testing.assert_allclose(theirs, mine[0, :, :SLOW_BARS], rtol=0, atol=1e-12)
        peers.append(
            Contender(
                "alphalens-reloaded",
                partial(factor_information_coefficient, table),
                scale=N_SIGNALS * N_BARS / SLOW_BARS,
                note=f"1 of {N_SIGNALS} signals, {SLOW_BARS} of {N_BARS} bars, scaled",
                rounds=5,
            )
        )
    some = (signals[:, :SLOW_BARS], forwards[:, :SLOW_BARS])
    theirs = pandas_correlations(*some)
    np.testing.assert_allclose(theirs, mine[:, :, :SLOW_BARS], rtol=0, atol=1e-12)
    peers.append(
        Contender(
            "pandas, corrwith",
            partial(pandas_correlations, *some),
            scale=signals.shape[1] / SLOW_BARS,
            note=f"{SLOW_BARS} of {signals.shape[1]} bars, scaled",
            rounds=5,
        )
    )
    targets = {
        "polars, rank and corr": 15.0 * part,
        "alphalens-reloaded": 2_000.0 * part,
        "pandas, corrwith": 150.0 * (part if signals.shape[2] < N_ASSETS else 1.0),
    }
    report.compare(case, Contender("plumbline", partial(rank_ic, *inputs)), peers, targets)


def main() -> None:
    """Run every comparison and save the figures."""
    warnings.simplefilter("ignore")  # alphalens meets deprecations of pandas
    report = Report("rank_ic")
    for n_assets in (N_ASSETS, 37):
        for kind in GAPS:
            case = f"T={N_BARS} A={n_assets} 10 signals x 5 horizons, {kind}"
            part = 1.0 if n_assets == N_ASSETS and kind == "no gaps" else 0.5
            compare(report, case, panels(n_assets, kind), part)
    signals, forwards = panels(N_ASSETS, "no gaps")
    case = f"T={N_BARS} A={N_ASSETS} 10 signals x 5 horizons, panels as last axis"
    last = np.ascontiguousarray(np.moveaxis(signals, 0, 2))
    compare(report, case, (np.moveaxis(last, 2, 0), forwards), 0.5)
    report.save()


if __name__ == "__main__":
    main()
