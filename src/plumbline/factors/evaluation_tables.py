"""From the figures of all bars to the tables of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from plumbline.factors.conditional import SectorBars, ic_by_regime, ic_by_sector
from plumbline.factors.figure_panel import BarFigures
from plumbline.factors.history import ic_by_month, ic_by_year, ic_histogram, ic_rolling
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.rank_tables import Coefficients, rank_tables
from plumbline.factors.signal_figures import figure_tables, signal_figures
from plumbline.factors.tables import Axes, table
from plumbline.factors.uncomputed import Lost, uncomputed, unranked, without_book


class Measured(NamedTuple):
    """What was computed of signals, bar by bar and draw by draw.

    Parameters
    ----------
    axes : signals, horizons and bars.
    figures : of each signal.
    draws : (N, S, H, D) of :func:`plumbline.factors.null_suite.null_draws`, D = 0 for none.
    is_read : (T,) bars that information coefficients and quantile returns read.
    sectors : names on the axis of sectors.
    has_liquidity : whether the trades of spreads met a known liquidity.
    """

    axes: Axes
    figures: Sequence[BarFigures]
    draws: Float[np.ndarray, "nulls signals horizons draws"]
    is_read: Bool[np.ndarray, " bars"]
    sectors: Sequence[str]
    has_liquidity: bool


def tables_of(
    measured: Measured,
    regimes: Mapping[str, Any],
    options: EvaluationOptions,
    rolling_bars: int,
) -> dict[str, pl.DataFrame]:
    """Return the tables of an evaluation by name, all but ``signal_correlation``.

    Parameters
    ----------
    measured : figures of all bars.
    regimes : name -> (T,) state of each bar.
    options : of the evaluation.
    rolling_bars : window of the trailing mean of the rank IC.
    """
    axes, figures = measured.axes, measured.figures
    stacked = {name: np.stack([getattr(f, name) for f in figures]) for name in _STACKED}
    found = Coefficients(stacked["ic"], stacked["linear"], stacked["n_pairs"])
    tables = rank_tables(axes, found, measured.draws, options)
    within = SectorBars(*(np.stack([getattr(f, n) for f in figures], axis=1) for n in _SECTORS))
    summaries = [signal_figures(found, options) for found in figures]
    return {
        **tables,
        **figure_tables(axes, summaries, options, has_liquidity=measured.has_liquidity),
        "ic_rolling": ic_rolling(tables["ic"], rolling_bars),
        "ic_by_year": ic_by_year(tables["ic"]),
        "ic_by_month": ic_by_month(tables["ic"]),
        "ic_histogram": ic_histogram(tables["ic"]),
        "ic_by_sector": ic_by_sector(axes, within, measured.sectors),
        "ic_by_regime": ic_by_regime(axes, found.ic, regimes),
        "coverage": _coverage(axes, figures),
        "uncomputed": uncomputed(_lost(measured, options)),
    }


_STACKED = ("ic", "linear", "n_pairs")
_SECTORS = ("sector_ic", "sector_pairs")


def _coverage(axes: Axes, figures: Sequence[BarFigures]) -> pl.DataFrame:
    """Return bar_close, n_assets_priced, and n_assets_with_signal_<name> of each signal."""
    counts = {
        f"n_assets_with_signal_{name}": found.n_values.astype(np.int64)
        for name, found in zip(axes.signals, figures, strict=True)
    }
    priced = pl.Series("n_assets_priced", figures[0].n_priced.astype(np.int64))
    return table({"bar_close": axes.bars}).with_columns(priced, **counts)


def _lost(measured: Measured, options: EvaluationOptions) -> list[Lost]:
    is_read, n_bars = measured.is_read, len(measured.is_read)
    named = list(zip(measured.axes.signals, measured.figures, strict=True))
    ranks = [
        Lost(
            "rank_ic",
            unranked(found.n_values, found.n_pairs[h], found.ic[h], is_read),
            int(is_read.sum()),
            "bars",
            name,
            bars,
        )
        for name, found in named
        for h, bars in enumerate(measured.axes.horizons)
    ]
    books = [
        Lost(
            "spread",
            without_book(found.n_values, found.has_book > 0, options.n_quantiles),
            n_bars,
            "bars",
            name,
        )
        for name, found in named
    ]
    return ranks + books
