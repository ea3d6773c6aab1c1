"""Rank ICs within sectors, and in states of the market."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.factors.figure_panel import known_sectors
from plumbline.factors.tables import Axes, by_horizon, empty_table, table
from plumbline.inference.hac import hac_mean
from plumbline.kernels.order_statistics import rank_ic

_FIGURES = ("mean_ic", "t_hac", "p_value", "n_bars")
_SECTOR = ("sector", "signal", "horizon_bars", *_FIGURES, "mean_n_assets")
_REGIME = ("regime", "state", "signal", "horizon_bars", *_FIGURES)


class SectorBars(NamedTuple):
    """Rank ICs among the assets of each sector alone, bar by bar; (G, S, H, T) each.

    Parameters
    ----------
    ic : rank ICs; NaN where there is none.
    n_pairs : assets with both a signal and a forward return.
    """

    ic: Float[np.ndarray, "sectors signals horizons bars"]
    n_pairs: Float[np.ndarray, "sectors signals horizons bars"]


def sector_bars(
    values: Float[np.ndarray, "signals bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
    sectors: Sequence[str | None],
) -> SectorBars:
    """Return rank ICs among the assets of each sector, the sectors sorted.

    Parameters
    ----------
    values : (S, T, A) signals, NaN where missing.
    forwards : (H, T, A) returns after each bar.
    sectors : sector of each asset; None for one that has none.
    """
    known = known_sectors(sectors)
    shape = (len(known), len(values), len(forwards), values.shape[1])
    found = SectorBars(np.empty(shape), np.empty(shape))
    for row, sector in enumerate(known):
        columns = np.array([name == sector for name in sectors])
        some, after = (np.compress(columns, x, axis=2) for x in (values, forwards))
        found.ic[row], found.n_pairs[row] = rank_ic(some, after), pair_counts(some, after)
    return found


def ic_by_sector(axes: Axes, by_bar: SectorBars, sectors: Sequence[str]) -> pl.DataFrame:
    """Return mean rank ICs among the assets of each sector alone.

    Parameters
    ----------
    by_bar : of all bars.
    sectors : those of its first axis.

    Returns
    -------
    sector, signal, horizon_bars, mean_ic, t_hac, p_value, n_bars, mean_n_assets; sorted by sector.
    """
    if not sectors:
        return empty_table(_SECTOR)
    has_ic = np.isfinite(by_bar.ic)
    n_assets = np.where(has_ic, by_bar.n_pairs, 0.0).sum(axis=3)
    n_bars = has_ic.sum(axis=3)
    sizes = np.where(n_bars > 0, n_assets / np.maximum(n_bars, 1), np.nan)
    keys = {"sector": np.repeat(np.array(sectors, dtype=object), sizes[0].size)}
    return table(keys | _figures(axes, list(by_bar.ic)) | {"mean_n_assets": sizes.ravel()})


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
    keys, ics = [], []
    for name, states in labels.items():
        for state in sorted({s for s in states if s}, key=_order):
            keys.append((name, state))
            ics.append(np.where(states == state, ic, np.nan))
    if not keys:
        return empty_table(_REGIME)
    regime, state = np.repeat(np.array(keys, dtype=object), ic.shape[0] * ic.shape[1], axis=0).T
    return table({"regime": regime, "state": state, **_figures(axes, ics)})


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


def _figures(
    axes: Axes, parts: Sequence[Float[np.ndarray, "signals horizons bars"]]
) -> dict[str, np.ndarray]:
    """Return the columns of parts of the sample, one part after the other."""
    ic = np.concatenate(parts)
    tests = [hac_mean(ic[:, h].T, horizon=bars) for h, bars in enumerate(axes.horizons)]
    keys = {name: np.tile(column, len(parts)) for name, column in axes.repeat().items()}
    fields = ("mean", "t", "p_value", "n_obs")
    figures = zip(_FIGURES, fields, strict=True)
    return keys | {name: by_horizon(tests, field) for name, field in figures}


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
