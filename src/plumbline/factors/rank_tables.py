"""Tables of information coefficients: by bar, their means, how sure these are, where they break."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.factors.null_suite import null_table
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.tables import Axes, by_horizon, empty_table, table
from plumbline.inference.bootstrap import bootstrap_mean
from plumbline.inference.breaks import mean_break
from plumbline.inference.hac import HacMean, hac_mean

_BOOTSTRAP = (
    *("signal", "horizon_bars", "lower", "upper", "level", "block_bars", "n_resamples", "seed"),
)
_TEST = {
    "t_hac": "t",
    "p_value": "p_value",
    "critical_5pct": "critical_5pct",
    "lag_bars": "lag",
    "n_bars": "n_obs",
}


class Coefficients(NamedTuple):
    """Information coefficients of all signals on all bars.

    Parameters
    ----------
    ic, linear : (S, H, T) rank ICs and linear ICs; NaN where there is none.
    n_pairs : (S, H, T) assets with both a signal and a return.
    """

    ic: Float[np.ndarray, "signals horizons bars"]
    linear: Float[np.ndarray, "signals horizons bars"]
    n_pairs: Float[np.ndarray, "signals horizons bars"]


def rank_tables(
    axes: Axes,
    found: Coefficients,
    draws: Float[np.ndarray, "nulls signals horizons draws"],
    options: EvaluationOptions,
) -> dict[str, pl.DataFrame]:
    """Return every table of information coefficients over all assets and bars, by name.

    Parameters
    ----------
    draws : of :func:`plumbline.factors.null_suite.null_draws`, D = 0 for none.
    """
    ic, linear, n_pairs = found
    tests = [hac_mean(ic[:, h].T, horizon=bars) for h, bars in enumerate(axes.horizons)]
    linear_tests = [hac_mean(linear[:, h].T, horizon=bars) for h, bars in enumerate(axes.horizons)]
    mean = by_horizon(tests, "mean").reshape(ic.shape[:2])
    return {
        "summary": summary_table(axes, ic, tests, n_pairs),
        "ic": ic_table(axes, ic, linear),
        "decay": decay_table(axes, tests),
        "pearson": mean_table(axes, linear, linear_tests),
        "bootstrap": bootstrap_table(axes, ic, options),
        "null_suite": null_table(axes, mean, draws, options.seed),
        "breaks": break_table(axes, ic),
    }


def ic_table(
    axes: Axes,
    ranked: Float[np.ndarray, "signals horizons bars"],
    linear: Float[np.ndarray, "signals horizons bars"],
) -> pl.DataFrame:
    """Return bar_close, signal, horizon_bars, rank_ic, pearson_ic where there is a rank IC."""
    n_series, n_bars = ranked.shape[0] * ranked.shape[1], ranked.shape[2]
    bars = {"bar_close": np.tile(axes.bars, n_series)}
    values = {"rank_ic": ranked.ravel(), "pearson_ic": linear.ravel()}
    return table(bars | axes.repeat(n_bars) | values).drop_nulls("rank_ic")


def summary_table(
    axes: Axes,
    ic: Float[np.ndarray, "signals horizons bars"],
    tests: Sequence[HacMean],
    n_assets: Float[np.ndarray, "signals horizons bars"],
) -> pl.DataFrame:
    """Return a line per signal and horizon of the rank IC; see :class:`Evaluation`."""
    has_ic = np.isfinite(ic)
    n_bars = has_ic.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit_rate = (ic > 0).sum(axis=2) / n_bars
        mean_n_assets = np.where(has_ic, n_assets, 0.0).sum(axis=2) / n_bars
    more = {"mean_n_assets": mean_n_assets.ravel(), "hit_rate": hit_rate.ravel()}
    return mean_table(axes, ic, tests).with_columns(table(more))


def mean_table(
    axes: Axes, ic: Float[np.ndarray, "signals horizons bars"], tests: Sequence[HacMean]
) -> pl.DataFrame:
    """Return signal, horizon_bars, mean_ic, sd_ic, icir and the HAC test of the mean."""
    has_ic = np.isfinite(ic)
    n_bars = has_ic.sum(axis=2)
    mean = by_horizon(tests, "mean").reshape(n_bars.shape)
    squares = np.where(has_ic, (ic - mean[:, :, None]) ** 2, 0.0).sum(axis=2)
    test = {name: by_horizon(tests, field) for name, field in _TEST.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(np.where(n_bars > 1, squares / (n_bars - 1), np.nan)).ravel()
        # coefficients that are all alike have a deviation of rounding, and no t
        icir = np.where(np.isnan(test["t_hac"]), np.nan, mean.ravel() / sd)
    columns = {"mean_ic": mean.ravel(), "sd_ic": sd, "icir": icir, **test}
    return table(axes.repeat() | columns)


def decay_table(axes: Axes, tests: Sequence[HacMean]) -> pl.DataFrame:
    """Return signal, horizon_bars, mean_ic, lower, upper."""
    columns = {"mean_ic": "mean", "lower": "lower", "upper": "upper"}
    return table(axes.repeat() | {name: by_horizon(tests, f) for name, f in columns.items()})


def bootstrap_table(
    axes: Axes, ic: Float[np.ndarray, "signals horizons bars"], options: EvaluationOptions
) -> pl.DataFrame:
    """Return signal, horizon_bars, lower, upper, level, block_bars, n_resamples, seed."""
    if not options.n_resamples:
        return empty_table(_BOOTSTRAP)
    series = ic.reshape(ic.shape[0] * ic.shape[1], ic.shape[2]).T
    found = bootstrap_mean(series, n_resamples=options.n_resamples, seed=options.seed)
    alike = ("level", "n_resamples", "seed")
    each = {name: getattr(found, name) for name in ("lower", "upper", "block_bars")}
    each |= {name: np.full(series.shape[1], getattr(found, name)) for name in alike}
    return table(axes.repeat() | each).select(_BOOTSTRAP)


def break_table(axes: Axes, ic: Float[np.ndarray, "signals horizons bars"]) -> pl.DataFrame:
    """Return signal, horizon_bars, statistic, p_value, bar_close, mean_before, mean_after, n_bars.

    ``bar_close`` is the last bar before the break.
    """
    found = [mean_break(ic[:, h].T, horizon=bars) for h, bars in enumerate(axes.horizons)]
    row = by_horizon(found, "row")
    known = np.append(axes.bars.astype("datetime64[us]"), np.datetime64("NaT"))  # row -1: no break
    return table(
        {
            **axes.repeat(),
            "statistic": by_horizon(found, "statistic"),
            "p_value": by_horizon(found, "p_value"),
            "bar_close": known[row],
            "mean_before": by_horizon(found, "mean_before"),
            "mean_after": by_horizon(found, "mean_after"),
            "n_bars": by_horizon(found, "n_obs"),
        }
    )
