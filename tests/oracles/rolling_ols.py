"""Rolling regression as a loop: one QR a window, nothing shared, nothing clever."""

import numpy as np


def design_of(x: np.ndarray, intercept: bool) -> np.ndarray:
    """Return the rows of a regression, intercept first."""
    return np.column_stack([np.ones(len(x)), x]) if intercept else x


def window_weights(n_rows: int, weights: np.ndarray | None, half_life: float | None) -> np.ndarray:
    """Return the weights of a window's rows, last row youngest."""
    given = np.ones(n_rows) if weights is None else np.nan_to_num(weights, nan=0.0)
    if half_life is None:
        return given
    return given * 0.5 ** (np.arange(n_rows)[::-1] / half_life)


def fit_window(
    y: np.ndarray, x: np.ndarray, weights: np.ndarray, intercept: bool, ridge: float = 0.0
) -> dict[str, np.ndarray | float]:
    """Return coefficients (alpha first), their errors, R2 and condition of one full-rank window."""
    design = design_of(x, intercept)
    n_rows, n_coefficients = design.shape
    root = np.sqrt(weights)
    penalty = np.sqrt(ridge) * np.eye(n_coefficients)
    penalty[0, 0] = 0.0 if intercept else penalty[0, 0]
    left = np.vstack([design * root[:, None], penalty]) if ridge else design * root[:, None]
    right = np.concatenate([y * root, np.zeros(n_coefficients)]) if ridge else y * root
    q, r = np.linalg.qr(left)
    coefficients = np.linalg.solve(r, q.T @ right)
    rest = y - design @ coefficients
    variance = (weights * rest**2).sum() / (n_rows - n_coefficients)
    inverse = np.linalg.inv(r)
    inverse = inverse @ inverse.T
    gram = (design * weights[:, None]).T @ design
    centre = (weights * y).sum() / weights.sum() if intercept else 0.0
    total = (weights * (y - centre) ** 2).sum()
    return {
        "coefficients": coefficients,
        "stderr": np.sqrt(variance * np.diag(inverse @ gram @ inverse)),
        "r2": 1 - (weights * rest**2).sum() / total,
        "condition": np.linalg.cond(left),
    }


def rolling_ols(
    y: np.ndarray,
    x: np.ndarray,
    window: int,
    *,
    min_obs: int | None = None,
    intercept: bool = True,
    weights: np.ndarray | None = None,
    half_life: float | None = None,
    ridge: float = 0.0,
    propagate: bool = False,
    lag: int = 0,
) -> dict[str, np.ndarray]:
    """Return every output of a rolling regression; alpha first in ``coefficients``."""
    (n_bars, n_assets), n_factors = y.shape, x.shape[1]
    n_coefficients = n_factors + intercept
    needed = max(int(np.ceil(0.6 * window)) if min_obs is None else min_obs, n_coefficients + 1)
    first = 0 if intercept else 1
    out = {
        "coefficients": np.full((n_bars, n_assets, n_factors + 1), np.nan),
        "stderr": np.full((n_bars, n_assets, n_factors + 1), np.nan),
        "r2": np.full((n_bars, n_assets), np.nan),
        "condition": np.full((n_bars, n_assets), np.nan),
        "residual": np.full((n_bars, n_assets), np.nan),
        "n_obs": np.zeros((n_bars, n_assets), int),
    }
    for asset in range(n_assets):
        for bar in range(n_bars):
            rows = slice(max(bar - window + 1, 0), bar + 1)
            ys, xs = y[rows, asset], x[rows]
            given = None
            if weights is not None:
                given = weights[rows] if weights.ndim == 1 else weights[rows, asset]
            w = window_weights(len(ys), given, half_life)
            usable = np.isfinite(ys) & np.isfinite(xs).all(axis=1) & (w > 0) & np.isfinite(w)
            out["n_obs"][bar, asset] = usable.sum()
            if usable.sum() < needed or (propagate and not usable.all()):
                continue
            fit = fit_window(ys[usable], xs[usable], w[usable], intercept, ridge)
            for name in ("coefficients", "stderr"):
                out[name][bar, asset, first:] = fit[name]
            out["r2"][bar, asset] = fit["r2"]
            out["condition"][bar, asset] = fit["condition"]
            if not intercept:
                out["coefficients"][bar, asset, 0] = 0.0
        for bar in range(lag, n_bars):
            alpha, *beta = out["coefficients"][bar - lag, asset]
            rest = y[bar, asset] - alpha - x[bar] @ np.array(beta)
            out["residual"][bar, asset] = rest if np.isfinite(rest) else np.nan
    return out
