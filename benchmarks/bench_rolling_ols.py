"""Rolling regression beside polars-ols and statsmodels, and its error beside a QR a window.

Run: python -m benchmarks.bench_rolling_ols
"""

from collections.abc import Callable
from functools import partial

from benchmarks.harness import Contender, Report

import numpy as np  # isort: skip
import polars as pl  # isort: skip
import polars_ols  # noqa: F401  # isort: skip
from statsmodels.regression.rolling import RollingOLS  # isort: skip

from plumbline.kernels import RollingFit, RollingOptions, rolling_ols  # isort: skip

N_BARS, N_ASSETS = 4_000, 200
SAMPLE = 2  # assets that statsmodels fits; its time is scaled to all
COEFFICIENTS = RollingOptions(outputs="coefficients")
INFERENCE = RollingOptions(inference=True)


def panel(n_assets: int, n_factors: int, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return made daily returns of assets and factors; with gaps, 3 % and late listings."""
    rng = np.random.default_rng(7)
    x = 0.01 * rng.standard_normal((N_BARS, n_factors))
    y = x @ rng.standard_normal((n_factors, n_assets))
    y += 0.02 * rng.standard_normal((N_BARS, n_assets))
    if gaps:
        y[rng.random(y.shape) < 0.03] = np.nan
        for asset in range(0, n_assets, 5):
            y[: rng.integers(0, N_BARS // 2), asset] = np.nan
    return y, x


def polars_fit(y: np.ndarray, x: np.ndarray, window: int) -> Callable[[], pl.DataFrame]:
    """Return a run of polars-ols over all assets; its table is made beforehand."""
    names = [f"x{k}" for k in range(x.shape[1])]
    table = pl.DataFrame(
        {
            "asset": np.repeat(np.arange(y.shape[1]), len(y)),
            "y": np.ascontiguousarray(y.T).ravel(),
            **{name: np.tile(x[:, k], y.shape[1]) for k, name in enumerate(names)},
        }
    ).with_columns(pl.col("y").fill_nan(None))
    policy = {"null_policy": "drop_window"} if np.isnan(y).any() else {}
    coefficients = pl.col("y").least_squares.rolling_ols(
        *[pl.col(name) for name in names],
        window_size=window,
        min_periods=int(np.ceil(0.6 * window)),
        add_intercept=True,
        mode="coefficients",
        **policy,
    )
    return partial(table.select, coefficients.over("asset").alias("fit"))


def statsmodels_fit(y: np.ndarray, x: np.ndarray, window: int) -> np.ndarray:
    """Fit the first assets, coefficients only."""
    design = np.column_stack([np.ones(len(x)), x])
    least = int(np.ceil(0.6 * window))
    return np.stack(
        [
            RollingOLS(y[:, a], design, window, min_nobs=least, expanding=True)
            .fit(params_only=True)
            .params
            for a in range(SAMPLE)
        ],
        axis=1,
    )


def largest_error(fit: RollingFit, y: np.ndarray, x: np.ndarray, window: int) -> float:
    """Return the largest difference of a coefficient from QR over a sample of windows."""
    worst = 0.0
    for bar in range(window - 1, len(y), 61):
        rows = slice(bar - window + 1, bar + 1)
        for asset in range(0, y.shape[1], 11):
            usable = np.isfinite(y[rows, asset])
            if usable.sum() < np.ceil(0.6 * window):
                continue
            design = np.column_stack([np.ones(usable.sum()), x[rows][usable]])
            q, r = np.linalg.qr(design)
            expected = np.linalg.solve(r, q.T @ y[rows, asset][usable])
            found = np.array([fit.alpha[bar, asset], *fit.beta[bar, asset]])
            worst = max(worst, float(np.abs(found - expected).max()))
    return worst


def check_peers(y: np.ndarray, x: np.ndarray, window: int, gaps: bool) -> None:
    """Assert that polars-ols and statsmodels give the same coefficients."""
    fit = rolling_ols(y, x, window, options=COEFFICIENTS)
    found = np.concatenate([fit.beta, fit.alpha[..., None]], axis=2)
    table = polars_fit(y, x, window)()["fit"].struct.unnest().to_numpy()
    theirs = table.reshape(y.shape[1], len(y), -1).swapaxes(0, 1)
    # Where y misses, polars-ols shows no fit of that row; its windows drop missing rows as ours.
    both = np.isfinite(theirs).all(axis=2) & np.isfinite(found).all(axis=2) & np.isfinite(y)
    assert both.mean() > (0.4 if gaps else 0.75)
    np.testing.assert_allclose(found[both], theirs[both], rtol=1e-5, atol=1e-7)
    if not gaps:
        theirs = statsmodels_fit(y, x, window)[window:]
        mine = np.concatenate([fit.alpha[..., None], fit.beta], axis=2)[window:, :SAMPLE]
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9)


def fitted(y: np.ndarray, x: np.ndarray, window: int, options: RollingOptions) -> RollingFit:
    """Fit and, with inference, divide out the t statistics, which wait for their first use."""
    fit = rolling_ols(y, x, window, options=options)
    if options.inference:
        assert fit.tstat is not None
    return fit


def compare(report: Report, case: str, window: int, shape: tuple[int, int], gaps: bool) -> None:
    """Time one size against its peers."""
    n_assets, n_factors = shape
    y, x = panel(n_assets, n_factors, gaps)
    check_peers(y, x, window, gaps)
    main = shape == (N_ASSETS, 2)
    half = 1.0 if main else 0.5
    peer = Contender("polars-ols, coefficients", polars_fit(y, x, window), rounds=9)
    slow = Contender(
        "statsmodels RollingOLS, params_only",
        partial(statsmodels_fit, y, x, window),
        scale=n_assets / SAMPLE,
        note=f"{SAMPLE} of {n_assets} assets, scaled",
        rounds=2,
    )
    peers = [peer] if gaps else [peer, slow]
    for name, options, goal in (
        ("coefficients", COEFFICIENTS, 25 if gaps else 80),
        ("all outputs", INFERENCE, None if gaps else 50),
    ):
        targets = {} if goal is None else {peer.name: goal * half}
        if name == "coefficients" and not gaps:
            targets[slow.name] = 2_000 * half
        run = partial(fitted, y, x, window, options)
        some = peers if name == "coefficients" else [peer]
        report.compare(f"{case}, {name}", Contender(f"plumbline, {name}", run), some, targets)
    report.add(f"{case}, largest error against QR", error=largest_error(run(), y, x, window))


def compare_layouts(report: Report, window: int) -> None:
    """Time input that is no C-ordered float64 panel."""
    y, x = panel(N_ASSETS, 2, False)
    wide = np.zeros((N_BARS, 2 * N_ASSETS))
    wide[:, ::2] = y
    peer = Contender("polars-ols, coefficients", polars_fit(y, x, window), rounds=5)
    for name, source in (("strided", wide[:, ::2]), ("Fortran order", np.asfortranarray(y))):
        run = partial(rolling_ols, source, x, window, options=COEFFICIENTS)
        ours = Contender(f"plumbline, coefficients, {name}", run)
        report.compare(f"W={window} {name} input", ours, [peer], {peer.name: 40})


def main() -> None:
    """Run every comparison and save the figures."""
    report = Report("rolling_ols")
    for window in (168, 720):
        for gaps in (False, True):
            case = f"T=4000 A=200 K=2+const W={window}" + (", gaps" if gaps else "")
            compare(report, case, window, (N_ASSETS, 2), gaps)
    for n_assets, n_factors, window in ((200, 1, 168), (200, 3, 168), (200, 6, 168), (37, 2, 33)):
        for gaps in (False, True):
            case = f"T=4000 A={n_assets} K={n_factors}+const W={window}"
            case += ", gaps" if gaps else ""
            compare(report, case, window, (n_assets, n_factors), gaps)
    compare_layouts(report, 168)
    report.save()


if __name__ == "__main__":
    main()
