"""Statistics of trailing windows beside bottleneck, polars and pandas.

Run: python -m benchmarks.bench_rolling
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.harness import Contender, Report

import bottleneck  # isort: skip
import numpy as np  # isort: skip
import pandas as pd  # isort: skip
import polars as pl  # isort: skip

from plumbline.kernels import rolling_extremes, rolling_moments, rolling_quantile  # isort: skip

N_BARS, N_ASSETS = 600_000, 2
WINDOWS = (288, 576, 8640)
Q = 0.9


def walks(n_bars: int, n_assets: int, gaps: float = 0.0) -> np.ndarray:
    """Return random walks, such as log prices, with a share of values missing."""
    rng = np.random.default_rng(17)
    x = np.cumsum(rng.standard_normal((n_bars, n_assets)), axis=0)
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def peers_of(x: np.ndarray, window: int) -> Mapping[str, Mapping[str, Callable[[], Any]]]:
    """Return by statistic what each peer runs; their inputs are made beforehand."""
    columns = [np.ascontiguousarray(x[:, a]) for a in range(x.shape[1])]
    series = [pl.Series(column).fill_nan(None) for column in columns]
    rolled = pd.DataFrame(x).rolling(window, min_periods=window)
    options: dict[str, int] = {"window_size": window, "min_samples": window}
    return {
        "mean and sd": {
            "bottleneck": lambda: [
                (bottleneck.move_mean(c, window), bottleneck.move_std(c, window, ddof=1))
                for c in columns
            ],
            "polars": lambda: [
                (s.rolling_mean(**options), s.rolling_std(**options)) for s in series
            ],
            "pandas": lambda: (rolled.mean(), rolled.std()),
        },
        "min and max": {
            "bottleneck": lambda: [
                (bottleneck.move_min(c, window), bottleneck.move_max(c, window)) for c in columns
            ],
            "polars": lambda: [
                (s.rolling_min(**options), s.rolling_max(**options)) for s in series
            ],
            "pandas": lambda: (rolled.min(), rolled.max()),
        },
        "quantile": {
            "polars": lambda: [
                s.rolling_quantile(Q, interpolation="linear", **options) for s in series
            ],
            "pandas": lambda: rolled.quantile(Q),
        },
    }


def ours(x: np.ndarray, window: int) -> Mapping[str, Callable[[], Any]]:
    """Return by statistic what we run."""
    return {
        "mean and sd": partial(rolling_moments, x, window, min_obs=window),
        "min and max": partial(rolling_extremes, x, window, min_obs=window),
        "quantile": partial(rolling_quantile, x, Q, window, min_obs=window),
    }


def figures(result: Any) -> list[np.ndarray]:
    """Return a result's arrays as (statistics) of (T, A), whatever library made it."""
    if isinstance(result, list):  # a tuple of statistics, or one, for each asset
        assets = [r if isinstance(r, tuple) else (r,) for r in result]
        return [
            np.column_stack([np.asarray(asset[k], dtype=np.float64) for asset in assets])
            for k in range(len(assets[0]))
        ]
    found = result if isinstance(result, tuple) else (result,)
    return [np.asarray(part, dtype=np.float64) for part in found if part is not None]


def check(case: str, mine: Any, theirs: Any, scale: float) -> None:
    """Compare outputs; running sums of the peers keep fewer digits."""
    for own, other in zip(figures(mine), figures(theirs), strict=True):
        np.testing.assert_array_equal(np.isnan(own), np.isnan(other), err_msg=case)
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-8 * scale, err_msg=case)


def compare(
    report: Report, shape: Sequence[int], window: int, gaps: float, targets: Mapping[str, float]
) -> None:
    """Time every statistic of one panel beside the peers."""
    x = walks(*shape, gaps)
    runs, rivals = ours(x, window), peers_of(x, window)
    for statistic, run in runs.items():
        case = f"{statistic}: T={shape[0]} A={shape[1]} W={window}"
        case += f", {100 * gaps:g} % gaps" if gaps else ""
        mine = run()
        peers = []
        for name, rival in rivals[statistic].items():
            check(f"{case}, {name}", mine, rival(), float(np.nanmax(np.abs(x))))
            peers.append(Contender(name, rival, rounds=9))
        goals = {peer.name: targets[statistic] for peer in peers}
        report.compare(case, Contender("plumbline", run), peers, goals)


def main() -> None:
    """Run every comparison and save the figures."""
    report = Report("rolling")
    goals = {"mean and sd": 1.0, "min and max": 10.0, "quantile": 1.3}
    half = {name: goal / 2 for name, goal in goals.items()}
    for window in WINDOWS:
        compare(report, (N_BARS, N_ASSETS), window, 0.0, goals)
    compare(report, (4_000, 200), 168, 0.0, half)
    compare(report, (4_000, 37), 33, 0.0, half)
    report.save()


if __name__ == "__main__":
    main()
