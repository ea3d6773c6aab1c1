"""How time and memory of the kernels grow with bars and assets.

Time is the fastest of a few runs; memory is what the process grows by at the peak, output included.

Run: python -m benchmarks.bench_growth
"""

import time
from collections.abc import Callable
from functools import partial

from benchmarks.harness import Report, peak_memory

import numpy as np  # isort: skip

from plumbline.kernels import RollingOptions, neutralise, rank_ic, rolling_ols  # isort: skip

BARS = (1_000, 10_000, 100_000, 1_000_000)  # with 10 assets
ASSETS = (10, 50, 200, 1_000, 2_000)  # with 4,000 bars
WINDOW = 168
COEFFICIENTS = RollingOptions(outputs="coefficients")
INFERENCE = RollingOptions(inference=True)


def works(n_bars: int, n_assets: int) -> dict[str, Callable[[], object]]:
    """Return what is timed at one size, on made data."""
    rng = np.random.default_rng(3)
    y = 0.01 * rng.standard_normal((n_bars, n_assets))
    x = 0.01 * rng.standard_normal((n_bars, 2))
    gappy = np.where(rng.random(y.shape) < 0.03, np.nan, y)
    exposures = rng.standard_normal((n_bars, n_assets, 3))
    signals = rng.standard_normal((2, n_bars, n_assets))
    return {
        "rolling_ols, coefficients": partial(rolling_ols, y, x, WINDOW, options=COEFFICIENTS),
        "rolling_ols, all outputs": partial(rolling_ols, y, x, WINDOW, options=INFERENCE),
        "rolling_ols, coefficients, gaps": partial(
            rolling_ols, gappy, x, WINDOW, options=COEFFICIENTS
        ),
        "neutralise, 3 exposures": partial(neutralise, y, exposures),
        "rank_ic, 2 x 1": partial(rank_ic, signals, y[None]),
    }


def fastest(run: Callable[[], object], seconds: float = 1.0) -> float:
    """Return the fastest of at least two runs, seconds."""
    run()
    best, end, rounds = float("inf"), time.perf_counter() + seconds, 0
    while rounds < 2 or (time.perf_counter() < end and rounds < 50):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        rounds += 1
    return best


def main() -> None:
    """Print a line per kernel and size and save them."""
    report = Report("growth")
    for n_bars, n_assets in [*((n, 10) for n in BARS), *((4_000, n) for n in ASSETS)]:
        print(f"\nT={n_bars:,} A={n_assets:,}")
        for name, run in works(n_bars, n_assets).items():
            taken = fastest(run)
            memory = peak_memory(run)
            report.add(
                f"{name}, T={n_bars} A={n_assets}",
                ms=1e3 * taken,
                ns_per_cell=1e9 * taken / (n_bars * n_assets),
                mib=memory / 2**20,
                bytes_per_cell=memory / (n_bars * n_assets),
            )
    report.save()


if __name__ == "__main__":
    main()
