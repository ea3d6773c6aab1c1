"""Evaluations through time: information coefficients by bar, month and year, running returns."""

import math
from typing import Final

import numpy as np
import polars as pl

from plumbline.core.panel import Panel

_SERIES = ("signal", "horizon_bars")
_WIDTHS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_MOST_BINS: Final = 30
_HISTOGRAM: Final = {
    "signal": pl.String(),
    "horizon_bars": pl.Int64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "n": pl.Int64(),
}


def ic_rolling(ic: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the trailing mean of the rank IC over the last ``window`` bars that have one.

    Parameters
    ----------
    ic : bar_close, signal, horizon_bars, rank_ic, in order of time in each series; pearson_ic may
        be there.
    window : bars; a series' first ``window - 1`` rows are left out.

    Returns
    -------
    bar_close, signal, horizon_bars, mean_ic; with pearson_ic also mean_pearson_ic, over the same
    bars, null where one of them has no pearson_ic.
    """
    given = {"mean_ic": "rank_ic", "mean_pearson_ic": "pearson_ic"}
    columns = {name: column for name, column in given.items() if column in ic.columns}
    means = {
        name: pl.col(column).rolling_mean(window, min_samples=window).over(_SERIES)
        for name, column in columns.items()
    }
    table = ic.with_columns(**means).drop_nulls("mean_ic")
    return table.select("bar_close", *_SERIES, *columns)


def ic_by_year(ic: pl.DataFrame) -> pl.DataFrame:
    """Return the mean rank IC of each calendar year (UTC).

    Parameters
    ----------
    ic : bar_close, signal, horizon_bars, rank_ic.

    Returns
    -------
    year, signal, horizon_bars, mean_ic, n_bars; sorted by series, then year.
    """
    grouped = ic.group_by(pl.col("bar_close").dt.year().alias("year"), *_SERIES).agg(
        pl.col("rank_ic").mean().alias("mean_ic"), pl.len().cast(pl.Int64).alias("n_bars")
    )
    return grouped.sort(*_SERIES, "year")


def ic_by_month(ic: pl.DataFrame) -> pl.DataFrame:
    """Return the mean rank IC of each calendar month (UTC).

    Parameters
    ----------
    ic : bar_close, signal, horizon_bars, rank_ic.

    Returns
    -------
    year, month (1 to 12), signal, horizon_bars, mean_ic, n_bars (that have a rank IC); sorted by
    series, then month. A month without bars has no row.
    """
    close = pl.col("bar_close").dt
    by = (close.year().alias("year"), close.month().cast(pl.Int64).alias("month"), *_SERIES)
    grouped = ic.group_by(*by).agg(
        pl.col("rank_ic").mean().alias("mean_ic"),
        pl.col("rank_ic").count().cast(pl.Int64).alias("n_bars"),
    )
    return grouped.sort(*_SERIES, "year", "month")


def ic_histogram(ic: pl.DataFrame) -> pl.DataFrame:
    """Return how many bars have a rank IC in each of about 20 to 30 equal bins of a series.

    A bin holds ``lower <= rank_ic < upper``. The width of a series is the least of 0.001, 0.002,
    0.005, … 0.1 that needs at most 30 bins, and its edges are multiples of it, so that zero is an
    edge. Bins between the lowest and the highest that are filled are there, empty ones too.

    Parameters
    ----------
    ic : bar_close, signal, horizon_bars, rank_ic; null and NaN ones are not counted.

    Returns
    -------
    signal, horizon_bars, lower, upper, n; sorted by series, then bin.
    """
    columns: dict[str, list[object]] = {name: [] for name in _HISTOGRAM}
    present = ic.filter(pl.col("rank_ic").is_finite()).sort(*_SERIES)
    for (signal, horizon), rows in present.group_by(*_SERIES, maintain_order=True):
        lower, upper, counts = _bins(rows["rank_ic"].to_numpy())
        columns["signal"] += [signal] * len(counts)
        columns["horizon_bars"] += [horizon] * len(counts)
        columns["lower"] += lower.tolist()
        columns["upper"] += upper.tolist()
        columns["n"] += counts.tolist()
    return pl.DataFrame(columns, schema=_HISTOGRAM)


def _bins(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lower and upper edges and counts, from the first bin that is filled to the last."""
    low, high = float(values.min()), float(values.max())
    width = next((w for w in _WIDTHS if (high - low) / w <= _MOST_BINS - 1), _WIDTHS[-1])
    edges = np.arange(math.floor(low / width) - 1, math.ceil(high / width) + 2) * width
    index = np.searchsorted(edges, values, side="right") - 1
    first, last = int(index.min()), int(index.max())
    counts = np.bincount(index - first)
    return edges[first : last + 1], edges[first + 1 : last + 2], counts


def spread_history(spread: pl.DataFrame) -> pl.DataFrame:
    """Return a spread with its running sums and its drawdown.

    Parameters
    ----------
    spread : bar_close, signal, gross_return, cost, net_return, turnover; decimal per bar.

    Returns
    -------
    The table with gross_cumulative and net_cumulative, sums without compounding, and drawdown, the
    running net sum less its highest value so far (zero at the start included), at most 0.
    """
    net = pl.col("net_return").cum_sum().over("signal")
    gross = pl.col("gross_return").cum_sum().over("signal")
    table = spread.with_columns(net_cumulative=net, gross_cumulative=gross)
    peak = pl.col("net_cumulative").cum_max().over("signal").clip(lower_bound=0.0)
    return table.with_columns(drawdown=pl.col("net_cumulative") - peak)


def factor_fit(model: Panel) -> pl.DataFrame:
    """Return means over the assets of each bar that have a fit.

    Parameters
    ----------
    model : fields r2, n_obs and beta_<factor> of a factor model.

    Returns
    -------
    bar_close, n_assets (with a fit), mean_r2, mean_n_obs, mean_beta_<factor>; null where no asset
    has a fit.
    """
    has_fit = np.isfinite(model["r2"])
    n_assets = has_fit.sum(axis=1)
    columns = {}
    for name in ("r2", "n_obs", *sorted(f for f in model if f.startswith("beta_"))):
        total = np.where(has_fit, model[name], 0.0).sum(axis=1)
        mean = np.divide(total, n_assets, out=np.full(len(total), np.nan), where=n_assets > 0)
        columns[f"mean_{name}"] = pl.Series(mean).fill_nan(None)
    bars = pl.Series(model.bars).dt.replace_time_zone("UTC")
    return pl.DataFrame({"bar_close": bars, "n_assets": n_assets, **columns})
