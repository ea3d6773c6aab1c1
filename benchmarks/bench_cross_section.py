"""Cross-sections clipped, standardised and ranked beside polars, pandas and scipy.

Run: python -m benchmarks.bench_cross_section
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip
import pandas as pd  # isort: skip
import polars as pl  # isort: skip
from scipy.special import ndtri  # isort: skip
from scipy.stats import rankdata  # isort: skip
from scipy.stats import zscore as scipy_zscore  # isort: skip

from plumbline.kernels import gaussian_rank, winsorise, zscore  # isort: skip

N_BARS, N_ASSETS = 4_000, 200
LOW, HIGH = 0.01, 0.99


def panel(n_assets: int, gaps: bool) -> np.ndarray:
    """Return made values; with gaps, 3 % are missing."""
    rng = np.random.default_rng(19)
    x = rng.standard_normal((N_BARS, n_assets))
    x[rng.random(x.shape) < 0.03 * gaps] = np.nan
    return x


def pandas_runs(x: np.ndarray) -> Mapping[str, Callable[[], pd.DataFrame]]:
    """Return what pandas runs, by statistic, on a table made beforehand."""
    frame = pd.DataFrame(x)

    def clipped() -> pd.DataFrame:
        low, high = frame.quantile(LOW, axis=1), frame.quantile(HIGH, axis=1)
        return frame.clip(low, high, axis=0)

    def standardised() -> pd.DataFrame:
        return frame.sub(frame.mean(axis=1), axis=0).div(frame.std(axis=1), axis=0)

    def normal() -> np.ndarray:
        share = (frame.rank(axis=1) - 0.5).div(frame.count(axis=1), axis=0)
        return ndtri(share.to_numpy())

    return {"winsorise": clipped, "zscore": standardised, "gaussian_rank": normal}


def polars_runs(x: np.ndarray) -> Mapping[str, Callable[[], Any]]:
    """Return what polars runs, by statistic, on a long table made beforehand."""
    n_bars, n_assets = x.shape
    table = pl.DataFrame({"bar": np.repeat(np.arange(n_bars), n_assets), "x": x.ravel()})
    lazy = table.with_columns(pl.col("x").fill_nan(None)).lazy()
    value = pl.col("x")
    low, high = value.quantile(LOW, "linear"), value.quantile(HIGH, "linear")
    parts = {
        "winsorise": value.clip(low.over("bar"), high.over("bar")),
        "zscore": (value - value.mean().over("bar")) / value.std().over("bar"),
        "gaussian_rank": (value.rank().over("bar") - 0.5) / value.count().over("bar"),
    }
    runs = {name: lazy.select(part.alias("x")).collect for name, part in parts.items()}

    def normal() -> np.ndarray:
        return ndtri(runs["gaussian_rank"]()["x"].to_numpy())

    return {**runs, "gaussian_rank": normal}


def scipy_runs(x: np.ndarray) -> Mapping[str, Callable[[], np.ndarray]]:
    """Return what numpy and scipy run, by statistic."""

    def clipped() -> np.ndarray:
        low, high = np.nanquantile(x, (LOW, HIGH), axis=1)
        return np.clip(x, low[:, None], high[:, None])

    def normal() -> np.ndarray:
        share = rankdata(x, axis=1, nan_policy="omit") - 0.5
        return ndtri(share / np.isfinite(x).sum(axis=1, keepdims=True))

    return {
        "winsorise": clipped,
        "zscore": partial(scipy_zscore, x, axis=1, ddof=1, nan_policy="omit"),
        "gaussian_rank": normal,
    }


def as_panel(result: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return a result as (bars, assets), whatever library made it."""
    values = result["x"].to_numpy() if isinstance(result, pl.DataFrame) else np.asarray(result)
    return values.reshape(shape)


def compare(report: Report, n_assets: int, gaps: bool) -> None:
    """Check that all give the same, then time them."""
    x = panel(n_assets, gaps)
    ours = {
        "winsorise": partial(winsorise, x, (LOW, HIGH)),
        "zscore": partial(zscore, x),
        "gaussian_rank": partial(gaussian_rank, x),
    }
    rivals = {"pandas": pandas_runs(x), "polars": polars_runs(x), "numpy, scipy": scipy_runs(x)}
    for name, run in ours.items():
        for runs in rivals.values():
            theirs = as_panel(runs[name](), x.shape)
            np.testing.assert_allclose(theirs, run(), rtol=0, atol=1e-12)
        peers = [Contender(rival, runs[name], rounds=9) for rival, runs in rivals.items()]
        case = f"{name}: T={N_BARS} A={n_assets}" + (", gaps" if gaps else "")
        report.compare(case, Contender("plumbline", run), peers, {})


def main() -> None:
    """Run every comparison and save the figures."""
    report = Report("cross_section")
    for n_assets, gaps in ((N_ASSETS, False), (N_ASSETS, True), (37, True)):
        compare(report, n_assets, gaps)
    report.save()


if __name__ == "__main__":
    main()
