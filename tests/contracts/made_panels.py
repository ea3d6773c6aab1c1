"""Panels for the contract suites: ragged, with gaps, late listings, ties and a constant column."""

import numpy as np

from plumbline.core.panel import Panel

FACTORS = ("market", "size", "value")


def ragged_panel(n_bars: int, n_assets: int = 6, *, seed: int = 0, first_bar: int = 1000) -> Panel:
    """Return a panel with every field that a signal may ask for."""
    rng = np.random.default_rng([seed, n_assets])
    change = 0.02 * rng.standard_normal((n_bars, n_assets))
    change[:, -1] = 0.0  # a price that never moves
    close = 50 * np.exp(np.cumsum(change, axis=0)) * (1 + np.arange(n_assets))
    close[rng.random(close.shape) < 0.02] = np.nan
    close[: n_bars // 3, 0] = np.nan
    residual = 0.01 * rng.standard_normal(close.shape)
    residual[rng.random(close.shape) < 0.05] = np.nan
    residual[:, -1] = np.round(residual[:, -1], 2)
    returns = np.full_like(close, np.nan)
    returns[1:] = close[1:] / close[:-1] - 1
    high = close * (1 + 0.01 * rng.random(close.shape))
    low = close * (1 - 0.01 * rng.random(close.shape))
    fields = {
        "open": (high + low) / 2,
        "high": high,
        "low": low,
        "close": close,
        "volume": np.where(np.isnan(close), np.nan, rng.integers(0, 10_000, close.shape) * 100.0),
        "return": returns,
        "residual_return": residual,
    }
    fields["volume"][_runs(n_bars, seed)] *= 0.0
    fields |= _study_fields(close, seed)
    return Panel(fields, axis(n_bars), names(n_assets), first_bar=first_bar)


def _runs(n_bars: int, seed: int) -> slice:
    """Return bars on which nothing is traded: a run of five."""
    start = n_bars // 2 + seed % 7
    return slice(start, start + 5)


def _study_fields(close: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return betas, slow and with gaps, and other signals, with gaps, ties and runs of nothing."""
    rng = np.random.default_rng([seed, 78])
    found = {}
    for factor in FACTORS:
        drift = 0.02 * rng.standard_normal(close.shape).cumsum(axis=0)
        found[f"beta_{factor}"] = 1 + 0.5 * rng.standard_normal(close.shape[1]) + drift
    for label in ("momentum", "low_volatility"):
        found[f"signal:{label}"] = np.round(rng.standard_normal(close.shape), 1)
    for values in found.values():
        values[rng.random(close.shape) < 0.03] = np.nan
        values[: len(close) // 5, 2 % close.shape[1]] = np.nan
    return found


def factor_panel(n_bars: int, *, seed: int = 0, first_bar: int = 1000) -> Panel:
    """Return correlated factor returns with a gap."""
    rng = np.random.default_rng([seed, 77])
    values = 0.01 * rng.standard_normal((n_bars, len(FACTORS)))
    values[:, 1] += 0.8 * values[:, 0]
    values[n_bars // 2, 0] = np.nan
    return Panel({"return": values}, axis(n_bars), FACTORS, first_bar=first_bar)


def axis(n_bars: int) -> np.ndarray:
    return np.datetime64("2015-01-05T21:00", "us") + np.arange(n_bars) * np.timedelta64(1, "D")


def names(n_assets: int) -> list[str]:
    return [f"A{i:03d}" for i in range(n_assets)]


def spliced(past: Panel, future: Panel, cut: int) -> Panel:
    """Return ``past`` up to row ``cut``, other valid data after it, on the axes of ``past``."""
    fields = {k: np.concatenate([past[k][: cut + 1], future[k][cut + 1 :]]) for k in past}
    return past.with_fields(fields)


def renamed(panel: Panel, order: np.ndarray) -> Panel:
    """Return the panel with its columns in another order, under the sorted names."""
    return panel.with_fields({k: panel[k][:, order] for k in panel})
