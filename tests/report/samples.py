"""Study results of a believable shape, from a seed: 2,700 daily bars, 2 signals, 4 horizons."""

import math
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl

from plumbline.factors.history import ic_by_month, ic_histogram, ic_rolling
from plumbline.report.study import TABLES, DataOrigin, Provenance, StudyResults
from tests.report import risk_samples, sheet_samples

SIGNALS = ("momentum_12_1", "residual_momentum")
HORIZONS = (21, 1, 5, 63)
EDGES = {"momentum_12_1": 0.012, "residual_momentum": 0.021}

CONVENTIONS = {
    "summary": "Rank IC is the Spearman correlation of a signal at the close of bar t with the "
    "simple return from t+1 to t+h, over the members of the universe at t.",
    "t_hac": "Newey-West with the stated lag, at least three horizons.",
    "critical_5pct": "Two-sided fixed-b critical value for that lag and sample.",
    "ic_rolling": "Mean of the rank IC of the last 252 bars; the first value needs all of them.",
    "decay": "Mean plus and minus the fixed-b critical value times the HAC standard error.",
    "quantiles": "Equal counts by rank; demeaned by the cross-sectional mean of each bar.",
    "spread": "Top minus bottom quantile, equal weights, rebalanced every 21 bars; cumulative "
    "returns are sums of simple returns.",
    "spread_summary": "252 bars a year; ddof 1; no risk-free rate; costs of 5 bps a side.",
    "factor_fit": "Rolling regression on market and sector, 252 bars, intercept.",
    "coverage": "An asset counts if its close, or its signal, is finite at the bar.",
    "universe": "All assets with a price at the bar; no point-in-time membership is known.",
    "returns": "Simple, decimal, close to close.",
    **sheet_samples.CONVENTIONS,
    **risk_samples.CONVENTIONS,
}


def closes(n_bars: int) -> list[datetime]:
    """Return closes of weekdays from January 2007, 21:00 UTC."""
    first = datetime(2007, 1, 3, 21, tzinfo=UTC)
    days = (first + timedelta(days=i) for i in range(n_bars * 2))
    return [day for day in days if day.weekday() < 5][:n_bars]


def provenance() -> Provenance:
    """Return a provenance with every field filled."""
    return Provenance(
        run_id="20171113T070312-4f9a",
        started="2017-11-13T07:03:12Z",
        finished="2017-11-13T07:04:01Z",
        owner="ada",
        versions={
            "plumbline": "0.1.0",
            "python": "3.12.7",
            "numpy": "2.1.3",
            "numba": "0.61.0",
            "polars": "1.20.0",
        },
        machine="x86_64, 2 cores, Linux 6.1",
        recipe_digest="9c1f" * 16,
        data=(
            DataOrigin(
                name="stocks",
                dataset="us_equity_daily",
                version=3,
                dataset_id="71be" * 16,
                n_rows=309_412,
                span="2007-01-03 to 2017-11-10",
                cleaning={"changed": 9, "dropped": 12, "noted": 4_318},
            ),
            DataOrigin(
                name="funds",
                dataset="us_etfs",
                version=1,
                dataset_id="5ac0" * 16,
                n_rows=8_211,
                span="2006-12-29 to 2017-11-10",
                cleaning={"changed": 0, "dropped": 0, "noted": 2},
            ),
        ),
        blocks={"cached": 9, "computed": 4},
        codes={"factor_model": ("e03a" * 16,), "signal:momentum_12_1": ("11fe" * 16, "77aa" * 16)},
        kept=(),
        table_digests={name: f"{i:02x}" * 32 for i, name in enumerate(TABLES)},
    )


