"""Volatility and tails of one series, as textbooks write them."""

import numpy as np
import pandas as pd
from scipy.optimize import nnls


def volatility_of(days):
    """Return the figures of one series of 504 returns; NaN where days are too few."""
    r = pd.Series(days[-504:])
    month, quarter, year = (
        r[-n:].std() if r[-n:].count() >= 0.6 * n else np.nan for n in (21, 63, 252)
    )
    weights = pd.Series(0.94 ** np.arange(251, -1, -1.0), index=r.index[-252:])
    own = weights[r[-252:].notna()]
    enough = r[-252:].count() >= 0.6 * 252
    decayed = np.sqrt((own * r[-252:].dropna() ** 2).sum() / own.sum()) if enough else np.nan
    rolled = r.rolling(21, min_periods=13).std()[-252:].dropna()
    percentile = (
        (rolled <= rolled.iloc[-1] * (1 + 1e-12)).mean()
        if len(rolled) >= 0.6 * 252 and np.isfinite(month)
        else np.nan
    )
    return {
        "month": month,
        "quarter": quarter,
        "year": year,
        "decayed": decayed,
        "forecast": _forecast(r),
        "percentile": percentile,
        "trend": month / quarter - 1 if quarter > 0 else np.nan,
        "n_obs": r[-252:].count(),
    }


def _forecast(r):
    squares = (r**2).to_numpy()
    if r.count() < 252:
        return np.nan
    rows, targets = [], []
    for s in range(20, 504 - 21):
        row = [1.0, squares[s], squares[s - 4 : s + 1].mean(), squares[s - 20 : s + 1].mean()]
        target = squares[s + 1 : s + 22].mean()
        if np.isfinite(row).all() and np.isfinite(target):
            rows.append(row)
            targets.append(target)
    last = [1.0, squares[-1], squares[-5:].mean(), squares[-21:].mean()]
    if len(rows) < 4 or not np.isfinite(last).all():
        return np.nan
    table, wanted = np.array(rows), np.array(targets)
    scale = np.sqrt((table**2).sum(axis=0))
    scale[scale == 0] = 1.0
    slopes, _ = nnls(table / scale, wanted / np.abs(wanted).max() if wanted.any() else wanted)
    return np.sqrt(slopes / scale * (np.abs(wanted).max() if wanted.any() else 1.0) @ last)


def tails_of(days, least_days):
    """Return the figures of one series; None if days are too few."""
    known = days[~np.isnan(days)]
    if len(known) < least_days:
        return None
    order = np.argsort(np.where(np.isnan(days), np.inf, days), kind="stable")
    found = {
        "mean": known.mean(),
        "deviation": known.std(ddof=1),
        "worst": -known.min(),
        "levels": [],
    }
    for tail in (0.05, 0.01):
        quantile = np.quantile(known, tail)
        at = tail * (len(known) - 1)
        places = [order[int(np.floor(at))], order[min(int(np.floor(at)) + 1, len(known) - 1)]]
        beyond = known[known <= quantile * (1 - 1e-13 * np.sign(quantile))]
        found["levels"].append(
            (-quantile, -known[known <= quantile].mean() if len(beyond) else None, places)
        )
    return found
