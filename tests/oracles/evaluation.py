"""The evaluation of one signal by loops over bars and assets, pandas and scipy."""

import math

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, rankdata


def forward_return(close: np.ndarray, t: int, horizon: int) -> np.ndarray:
    """Return close[t + horizon] / close[t] - 1 of each asset."""
    out = np.full(close.shape[1], np.nan)
    for a in range(close.shape[1]):
        if t + horizon < len(close):
            now, then = close[t, a], close[t + horizon, a]
            if math.isfinite(now) and math.isfinite(then) and now > 0 and then > 0:
                out[a] = then / now - 1
    return out


def usable(signal: np.ndarray, close: np.ndarray, t: int) -> np.ndarray:
    return np.isfinite(signal[t]) & np.isfinite(close[t]) & (close[t] > 0)


def rank_ic(signal: np.ndarray, close: np.ndarray, horizon: int, min_assets: int) -> np.ndarray:
    """Return Spearman's correlation of each bar."""
    out = np.full(len(close), np.nan)
    for t in range(len(close)):
        forward = forward_return(close, t, horizon)
        pair = usable(signal, close, t) & np.isfinite(forward)
        if pair.sum() >= min_assets:
            x, y = rankdata(signal[t][pair]), rankdata(forward[pair])
            x, y = x - x.mean(), y - y.mean()
            if x.any() and y.any():
                out[t] = (x @ y) / math.sqrt((x @ x) * (y @ y))
    return out


def buckets(signal: np.ndarray, n_quantiles: int) -> np.ndarray:
    """Return groups by counting, for each value, how many lie below it."""
    out = np.zeros(signal.shape, dtype=int)
    for t in range(len(signal)):
        there = [float(v) for v in signal[t] if math.isfinite(v)]
        n = len(there)
        if n < n_quantiles:
            continue
        for a in range(signal.shape[1]):
            if math.isfinite(signal[t, a]):
                rank = sum(v < signal[t, a] for v in there)
                cuts = [k for k in range(1, n_quantiles) if rank * n_quantiles > (n - 1) * k]
                out[t, a] = 1 + len(cuts)
    return out


def qcut_buckets(signal: np.ndarray, n_quantiles: int) -> np.ndarray:
    """Return groups by ``pandas.qcut``, bar by bar; values of a bar must differ."""
    rows = [pd.qcut(pd.Series(row), n_quantiles, labels=False) for row in signal]
    return np.array([row.to_numpy() + 1 for row in rows])


def quantile_table(
    groups: np.ndarray, close: np.ndarray, horizon: int, n_quantiles: int
) -> tuple[list[float], list[float], list[int]]:
    """Return mean, demeaned mean and count of each group, pooled over bars and assets."""
    raw: dict[int, list[float]] = {q: [] for q in range(1, n_quantiles + 1)}
    demeaned: dict[int, list[float]] = {q: [] for q in range(1, n_quantiles + 1)}
    for t in range(len(close)):
        forward = forward_return(close, t, horizon)
        members = [a for a in range(close.shape[1]) if groups[t, a] and math.isfinite(forward[a])]
        if not members:
            continue
        level = math.fsum(forward[a] for a in members) / len(members)
        for a in members:
            raw[groups[t, a]].append(forward[a])
            demeaned[groups[t, a]].append(forward[a] - level)
    mean = [math.fsum(v) / len(v) if v else math.nan for v in raw.values()]
    excess = [math.fsum(v) / len(v) if v else math.nan for v in demeaned.values()]
    return mean, excess, [len(v) for v in raw.values()]


def spread(
    groups: np.ndarray, close: np.ndarray, n_quantiles: int, horizon: int, cost_bps: float
) -> list[tuple[int, float, float, float]]:
    """Return (row, gross return, cost, turnover), one position, asset and bar at a time."""
    n_bars, n_assets = close.shape
    books: list[dict[int, float] | None] = []
    for t in range(n_bars):
        top = [a for a in range(n_assets) if groups[t, a] == n_quantiles]
        bottom = [a for a in range(n_assets) if groups[t, a] == 1]
        if top and bottom:
            book = {a: 1 / len(top) for a in top} | {a: -1 / len(bottom) for a in bottom}
            books.append(book)
        else:
            books.append(None)
    last_price: list[float] = [math.nan] * n_assets
    held = dict.fromkeys(range(n_assets), 0.0)
    started, rows = False, []
    for t in range(n_bars - 1):
        for a in range(n_assets):
            if math.isfinite(close[t, a]) and close[t, a] > 0:
                last_price[a] = close[t, a]
        live = [b for b in books[max(t - horizon + 1, 0) : t + 1] if b]
        started = started or books[t] is not None
        if not started:
            continue
        target = {
            a: sum(b.get(a, 0.0) for b in live) / len(live) if live else 0.0
            for a in range(n_assets)
        }
        turnover = sum(abs(target[a] - held[a]) for a in range(n_assets))
        gross = 0.0
        for a in range(n_assets):
            then = close[t + 1, a]
            is_marked = math.isfinite(then) and then > 0 and math.isfinite(last_price[a])
            change = then / last_price[a] - 1 if is_marked else 0.0
            gross += target[a] * change
            held[a] = target[a] * (1 + change)
        rows.append((t + 1, gross, cost_bps / 10_000 * turnover, turnover))
    return rows