@cache
def study(n_bars: int = 2700, seed: int = 1) -> StudyResults:
    """Return a study; ``n_bars`` below 300 leaves no trailing mean."""
    rng = np.random.default_rng(seed)
    bars = closes(n_bars)
    ic = {
        (name, h): EDGES[name] * h**0.15 + 0.14 * rng.standard_normal(n_bars)
        for name in SIGNALS
        for h in HORIZONS
    }
    pearson = {key: 0.8 * x + 0.08 * rng.standard_normal(n_bars) for key, x in ic.items()}
    by_bar = _by_bar(bars, ic, "rank_ic").with_columns(
        _by_bar(bars, pearson, "pearson_ic")["pearson_ic"]
    )
    tables = {
        "summary": _summary(ic),
        "ic": by_bar,
        "ic_rolling": _rolling(by_bar),
        "pearson": _summary(pearson).drop("mean_n_assets", "hit_rate"),
        "ic_by_month": ic_by_month(by_bar),
        "ic_histogram": ic_histogram(by_bar),
        **sheet_samples.tables(ic, bars, rng),
        **risk_samples.tables(bars, seed),
        "ic_by_year": _by_year(bars, ic),
        "decay": _decay(ic),
        "quantiles": _quantiles(rng, n_bars),
        **_spread(rng, bars),
        "factor_fit": _factor_fit(rng, bars),
        "coverage": _coverage(bars),
        "uncomputed": pl.DataFrame(
            {
                "part": ["factor_model", "rank_ic", "rank_ic"],
                "signal": [None, "momentum_12_1", "momentum_12_1"],
                "horizon_bars": [None, 21, 21],
                "reason": ["rank_deficient", "no_signal", "never_seen"],
                "n": [41, 252, 0],
                "of": [324_000, 2700, 2700],
                "unit": ["windows", "bars", "bars"],
            }
        ),
        "universe": _universe(bars),
        "quality": pl.DataFrame(
            {
                "rule": ["exact_duplicate", "gap", "ohlc_order", "outlier_tick"],
                "action": ["dropped", "marked", "masked", "masked"],
                "count": [12, 4_318, 7, 2],
            }
        ),
        "quality_examples": pl.DataFrame(
            {
                "asset": ["AAPL", "GE", "BRK.B"],
                "bar_close": bars[3:6] if n_bars >= 6 else bars[:1] * 3,
                "field": ["close", "high", "low"],
                "rule": ["outlier_tick", "ohlc_order", "ohlc_order"],
                "action": ["masked", "masked", "masked"],
                "value": [1_204.5, 36.01, float("nan")],
            }
        ),
    }
    recipe = "study: momentum\nsignals: [momentum_12_1, residual_momentum]\nhorizons: [21, 1]\n"
    title = "Momentum in large US shares"
    return StudyResults(title, recipe, tables, CONVENTIONS, provenance())


def empty_study() -> StudyResults:
    """Return a study of which nothing could be computed."""
    tables = {name: pl.DataFrame() for name in TABLES}
    return StudyResults("Nothing", "", tables, {}, provenance())


