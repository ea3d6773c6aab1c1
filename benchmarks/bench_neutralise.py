"""Residuals across assets beside polars-ols, a batched numpy solve and a loop of lstsq.

Run: python -m benchmarks.bench_neutralise
"""

from collections.abc import Callable
from functools import partial

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip
import polars as pl  # isort: skip
import polars_ols  # noqa: F401  # isort: skip

from plumbline.kernels import neutralise  # isort: skip

N_BARS, N_ASSETS, N_EXPOSURES = 4_000, 200, 5
LOOP_BARS = 200  # bars that the loop fits; its time is scaled to all
N_GROUPS = 11
GOALS = {"polars-ols .over": 20.0, "numpy, batched solve": 3.0}


def panel(n_assets: int, n: int, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a made signal and exposures to correlated styles; with gaps, 3 % of the signal."""
    rng = np.random.default_rng(11)
    exposures = rng.standard_normal((N_BARS, n_assets, n))
    exposures += 0.5 * rng.standard_normal((N_BARS, n_assets, 1))
    signal = exposures @ rng.standard_normal(n) + rng.standard_normal((N_BARS, n_assets))
    if gaps:
        signal[rng.random(signal.shape) < 0.03] = np.nan
    return signal, exposures


def polars_residuals(signal: np.ndarray, exposures: np.ndarray) -> Callable[[], pl.DataFrame]:
    """Return a run of polars-ols over all bars; its table is made beforehand."""
    n_assets, n = exposures.shape[1:]
    names = [f"x{k}" for k in range(n)]
    columns = {name: exposures[..., k].ravel() for k, name in enumerate(names)}
    table = pl.DataFrame(
        {"bar": np.repeat(np.arange(len(signal)), n_assets), "y": signal.ravel(), **columns}
    ).with_columns(pl.col("y").fill_nan(None))
    policy = {"null_policy": "drop"} if np.isnan(signal).any() else {}
    residuals = pl.col("y").least_squares.ols(
        *[pl.col(name) for name in names], add_intercept=True, mode="residuals", **policy
    )
    return partial(table.select, residuals.over("bar").alias("residual"))


def numpy_residuals(signal: np.ndarray, exposures: np.ndarray) -> np.ndarray:
    """Solve the normal equations of all bars at once, missing assets as rows of zeros."""
    ones = np.ones((*signal.shape, 1))
    design = np.concatenate([ones, exposures], axis=2)
    response = signal
    if np.isnan(signal).any():
        there = np.isfinite(signal)
        response = np.where(there, signal, 0.0)
        design *= there[..., None]
    transposed = design.swapaxes(1, 2)
    slopes = np.linalg.solve(transposed @ design, transposed @ response[..., None])
    return signal - (design @ slopes)[..., 0]


def lstsq_residuals(signal: np.ndarray, exposures: np.ndarray) -> np.ndarray:
    """Fit the first bars one by one."""
    out = np.full((LOOP_BARS, signal.shape[1]), np.nan)
    for bar in range(LOOP_BARS):
        there = np.isfinite(signal[bar])
        design = np.column_stack([np.ones(there.sum()), exposures[bar, there]])
        slopes = np.linalg.lstsq(design, signal[bar, there])[0]
        out[bar, there] = signal[bar, there] - design @ slopes
    return out


def compare(report: Report, case: str, signal: np.ndarray, exposures: np.ndarray) -> None:
    """Check that all give the same residuals, then time them."""
    dense, loadings = np.ascontiguousarray(signal), np.ascontiguousarray(exposures)
    polars_run = polars_residuals(dense, loadings)
    mine = neutralise(signal, exposures)
    theirs = polars_run()["residual"].to_numpy().reshape(mine.shape)
    both = np.isfinite(mine)
    np.testing.assert_allclose(theirs[both], mine[both], rtol=0, atol=1e-10)
    np.testing.assert_allclose(numpy_residuals(dense, loadings), mine, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        mine[:LOOP_BARS], lstsq_residuals(dense, loadings), rtol=0, atol=1e-12
    )
    plain = signal is dense and exposures is loadings and both.all()
    part = 1.0 if plain and exposures.shape[1:] == (N_ASSETS, N_EXPOSURES) else 0.5
    report.compare(
        case,
        Contender("plumbline", partial(neutralise, signal, exposures)),
        [
            Contender("polars-ols .over", polars_run, rounds=15),
            Contender("numpy, batched solve", partial(numpy_residuals, dense, loadings)),
            Contender(
                "numpy, lstsq a bar",
                partial(lstsq_residuals, dense, loadings),
                scale=N_BARS / LOOP_BARS,
                note=f"{LOOP_BARS} of {N_BARS} bars, scaled",
                rounds=15,
            ),
        ],
        {name: goal * part for name, goal in GOALS.items()},
    )


def compare_groups(report: Report, n_assets: int) -> None:
    """Time groups beside peers that fit their dummies, and beside ourselves on these."""
    signal, exposures = panel(n_assets, N_EXPOSURES, False)
    groups = np.arange(n_assets) % N_GROUPS
    dummies = np.eye(N_GROUPS)[groups][:, 1:]
    spread = np.broadcast_to(dummies, (N_BARS, n_assets, N_GROUPS - 1))
    design = np.ascontiguousarray(np.concatenate([exposures, spread], axis=2))
    polars_run = polars_residuals(signal, design)
    mine = neutralise(signal, exposures, groups=groups)
    theirs = polars_run()["residual"].to_numpy().reshape(mine.shape)
    for other in (theirs, numpy_residuals(signal, design), neutralise(signal, design)):
        np.testing.assert_allclose(other, mine, rtol=0, atol=1e-10)
    report.compare(
        f"T={N_BARS} A={n_assets} P={N_EXPOSURES}, {N_GROUPS} groups",
        Contender("plumbline", partial(neutralise, signal, exposures, groups=groups)),
        [
            Contender("plumbline, dummies", partial(neutralise, signal, design)),
            Contender("polars-ols .over", polars_run, rounds=9),
            Contender("numpy, batched solve", partial(numpy_residuals, signal, design)),
        ],
        {name: 0.5 * goal for name, goal in GOALS.items()},
    )


def main() -> None:
    """Run every comparison and save the figures."""
    report = Report("neutralise")
    compare_groups(report, N_ASSETS)
    sizes = [(N_ASSETS, 5), (N_ASSETS, 1), (N_ASSETS, 3), (N_ASSETS, 6), (37, 5)]
    for n_assets, n in sizes:
        for gaps in (False, True):
            case = f"T={N_BARS} A={n_assets} P={n}" + (", gaps" if gaps else "")
            compare(report, case, *panel(n_assets, n, gaps))
    signal, exposures = panel(N_ASSETS, N_EXPOSURES, False)
    wide = np.zeros((N_BARS, 2 * N_ASSETS))
    wide[:, ::2] = signal
    case = f"T={N_BARS} A={N_ASSETS} P={N_EXPOSURES}"
    compare(report, f"{case}, strided signal", wide[:, ::2], exposures)
    fields = np.ascontiguousarray(np.moveaxis(exposures, 2, 0))
    compare(report, f"{case}, exposures stacked by field", signal, np.moveaxis(fields, 0, 2))
    report.save()


if __name__ == "__main__":
    main()