def max_drawdown(returns: list[float]) -> float:
    worst = peak = level = 0.0
    for value in returns:
        level += value
        peak = max(peak, level)
        worst = min(worst, level - peak)
    return worst


def pearson_ic(signal: np.ndarray, close: np.ndarray, horizon: int) -> np.ndarray:
    """Return the linear correlation of each bar, by scipy."""
    out = np.full(len(close), np.nan)
    for t in range(len(close)):
        forward = forward_return(close, t, horizon)
        pair = usable(signal, close, t) & np.isfinite(forward)
        x, y = signal[t][pair], forward[pair]
        if pair.sum() >= 3 and (x != x[0]).any() and (y != y[0]).any():
            out[t] = pearsonr(x, y)[0]
    return out


def quantile_turnover(groups: np.ndarray, quantile: int, horizon: int) -> list[float]:
    """Return the share of new members of a group, by sets of names."""
    shares = []
    for t in range(horizon, len(groups)):
        now = {a for a in range(groups.shape[1]) if groups[t, a] == quantile}
        then = {a for a in range(groups.shape[1]) if groups[t - horizon, a] == quantile}
        if now and then:
            shares.append(len(now - then) / len(now))
    return shares


def rank_autocorrelation(signal: np.ndarray, horizon: int) -> list[float]:
    """Return correlations of ranks with those before, by pandas."""
    ranks = pd.DataFrame(np.where(np.isfinite(signal), signal, np.nan)).rank(axis=1)
    found = []
    for t in range(horizon, len(signal)):
        both = pd.concat([ranks.iloc[t], ranks.iloc[t - horizon]], axis=1).dropna()
        if len(both) >= 3 and (both.nunique() > 1).all():
            found.append(pearsonr(both.iloc[:, 0], both.iloc[:, 1])[0])
    return found


def impact(
    groups: np.ndarray,
    close: np.ndarray,
    volume: np.ndarray,
    spread: tuple[int, int],
    window: int,
) -> tuple[float, float]:
    """Return mean impact per bar and mean participation at a capital of 1, one trade at a time.

    ``spread`` is the number of groups and the bars that each book is held.
    """
    n_quantiles, horizon = spread
    n_bars, n_assets = close.shape
    books: list[dict[int, float] | None] = []
    for t in range(n_bars):
        top = [a for a in range(n_assets) if groups[t, a] == n_quantiles]
        low = [a for a in range(n_assets) if groups[t, a] == 1]
        book = {a: 1 / len(top) for a in top} | {a: -1 / len(low) for a in low}
        books.append(book if top and low else None)
    first = next((t for t, book in enumerate(books) if book), n_bars)
    held, last = [0.0] * n_assets, [math.nan] * n_assets
    paid = known = total = 0.0
    shares = []
    for t in range(first, n_bars - 1):
        live = [b for b in books[max(t - horizon + 1, 0) : t + 1] if b]
        for a in range(n_assets):
            for row in range(t + 1):
                if math.isfinite(close[row, a]):
                    last[a] = close[row, a]
            target = sum(b.get(a, 0.0) for b in live) / len(live) if live else 0.0
            trade = abs(target - held[a])
            total += trade
            sigma, value = _liquidity(close[: t + 1, a], volume[: t + 1, a], window)
            if trade > 0 and math.isfinite(sigma) and value > 0:
                paid += trade * sigma * math.sqrt(trade / value)
                known += trade
                shares.append(trade / value)
            then = close[t + 1, a]
            is_marked = math.isfinite(then) and math.isfinite(last[a])
            held[a] = target * (then / last[a] if is_marked else 1.0)
    if not shares:
        return math.nan, math.nan
    return paid / known * total / (n_bars - 1 - first), sum(shares) / len(shares)


def _liquidity(close: np.ndarray, volume: np.ndarray, window: int) -> tuple[float, float]:
    """Return deviation of returns and mean traded value of the last bars; NaN if too few."""
    least = math.ceil(0.6 * window)
    returns = [
        close[t] / close[t - 1] - 1
        for t in range(max(len(close) - window, 1), len(close))
        if math.isfinite(close[t]) and math.isfinite(close[t - 1])
    ]
    traded = [
        close[t] * volume[t]
        for t in range(max(len(close) - window, 0), len(close))
        if math.isfinite(close[t] * volume[t])
    ]
    sigma = float(np.std(returns, ddof=1)) if len(returns) >= least else math.nan
    return sigma, float(np.mean(traded)) if len(traded) >= least else math.nan


def permuted_rank_ics(signal: np.ndarray, forward: np.ndarray, assets: np.ndarray) -> np.ndarray:
    """Return each bar's rank correlation after asset i is given the signal of ``assets[i]``."""
    moved = signal[:, assets]
    return np.array(
        [
            pearsonr(rankdata(moved[t]), rankdata(forward[t]))[0]
            if len(set(forward[t])) > 1
            else math.nan
            for t in range(len(signal))
        ]
    )


def cusum(x: np.ndarray, long_run_sd: float) -> tuple[float, int]:
    """Return the largest size of the path of deviations, and its place among the values."""
    n, centre = len(x), math.fsum(x) / len(x)
    path, level = [], 0.0
    for value in x:
        level += value - centre
        path.append(abs(level) / (math.sqrt(n) * long_run_sd))
    k = max(range(n - 1), key=path.__getitem__)
    return path[k], k
