"""The evaluation of signals: whether they rank what follows, and what that is worth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.conventions import conventions
from plumbline.factors.forward_returns import forward_returns
from plumbline.factors.options import EvaluationOptions
from plumbline.factors.quantiles import quantile_buckets, quantile_returns
from plumbline.factors.spread import (
    SpreadReturns,
    SpreadSummary,
    marked_changes,
    spread_returns,
    spread_summary,
)
from plumbline.factors.uncomputed import Lost, uncomputed, unranked, without_book
from plumbline.features.returns import positive_prices
from plumbline.inference.hac import HacMean, hac_mean
from plumbline.kernels.order_statistics import rank_ic


@final
@dataclass(frozen=True, eq=False)
class Evaluation:
    """Tables of an evaluation; a figure that does not exist is null, never NaN.

    Parameters
    ----------
    summary : a line per signal and horizon: signal, horizon_bars, mean_ic, sd_ic, icir, t_hac,
        p_value, critical_5pct, lag_bars, n_bars, mean_n_assets, hit_rate.
    ic : bar_close, signal, horizon_bars, rank_ic; bars without a rank IC are left out.
    decay : signal, horizon_bars, mean_ic, lower, upper.
    quantiles : signal, horizon_bars, quantile, mean_return, mean_return_demeaned, n.
    spread : bar_close, signal, gross_return, cost, net_return, turnover.
    spread_summary : a line per signal: gross_annual, cost_annual, net_annual, volatility_annual,
        sharpe_net, t_hac, p_value, max_drawdown, mean_turnover, n_bars.
    uncomputed : part (rank_ic, spread), signal, horizon_bars, reason, n, of, unit: how many bars
        have no rank IC, or form no spread, and why.
    conventions : column -> how it was computed, one sentence each.
    """

    summary: pl.DataFrame
    ic: pl.DataFrame
    decay: pl.DataFrame
    quantiles: pl.DataFrame
    spread: pl.DataFrame
    spread_summary: pl.DataFrame
    uncomputed: pl.DataFrame
    conventions: dict[str, str]


def evaluate(
    signals: Mapping[str, Float[np.ndarray, "bars assets"]],
    close: Panel,
    *,
    options: EvaluationOptions | None = None,
) -> Evaluation:
    """Evaluate signals against the returns that follow them.

    Parameters
    ----------
    signals : name -> (T, A) values known at the close of each bar; NaN and infinite ones are
        missing. A value on a bar where the asset has no close is not used: it cannot be traded.
    close : holds ``close``; its axes are those of the signals.
    options : horizons, quantiles and costs; default :class:`EvaluationOptions`.

    Returns
    -------
    The tables of :class:`Evaluation`, signals in the order given. O(S·T·A log A + S·H·T·A).

    Raises
    ------
    MissingDataError
        If the panel lacks ``close``.
    ParameterError
        If there is no signal or shapes differ from the panel's; every problem is named.

    References
    ----------
    Grinold and Kahn, "Active Portfolio Management", 2nd ed., McGraw-Hill 2000 (information
    coefficient). Jegadeesh and Titman (1993), Journal of Finance 48, 65-91 (overlapping books).
    """
    chosen = options or EvaluationOptions()
    _check(signals, close)
    names = list(signals)
    price = positive_prices(close["close"])
    values = np.stack([np.asarray(signals[name], dtype=np.float64) for name in names])
    values[~(np.isfinite(values) & np.isfinite(price))] = np.nan
    forwards = forward_returns(price, chosen.horizons)

    buckets = [quantile_buckets(value, chosen.n_quantiles) for value in values]
    changes = marked_changes(price)
    spreads = [spread_returns(bucket, changes, chosen) for bucket in buckets]
    lost = [
        Lost("spread", without_book(v, b, chosen.n_quantiles), len(v), "bars", name)
        for name, v, b in zip(names, values, buckets, strict=True)
    ]
    is_read = (close.first_bar + np.arange(close.n_bars)) % chosen.every_bars == 0
    values[:, ~is_read] = np.nan
    read_buckets = [np.where(is_read[:, None], bucket, 0).astype(np.int8) for bucket in buckets]

    ic = rank_ic(values, forwards)
    tests = [hac_mean(ic[:, h].T, horizon=bars) for h, bars in enumerate(chosen.horizons)]
    grouped = [quantile_returns(bucket, forwards, chosen.n_quantiles) for bucket in read_buckets]
    axes = _Axes(names, chosen.horizons, close.bars)
    return Evaluation(
        summary=_summary_table(axes, ic, tests, _n_assets(values, forwards)),
        ic=_ic_table(axes, ic),
        decay=_decay_table(axes, tests),
        quantiles=_quantile_table(axes, grouped),
        spread=_spread_table(axes, spreads),
        spread_summary=_spread_summary_table(
            axes, [spread_summary(s, chosen.periods_per_year) for s in spreads]
        ),
        uncomputed=uncomputed([*_unranked(axes, values, forwards, ic, is_read), *lost]),
        conventions=conventions(chosen),
    )


@final
@dataclass(frozen=True)
class _Axes:
    signals: Sequence[str]
    horizons: Sequence[int]
    bars: np.ndarray

    def repeat(self, inner: int = 1) -> dict[str, Any]:
        """Return the columns signal and horizon_bars, signals outermost."""
        n_horizons = len(self.horizons)
        return {
            "signal": np.repeat(np.array(self.signals, dtype=object), n_horizons * inner),
            "horizon_bars": np.tile(np.repeat(self.horizons, inner), len(self.signals)),
        }


def _check(signals: Mapping[str, Float[np.ndarray, "..."]], close: Panel) -> None:
    problems = [] if signals else ["no signal to evaluate"]
    problems += [
        f"signal {name!r} has shape {np.shape(value)}, expected {close.shape}"
        for name, value in signals.items()
        if np.shape(value) != close.shape
    ]
    if problems:
        raise ParameterError("; ".join(problems))


def _n_assets(
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


def _unranked(
    axes: _Axes,
    values: Float[np.ndarray, "signals bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
    ic: Float[np.ndarray, "signals horizons bars"],
    is_read: Bool[np.ndarray, " bars"],
) -> list[Lost]:
    return [
        Lost(
            "rank_ic",
            unranked(values[s], forwards[h], ic[s, h], is_read),
            int(is_read.sum()),
            "bars",
            name,
            bars,
        )
        for s, name in enumerate(axes.signals)
        for h, bars in enumerate(axes.horizons)
    ]


def _summary_table(
    axes: _Axes,
    ic: Float[np.ndarray, "signals horizons bars"],
    tests: Sequence[HacMean],
    n_assets: Float[np.ndarray, "signals horizons bars"],
) -> pl.DataFrame:
    has_ic = np.isfinite(ic)
    n_bars = has_ic.sum(axis=2)
    mean = _gather(tests, "mean")
    squares = np.where(has_ic, (ic - mean[:, :, None]) ** 2, 0.0).sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(np.where(n_bars > 1, squares / (n_bars - 1), np.nan))
        # coefficients that are all alike have a deviation of rounding, and no t
        icir = np.where(np.isnan(_gather(tests, "t")), np.nan, mean / sd)
        hit_rate = (ic > 0).sum(axis=2) / n_bars
        mean_n_assets = np.where(has_ic, n_assets, 0.0).sum(axis=2) / n_bars
    columns = {
        "mean_ic": mean,
        "sd_ic": sd,
        "icir": icir,
        "t_hac": _gather(tests, "t"),
        "p_value": _gather(tests, "p_value"),
        "critical_5pct": _gather(tests, "critical_5pct"),
        "lag_bars": _gather(tests, "lag"),
        "n_bars": n_bars,
        "mean_n_assets": mean_n_assets,
        "hit_rate": hit_rate,
    }
    return _table(axes.repeat() | {name: value.ravel() for name, value in columns.items()})


def _ic_table(axes: _Axes, ic: Float[np.ndarray, "signals horizons bars"]) -> pl.DataFrame:
    n_series, n_bars = ic.shape[0] * ic.shape[1], ic.shape[2]
    bars = {"bar_close": np.tile(axes.bars, n_series)}
    table = _table(bars | axes.repeat(n_bars) | {"rank_ic": ic.ravel()})
    return table.drop_nulls("rank_ic")


def _decay_table(axes: _Axes, tests: Sequence[HacMean]) -> pl.DataFrame:
    columns = {"mean_ic": "mean", "lower": "lower", "upper": "upper"}
    return _table(
        axes.repeat() | {name: _gather(tests, field).ravel() for name, field in columns.items()}
    )


def _quantile_table(axes: _Axes, grouped: Sequence[Any]) -> pl.DataFrame:
    mean, demeaned, n = (np.stack([g[i] for g in grouped]) for i in range(3))
    n_quantiles = mean.shape[2]
    quantile = np.tile(np.arange(1, n_quantiles + 1), mean.shape[0] * mean.shape[1])
    figures = {
        "quantile": quantile,
        "mean_return": mean.ravel(),
        "mean_return_demeaned": demeaned.ravel(),
        "n": n.ravel(),
    }
    return _table(axes.repeat(n_quantiles) | figures)


def _spread_table(axes: _Axes, spreads: Sequence[SpreadReturns]) -> pl.DataFrame:
    lengths = [len(s.net) for s in spreads]
    return _table(
        {
            "bar_close": np.concatenate([axes.bars[s.row : s.row + len(s.net)] for s in spreads]),
            "signal": np.repeat(np.array(axes.signals, dtype=object), lengths),
            "gross_return": np.concatenate([s.gross for s in spreads]),
            "cost": np.concatenate([s.cost for s in spreads]),
            "net_return": np.concatenate([s.net for s in spreads]),
            "turnover": np.concatenate([s.turnover for s in spreads]),
        }
    )


def _spread_summary_table(axes: _Axes, summaries: Sequence[SpreadSummary]) -> pl.DataFrame:
    figures = {
        name: np.array([getattr(summary, name) for summary in summaries])
        for name in SpreadSummary._fields
    }
    return _table({"signal": np.array(axes.signals, dtype=object)} | figures)


def _gather(tests: Iterable[HacMean], field: str) -> np.ndarray:
    """Return a field of the tests of each horizon as (signals, horizons)."""
    return np.stack([getattr(test, field) for test in tests], axis=1)


_TYPES = {
    "bar_close": pl.Datetime("us", "UTC"),
    "signal": pl.String(),
    "horizon_bars": pl.Int64(),
    "quantile": pl.Int64(),
    "lag_bars": pl.Int64(),
    "n_bars": pl.Int64(),
    "n": pl.Int64(),
}


def _table(columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame with the declared types, NaN as null."""
    series = [_series(name, values) for name, values in columns.items()]
    return pl.DataFrame(series)


def _series(name: str, values: np.ndarray) -> pl.Series:
    kind = _TYPES.get(name, pl.Float64())
    if name == "bar_close":
        return pl.Series(name, values.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    if name == "signal":
        return pl.Series(name, list(values), dtype=kind)
    series = pl.Series(name, np.ascontiguousarray(values)).cast(kind)
    return series.fill_nan(None) if kind == pl.Float64() else series
