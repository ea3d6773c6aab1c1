"""Tables of a tear sheet of a believable shape, in the columns that evaluations give them."""

import math
from datetime import datetime

import numpy as np
import polars as pl

SECTORS = ("Communication Services", "Energy", "Financials", "Health Care", "Utilities")
REGIMES = {"volatility": ("calm", "turbulent"), "market trend": ("down", "up")}
NULLS = ("random_ranks", "permuted_assets", "block_shuffled")

CONVENTIONS = {
    "pearson_ic": "Pearson correlation of the values of a signal with the forward return.",
    "pearson": "Means and tests of the Pearson IC as of the rank IC.",
    "bootstrap": "Stationary block bootstrap of the mean rank IC, percentiles of 2,000 draws.",
    "null_suite": "Distribution of the mean rank IC under each null, 200 draws, seed 7.",
    "mean_turnover": "Share of a group's members that were not in it the horizon before.",
    "rank_autocorrelation": "Spearman correlation of a bar's ranks with those before it.",
    "ic_by_sector": "Rank IC among the assets of a sector.",
    "ic_by_regime": "Rank IC of the bars in a state that is known at the close.",
    "capacity": "Square-root impact of the share of traded value, coefficient 1.",
    "breaks": "CUSUM of the rank IC over its HAC long-run deviation.",
}


def tables(
    ic: dict[tuple[str, int], np.ndarray], bars: list[datetime], rng: np.random.Generator
) -> dict[str, pl.DataFrame]:
    """Return the tables that depend on nothing but the rank IC, its bars and chance."""
    return {
        "bootstrap": _bootstrap(ic),
        "null_suite": _nulls(ic, rng),
        "breaks": _breaks(ic, bars),
        "quantile_history": _quantile_history(ic, bars, rng),
        "turnover": _turnover(ic, rng),
        "rank_autocorrelation": pl.DataFrame(
            [(name, h, math.exp(-h / 90), len(x) - h) for (name, h), x in ic.items()],
            schema=["signal", "horizon_bars", "mean_autocorrelation", "n_bars"],
            orient="row",
        ),
        "ic_by_sector": _conditioned(ic, rng, "sector", {None: SECTORS}),
        "ic_by_regime": _conditioned(ic, rng, "state", REGIMES),
        "capacity": _capacity(ic),
        "signal_correlation": _correlation(ic),
    }


def _bootstrap(ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    rows = []
    for (name, h), x in ic.items():
        half = 2.1 * x.std() / math.sqrt(len(x)) * (1 + 0.3 * math.sqrt(h))
        rows.append((name, h, x.mean() - half, x.mean() + half, 0.95, 10.0 + h, 2000, 7))
    names = ["signal", "horizon_bars", "lower", "upper", "level", "block_bars", "n_resamples"]
    return pl.DataFrame(rows, schema=[*names, "seed"], orient="row")


def _nulls(ic: dict[tuple[str, int], np.ndarray], rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for (name, h), x in ic.items():
        for null in NULLS:
            sd = 0.09 / math.sqrt(len(x)) * (1 + 0.3 * math.sqrt(h))
            far = math.erfc(abs(x.mean()) / sd / math.sqrt(2))
            p = (1 + round(200 * far)) / 201
            rows.append((name, h, null, 0.1 * sd * rng.standard_normal(), sd, p, 200, 7))
    names = ["signal", "horizon_bars", "null", "mean", "sd", "p_value", "n_draws", "seed"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _breaks(ic: dict[tuple[str, int], np.ndarray], bars: list[datetime]) -> pl.DataFrame:
    rows = []
    for (name, h), x in ic.items():
        t = int(np.abs(np.cumsum(x - x.mean())).argmax())
        after = x[t + 1 :].mean() if t + 1 < len(x) else None
        rows.append((name, h, 1.02, 0.249, bars[t], x[: t + 1].mean(), after, len(x)))
    names = ["signal", "horizon_bars", "statistic", "p_value", "bar_close", "mean_before"]
    frame = pl.DataFrame(rows, schema=[*names, "mean_after", "n_bars"], orient="row")
    return frame.with_columns(pl.col("bar_close").cast(pl.Datetime("us", "UTC")))


def _quantile_history(
    ic: dict[tuple[str, int], np.ndarray], bars: list[datetime], rng: np.random.Generator
) -> pl.DataFrame:
    frames = []
    for name in dict.fromkeys(name for name, _ in ic):
        for q in range(5):
            steps = 0.00004 * (q - 2) + 0.002 * rng.standard_normal(len(bars))
            columns = {"bar_close": bars, "signal": name, "quantile": q + 1}
            frames.append(pl.DataFrame({**columns, "cumulative_return": steps.cumsum()}))
    return pl.concat(frames)


def _turnover(ic: dict[tuple[str, int], np.ndarray], rng: np.random.Generator) -> pl.DataFrame:
    rows = [
        (name, h, q + 1, (1 - math.exp(-h / 60)) * (0.7 + 0.1 * rng.random()), len(x) - h)
        for (name, h), x in ic.items()
        for q in range(5)
    ]
    names = ["signal", "horizon_bars", "quantile", "mean_turnover", "n_bars"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _conditioned(
    ic: dict[tuple[str, int], np.ndarray],
    rng: np.random.Generator,
    column: str,
    groups: dict[str | None, tuple[str, ...]],
) -> pl.DataFrame:
    rows = []
    for group, labels in groups.items():
        for label in labels:
            for (name, h), x in ic.items():
                mean = x.mean() + 0.02 * rng.standard_normal()
                t = mean / x.std() * math.sqrt(len(x)) / 4 if len(x) > 1 else None
                row = {"regime": group} if group else {}
                row |= {column: label, "signal": name, "horizon_bars": h, "mean_ic": mean}
                p = None if t is None else math.erfc(abs(t) / math.sqrt(2))
                row |= {"t_hac": t, "p_value": p, "n_bars": len(x) // len(labels)}
                rows.append(row if group else row | {"mean_n_assets": 23.4})
    return pl.DataFrame(rows)


def _capacity(ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    rows = []
    for i, name in enumerate(dict.fromkeys(name for name, _ in ic)):
        gross, cost = 0.051 + 0.02 * i, 0.008
        for capital in (1e6, 3e6, 1e7, 3e7, 1e8, 3e8, 1e9, 3e9, 1e10):
            impact = 0.0006 * math.sqrt(capital / 1e6)
            share = capital / 2e10
            rows.append((name, capital, gross, cost, impact, gross - cost - impact, share))
    names = ["signal", "capital_usd", "gross_annual", "cost_annual", "impact_annual"]
    return pl.DataFrame(rows, schema=[*names, "net_annual", "participation"], orient="row")


def _correlation(ic: dict[tuple[str, int], np.ndarray]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for name, _ in ic))
    rows = [(a, b, 1.0 if a == b else 0.62) for a in names for b in names]
    return pl.DataFrame(rows, schema=["signal", "other", "mean_rank_correlation"], orient="row")
