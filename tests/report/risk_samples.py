"""Tables of exposures, risk and regimes of a believable shape."""

from datetime import datetime

import numpy as np
import polars as pl

from tests.report.sheet_samples import REGIMES

FACTORS = ("market", "sector")

CONVENTIONS = {
    "exposures": "Rolling betas of each asset at the last bar.",
    "portfolio_exposures": "Equal weights of the assets with a return on the last bar.",
    "stderr": "Classical least squares over 252 bars.",
    "risk": "Euler contributions to a volatility of 252 bars a year.",
    "regimes": "State of the highest filtered probability.",
    "regime_summary": "A stay is an unbroken run of bars in one state.",
}


def tables(bars: list[datetime], seed: int) -> dict[str, pl.DataFrame]:
    """Return the tables that depend on nothing but the bars and chance."""
    rng = np.random.default_rng([seed, 5])
    states = _states(rng, bars)
    return {
        "exposures": _exposures(rng, bars[-1]),
        "portfolio_exposures": _portfolio(bars[-1]),
        "risk": _risk(bars[-1]),
        "regimes": states,
        "regime_summary": _summary(states),
    }


def _exposures(rng: np.random.Generator, last: datetime) -> pl.DataFrame:
    rows = []
    for i in range(60):
        for factor in FACTORS:
            beta, stderr = float(rng.normal(1.0, 0.4)), float(rng.uniform(0.05, 0.2))
            rows.append((last, f"S{i:03d}", factor, beta, stderr, beta / stderr))
    names = ["bar_close", "asset", "factor", "beta", "stderr", "t"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _portfolio(last: datetime) -> pl.DataFrame:
    names = ["bar_close", "portfolio", "factor", "exposure", "stderr", "t", "lowest"]
    rows = [
        (
            last,
            "equal_weight",
            "market",
            0.957,
            0.021,
            45.57,
            0.113,
            0.741,
            0.934,
            1.188,
            2.007,
            60,
        ),
        (last, "equal_weight", "sector", -0.163, 0.034, -4.79, -0.9, -0.4, -0.15, 0.05, 0.61, 60),
    ]
    schema = [*names, "lower_quartile", "median", "upper_quartile", "highest", "n_assets"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _risk(last: datetime) -> pl.DataFrame:
    parts = [
        ("market", 0.957, 0.1712, 0.16384, 0.9283),
        ("sector", -0.163, 0.0181, -0.00295, -0.0167),
        ("specific", None, None, 0.01560, 0.0884),
        ("total", None, None, 0.17649, 1.0),
    ]
    names = ["bar_close", "portfolio", "source", "exposure", "marginal_annual"]
    return pl.DataFrame(
        [(last, "equal_weight", *part, 60, 0.968) for part in parts],
        schema=[*names, "contribution_annual", "share", "n_assets", "weight_covered"],
        orient="row",
    )


def _states(rng: np.random.Generator, bars: list[datetime]) -> pl.DataFrame:
    frames = []
    for regime, labels in REGIMES.items():
        place = (rng.random(len(bars)) < 0.02).cumsum() % len(labels)
        columns = {"bar_close": bars, "regime": regime, "state": [labels[i] for i in place]}
        frames.append(pl.DataFrame({**columns, "probability": np.full(len(bars), 0.9)}))
    return pl.concat(frames)


def _summary(states: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for regime, labels in REGIMES.items():
        mine = states.filter(regime=regime)["state"]
        for label in labels:
            n, n_stays = int((mine == label).sum()), 7
            rows.append((regime, label, n, n / len(mine), n_stays, n / n_stays, n // 2))
    names = ["regime", "state", "n_bars", "share", "n_stays", "mean_stay_bars"]
    return pl.DataFrame(rows, schema=[*names, "longest_stay_bars"], orient="row")
