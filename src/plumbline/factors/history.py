"""Evaluations through time: trailing and yearly information coefficients, running returns."""

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.panel import Panel

_SERIES = ("signal", "horizon_bars")


def ic_rolling(ic: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the trailing mean of the rank IC over the last ``window`` bars that have one.

    Parameters
    ----------
    ic : bar_close, signal, horizon_bars, rank_ic, in order of time in each series.
    window : bars; a series' first ``window - 1`` rows are left out.

    Returns
    -------
    bar_close, signal, horizon_bars, mean_ic.
    """
    mean = pl.col("rank_ic").rolling_mean(window, min_samples=window).over(_SERIES)
    table = ic.with_columns(mean.alias("mean_ic")).drop_nulls("mean_ic")
    return table.select("bar_close", *_SERIES, "mean_ic")


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


def coverage(name: str, signal: Float[np.ndarray, "bars assets"], prices: Panel) -> pl.DataFrame:
    """Return how many assets have a price, and a signal beside it, on each bar.

    Returns
    -------
    bar_close, n_assets_priced, n_assets_with_signal_<name>.
    """
    is_priced = np.isfinite(prices["close"])
    return pl.DataFrame(
        {
            "bar_close": pl.Series(prices.bars).dt.replace_time_zone("UTC"),
            "n_assets_priced": is_priced.sum(axis=1),
            f"n_assets_with_signal_{name}": (is_priced & np.isfinite(signal)).sum(axis=1),
        }
    )


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
