"""Membership of a universe, one bar and asset at a time."""

import math
from typing import Any

import numpy as np


def price_of(value: float) -> float:
    return float(value) if math.isfinite(value) and value > 0 else math.nan


def moves(close: np.ndarray, volume: np.ndarray | None, t: int, n_bars: int) -> bool:
    """Return whether one asset moves on bar t: a trade, a first price, or another one."""
    here = price_of(close[t])
    if math.isnan(here):
        return False
    if volume is not None and math.isfinite(volume[t]) and volume[t] > 0:
        return True
    for s in range(t - 1, max(t - n_bars, 0) - 1, -1):
        before = price_of(close[s])
        if not math.isnan(before):
            return here != before
    return True


def dollar_volume(close: np.ndarray, volume: np.ndarray, t: int, window: int) -> float:
    traded = []
    for s in range(max(t - window + 1, 0), t + 1):
        value = price_of(close[s]) * (volume[s] if volume[s] >= 0 else math.nan)
        if math.isfinite(value):
            traded.append(value)
    return math.fsum(traded) / len(traded) if len(traded) >= math.ceil(0.6 * window) else math.nan


def reason(close: np.ndarray, volume: np.ndarray | None, t: int, rules: Any) -> str:
    """Return why one asset is no member on bar t, the top n aside; empty if it is one."""
    if math.isnan(price_of(close[t])):
        return "no_price"
    if rules.min_history_bars is not None:
        window = rules.history_bars or 2 * rules.min_history_bars
        seen = [s for s in range(max(t - window + 1, 0), t + 1) if price_of(close[s]) > 0]
        if len(seen) < rules.min_history_bars:
            return "short_history"
    if rules.max_missing_share is not None:
        rows = range(t - rules.missing_bars + 1, t + 1)
        gaps = [s for s in rows if s < 0 or math.isnan(price_of(close[s]))]
        if len(gaps) > rules.max_missing_share * rules.missing_bars:
            return "missing_prices"
    n_bars = rules.max_stale_bars
    if n_bars is not None:
        rows = range(max(t - n_bars + 1, 0), t + 1)
        if t >= n_bars - 1 and not any(moves(close, volume, s, n_bars) for s in rows):
            return "frozen"
    if rules.min_price is not None and price_of(close[t]) < rules.min_price:
        return "low_price"
    if rules.min_dollar_volume is not None:
        mean = dollar_volume(close, volume, t, rules.dollar_volume_bars)
        if not mean >= rules.min_dollar_volume:
            return "low_dollar_volume"
    return ""


def reasons(close: np.ndarray, volume: np.ndarray | None, rules: Any) -> list[list[str]]:
    n_bars, n_assets = close.shape
    out = []
    for t in range(n_bars):
        columns = [None if volume is None else volume[:, a] for a in range(n_assets)]
        found = [reason(close[:, a], columns[a], t, rules) for a in range(n_assets)]
        wanted = rules.top_n_by_dollar_volume
        if wanted is not None:
            dollars = {
                a: dollar_volume(close[:, a], columns[a], t, rules.dollar_volume_bars)
                for a in range(n_assets)
                if found[a] == ""
            }
            for a, mean in dollars.items():
                above = sum(other > mean for other in dollars.values())
                if math.isnan(mean) or above >= wanted:
                    found[a] = "outside_top_n"
        out.append(found)
    return out