def _universe(bars: list[datetime]) -> pl.DataFrame:
    n_bars = len(bars)
    about = {"n_bars_priced": n_bars, "n_bars_member": n_bars // 2}
    inside = {"first_member": bars[0], "last_member": bars[n_bars // 2]}
    outside = {"first_excluded": bars[n_bars // 2], "last_excluded": bars[-1]}
    rows = [
        {"asset": "AAPL", "reason": "", "n_bars_excluded": 0},
        {"asset": "GONE", "reason": "short_history", "n_bars_excluded": 9} | outside,
        {"asset": "GONE", "reason": "frozen", "n_bars_excluded": 4} | outside,
    ]
    return pl.DataFrame(
        [about | inside | {"first_excluded": None, "last_excluded": None} | row for row in rows]
    )


def _by_bar(
    bars: list[datetime], ic: dict[tuple[str, int], np.ndarray], column: str
) -> pl.DataFrame:
    frames = [
        pl.DataFrame({"bar_close": bars, column: values}).with_columns(
            signal=pl.lit(name), horizon_bars=pl.lit(h, pl.Int64)
        )
        for (name, h), values in ic.items()
    ]
    return pl.concat(frames).select("bar_close", "signal", "horizon_bars", column)


def _rolling(ic: pl.DataFrame, window: int = 252) -> pl.DataFrame:
    """Return trailing means, null where a series has too few bars."""
    axes = ["bar_close", "signal", "horizon_bars"]
    means = ic_rolling(ic, window)
    return ic.select(axes).join(means, on=axes, how="left", maintain_order="left")


def _summary(ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    rows = []
    for (name, h), x in ic.items():
        inflation = 1 + 0.3 * np.sqrt(h)
        t = x.mean() / x.std(ddof=1) * np.sqrt(len(x)) / inflation
        rows.append(
            {
                "signal": name,
                "horizon_bars": h,
                "mean_ic": x.mean(),
                "sd_ic": x.std(ddof=1),
                "icir": x.mean() / x.std(ddof=1),
                "t_hac": t,
                "p_value": math.erfc(abs(t) / math.sqrt(2)),
                "critical_5pct": 1.97 + 0.002 * h,
                "lag_bars": max(12, 3 * h),
                "n_bars": len(x),
                "mean_n_assets": 117.4,
                "hit_rate": float((x > 0).mean()),
            }
        )
    return pl.DataFrame(rows)


def _by_year(bars: list[datetime], ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    years = np.array([bar.year for bar in bars])
    return pl.DataFrame(
        [
            {
                "year": int(year),
                "signal": name,
                "horizon_bars": h,
                "mean_ic": x[years == year].mean(),
                "n_bars": int((years == year).sum()),
            }
            for (name, h), x in ic.items()
            for year in np.unique(years)
        ]
    )


def _decay(ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    rows = []
    for (name, h), x in ic.items():
        half = 2.0 * x.std() / np.sqrt(len(x)) * (1 + 0.3 * np.sqrt(h))
        mean = x.mean()
        rows.append((name, h, mean, mean - half, mean + half))
    names = ["signal", "horizon_bars", "mean_ic", "lower", "upper"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _quantiles(rng: np.random.Generator, n_bars: int) -> pl.DataFrame:
    rows = []
    for name in SIGNALS:
        for h in HORIZONS:
            raw = EDGES[name] * 0.01 * h**0.7 * (np.arange(5) - 2) + 0.0002 * rng.standard_normal(5)
            demeaned = raw - raw.mean()
            rows += [
                (name, h, q + 1, demeaned[q] + 0.0004 * h, demeaned[q], n_bars * 23)
                for q in range(5)
            ]
    names = ["signal", "horizon_bars", "quantile", "mean_return", "mean_return_demeaned", "n"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _spread(rng: np.random.Generator, bars: list[datetime]) -> dict[str, pl.DataFrame]:
    n_bars = len(bars)
    frames, rows = [], []
    for name in SIGNALS:
        gross = 0.00012 + 0.006 * rng.standard_normal(n_bars)
        turnover = np.where(np.arange(n_bars) % 21 == 0, 0.35, 0.0)
        cost = 0.0005 * turnover
        net = gross - cost
        total = net.cumsum()
        drawdown = total - np.maximum.accumulate(np.maximum(total, 0.0))
        frame = pl.DataFrame(
            {
                "bar_close": bars,
                "gross_return": gross,
                "cost": cost,
                "net_return": net,
                "turnover": turnover,
                "gross_cumulative": gross.cumsum(),
                "net_cumulative": total,
                "drawdown": drawdown,
            }
        )
        frames.append(frame.insert_column(1, pl.Series("signal", [name] * n_bars)))
        sd = net.std(ddof=1) if n_bars > 1 else np.nan
        annual = net.mean() * 252
        t = net.mean() / sd * np.sqrt(n_bars)
        rows.append(
            {
                "signal": name,
                "gross_annual": gross.mean() * 252,
                "cost_annual": cost.mean() * 252,
                "net_annual": annual,
                "volatility_annual": sd * np.sqrt(252),
                "sharpe_net": annual / (sd * np.sqrt(252)),
                "t_hac": t,
                "p_value": math.erfc(abs(t) / math.sqrt(2)),
                "max_drawdown": drawdown.min(),
                "mean_turnover": turnover.mean(),
                "n_bars": n_bars,
            }
        )
    return {"spread": pl.concat(frames), "spread_summary": pl.DataFrame(rows)}


def _factor_fit(rng: np.random.Generator, bars: list[datetime]) -> pl.DataFrame:
    n_bars = len(bars)
    warm = np.arange(n_bars) >= 252
    smooth = 0.01 * rng.standard_normal((n_bars, 3)).cumsum(axis=0)
    return pl.DataFrame(
        {
            "bar_close": bars,
            "mean_r2": np.where(warm, 0.38 + 0.1 * np.tanh(smooth[:, 0]), np.nan),
            "mean_n_obs": np.where(warm, 249.6, np.nan),
            "n_assets": np.where(warm, 110 + np.arange(n_bars) * 8 // n_bars, 0),
            "mean_beta_market": np.where(warm, 1 + 0.08 * np.tanh(smooth[:, 1]), np.nan),
            "mean_beta_sector": np.where(warm, 0.3 + 0.2 * np.tanh(smooth[:, 2]), np.nan),
        }
    )


def _coverage(bars: list[datetime]) -> pl.DataFrame:
    index = np.arange(len(bars))
    priced = 112 + index * 8 // len(bars)
    return pl.DataFrame(
        {
            "bar_close": bars,
            "n_assets_priced": priced,
            "n_assets_with_signal_momentum_12_1": np.where(index < 252, 0, priced - 2),
            "n_assets_with_signal_residual_momentum": np.where(index < 504, 0, priced - 5),
        }
    )
