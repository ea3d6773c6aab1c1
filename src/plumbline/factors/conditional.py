"""Rank ICs within sectors, and in states of the market."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.factors.tables import Axes, by_horizon, empty_table, table
from plumbline.inference.hac import hac_mean
from plumbline.kernels.order_statistics import rank_ic

_FIGURES = ("mean_ic", "t_hac", "p_value", "n_bars")
_SECTOR = ("sector", "signal", "horizon_bars", *_FIGURES, "mean_n_assets")
_REGIME = ("regime", "state", "signal", "horizon_bars", *_FIGURES)


def ic_by_sector(
    axes: Axes,
    values: Float[np.ndarray, "signals bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
    sectors: Sequence[str | None],
) -> pl.DataFrame:
    """Return mean rank ICs among the assets of each sector alone.

    Parameters
    ----------
    values : (S, T, A) signals, NaN where missing.
    forwards : (H, T, A) returns after each bar.
    sectors : sector of each asset; None for one that has none.

    Returns
    -------
    sector, signal, horizon_bars, mean_ic, t_hac, p_value, n_bars, mean_n_assets; sorted by sector.
    """
    parts = []
    for sector in sorted({name for name in sectors if name is not None}):
        columns = np.array([name == sector for name in sectors])
        some, after = values[:, :, columns], forwards[:, :, columns]
        ic = rank_ic(some, after)
        has_ic = np.isfinite(ic)
        n_assets = np.where(has_ic, pair_counts(some, after), 0.0).sum(axis=2)
        n_bars = has_ic.sum(axis=2)
        mean = np.divide(n_assets, n_bars, out=np.full(n_bars.shape, np.nan), where=n_bars > 0)
        figures = _figures(axes, ic) | {"mean_n_assets": mean.ravel()}
        parts.append(table({"sector": _repeated(sector, n_bars.size), **axes.repeat(), **figures}))
    return pl.concat(parts) if parts else empty_table(_SECTOR)


def ic_by_regime(
    axes: Axes,
    ic: Float[np.ndarray, "signals horizons bars"],
    regimes: Mapping[str, Any],
) -> pl.DataFrame:
    """Return mean rank ICs over the bars of each state; other bars keep their place in time.

    Parameters
    ----------
    ic : (S, H, T) rank ICs; NaN where there is none.
    regimes : name -> (T,) states, array or sequence: that of each bar, known at its close, as text
        or number; None, NaN and an empty text are no state.

    Returns
    -------
    regime, state, signal, horizon_bars, mean_ic, t_hac, p_value, n_bars; states sorted.
    """
    labels = {name: _labels(states) for name, states in regimes.items()}
    parts = []
    for name, states in labels.items():
        for state in sorted({s for s in states if s}, key=_order):
            figures = _figures(axes, np.where(states == state, ic, np.nan))
            n_series = ic.shape[0] * ic.shape[1]
            keys = {"regime": _repeated(name, n_series), "state": _repeated(state, n_series)}
            parts.append(table({**keys, **axes.repeat(), **figures}))
    return pl.concat(parts) if parts else empty_table(_REGIME)


def regime_problems(regimes: Mapping[str, Any], n_bars: int) -> list[str]:
    """Return which regimes do not have one state a bar."""
    return [
        f"regime {name!r} has {len(states)} states, expected one a bar: {n_bars}"
        for name, states in regimes.items()
        if len(states) != n_bars
    ]


def pair_counts(
    values: Float[np.ndarray, "signals bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
) -> Float[np.ndarray, "signals horizons bars"]:
    """Return how many assets have both; counts below 2^24 are exact in float32."""
    has_value = np.isfinite(values).transpose(1, 0, 2).astype(np.float32)
    has_return = np.isfinite(forwards).transpose(1, 2, 0).astype(np.float32)
    counts: Float[np.ndarray, "signals horizons bars"] = np.matmul(has_value, has_return).transpose(
        1, 2, 0
    )
    return counts.astype(np.float64)


def _figures(axes: Axes, ic: Float[np.ndarray, "signals horizons bars"]) -> dict[str, np.ndarray]:
    tests = [hac_mean(ic[:, h].T, horizon=bars) for h, bars in enumerate(axes.horizons)]
    fields = ("mean", "t", "p_value", "n_obs")
    return {name: by_horizon(tests, field) for name, field in zip(_FIGURES, fields, strict=True)}


def _labels(states: Any) -> np.ndarray:
    """Return states as text, empty where there is none; whole numbers without a fraction."""
    return np.array([_label(state) for state in np.asarray(states, dtype=object).tolist()], object)


def _label(state: Any) -> str:
    if state is None or state != state:  # NaN differs from itself
        return ""
    return f"{state:g}" if isinstance(state, float) else str(state)


def _order(state: str) -> tuple[int, float, str]:
    """Return a key that sorts numbers by size, before other text."""
    try:
        return 0, float(state), state
    except ValueError:
        return 1, 0.0, state


def _repeated(text: str, n: int) -> np.ndarray:
    return np.array([text] * n, dtype=object)
