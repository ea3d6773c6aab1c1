"""Returns and signals, one value at a time."""

import math
from statistics import NormalDist, fmean, stdev

import numpy as np


def simple_return(close: np.ndarray, t: int, horizon: int = 1) -> float:
    """Return close[t] / close[t - horizon] - 1 of one asset, NaN where that is not defined."""
    if t < horizon or t >= len(close):
        return math.nan
    before, after = float(close[t - horizon]), float(close[t])
    if not (math.isfinite(before) and math.isfinite(after) and before > 0 and after > 0):
        return math.nan
    return after / before - 1


def momentum(close: np.ndarray, lookback: int, skip: int) -> np.ndarray:
    out = np.full(close.shape, np.nan)
    for t in range(lookback, close.shape[0]):
        for a in range(close.shape[1]):
            out[t, a] = simple_return(close[:, a][: t - skip + 1], t - skip, lookback - skip)
    return out


def residual_momentum(residual: np.ndarray, lookback: int, skip: int, min_obs: int) -> np.ndarray:
    out = np.full(residual.shape, np.nan)
    for t in range(residual.shape[0]):
        for a in range(residual.shape[1]):
            rows = range(max(t - lookback + 1, 0), t - skip + 1)
            window = [float(residual[r, a]) for r in rows if math.isfinite(residual[r, a])]
            if len(window) < min_obs:
                continue
            deviation = float(np.std(window, ddof=1))
            if deviation > 1e-12 * abs(float(np.mean(window))):
                out[t, a] = math.fsum(window) / deviation
    return out


def short_term_reversal(close: np.ndarray, lookback: int, skip: int) -> np.ndarray:
    return -momentum(close, lookback, skip)


def low_deviation(x: np.ndarray, window: int, min_obs: int) -> np.ndarray:
    """Return minus the deviation of each window: of returns, or of residual returns."""
    out = np.full(x.shape, np.nan)
    for t in range(x.shape[0]):
        for a in range(x.shape[1]):
            values = _window(x[:, a], t - window + 1, t)
            if len(values) >= min_obs:
                out[t, a] = -_deviation(values)
    return out


def volume_surprise(volume: np.ndarray, short: int, long: int, min_obs: int) -> np.ndarray:
    out = np.full(volume.shape, np.nan)
    for t in range(volume.shape[0]):
        for a in range(volume.shape[1]):
            latest = _logs(_window(volume[:, a], t - short + 1, t))
            before = _logs(_window(volume[:, a], t - short - long + 1, t - short))
            if len(latest) >= math.ceil(0.6 * short) and len(before) >= min_obs:
                out[t, a] = (fmean(latest) - fmean(before)) / _deviation(before)
    return out


def amihud(
    close: np.ndarray, returns: np.ndarray, volume: np.ndarray, window: int, min_obs: int
) -> np.ndarray:
    out = np.full(close.shape, np.nan)
    for t in range(close.shape[0]):
        for a in range(close.shape[1]):
            impacts = []
            for s in range(max(t - window + 1, 0), t + 1):
                change, price, traded = (float(x[s, a]) for x in (returns, close, volume))
                is_there = all(math.isfinite(x) for x in (change, price, traded))
                if is_there and price > 0 and traded > 0:
                    impacts.append(abs(change) / (price * traded / 1e6))
            if len(impacts) >= min_obs and any(impacts):
                out[t, a] = fmean(impacts)
    return out


def beta_compression(beta: np.ndarray, window: int, min_obs: int) -> np.ndarray:
    out = np.full(beta.shape, np.nan)
    for t in range(beta.shape[0]):
        for a in range(beta.shape[1]):
            distances = [abs(b - 1) for b in _window(beta[:, a], t - window + 1, t)]
            if len(distances) >= min_obs and math.isfinite(beta[t, a]):
                out[t, a] = fmean(distances) - abs(float(beta[t, a]) - 1)
    return out


def value_against_beta(close: np.ndarray, beta: np.ndarray, lookback: int, skip: int) -> np.ndarray:
    """Return what is left by least squares on an intercept and the beta, bar by bar."""
    out = np.full(close.shape, np.nan)
    for t in range(lookback, close.shape[0]):
        rows = []
        for a in range(close.shape[1]):
            first, last = float(close[t - lookback, a]), float(close[t - skip, a])
            is_there = all(math.isfinite(x) for x in (first, last, beta[t, a]))
            if is_there and first > 0 and last > 0:
                rows.append((a, math.log(first) - math.log(last), float(beta[t, a])))
        if len(rows) < 3:
            continue
        x = np.array([[1.0, b] for _, _, b in rows])
        y = np.array([value for _, value, _ in rows])
        residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        for (a, _, _), left in zip(rows, residual, strict=True):
            out[t, a] = left
    return out


def scaled(x: np.ndarray, scaling: str) -> np.ndarray:
    """Return the values of each bar on one scale: zscore, rank or gaussian_rank."""
    out = np.full(x.shape, np.nan)
    for t in range(x.shape[0]):
        there = [a for a in range(x.shape[1]) if math.isfinite(x[t, a])]
        values = [float(x[t, a]) for a in there]
        if len(set(values)) < 2:
            continue
        for a, value in zip(there, values, strict=True):
            if scaling == "zscore":
                out[t, a] = (value - fmean(values)) / stdev(values)
                continue
            lower = sum(other < value for other in values)
            rank = lower + (sum(other == value for other in values) + 1) / 2
            place = (rank - 0.5) / len(values)
            out[t, a] = place - 0.5 if scaling == "rank" else NormalDist().inv_cdf(place)
    return out


def composite(
    parts: list[np.ndarray], weights: list[float], scaling: str, min_parts: int
) -> np.ndarray:
    on_scale = [scaled(part, scaling) for part in parts]
    out = np.full(parts[0].shape, np.nan)
    for t in range(out.shape[0]):
        for a in range(out.shape[1]):
            pairs = [(w, float(part[t, a])) for w, part in zip(weights, on_scale, strict=True)]
            there = [(w, value) for w, value in pairs if math.isfinite(value)]
            if len(there) >= min_parts:
                total = math.fsum(w * value for w, value in there)
                out[t, a] = total / math.fsum(abs(w) for w, _ in there)
    return out


def _window(x: np.ndarray, first: int, last: int) -> list[float]:
    """Return the finite values of rows from one to another, both included."""
    return [float(x[r]) for r in range(max(first, 0), last + 1) if math.isfinite(x[r])]


def _logs(values: list[float]) -> list[float]:
    return [math.log(value) for value in values if value > 0]


def _deviation(values: list[float]) -> float:
    deviation = stdev(values)
    return deviation if deviation > 1e-12 * abs(fmean(values)) else math.nan
