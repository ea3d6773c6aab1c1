"""Volatility of many short series, each seen from its last day."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.small_least_squares import nonnegative_solution

MONTH, QUARTER, YEAR = 21, 63, 252  # days that deviations are taken over
HAR_DAYS, HAR_LEAST = 504, 252  # days that a forecast is fitted to, and that it needs
_WEEK = 5
_LEAST = 0.6  # share of a window's days that must be there
_DECAY = 0.94


class SeriesVolatility(NamedTuple):
    """Volatilities of a day, not annualised; NaN where there are too few days.

    Parameters
    ----------
    month, quarter, year : sample deviation over the last 21, 63, 252 days.
    decayed : root of the mean square, weights falling by 0.94 a day, over the last 252 days.
    forecast : root of the mean variance of the next 21 days, as a HAR fit foretells it.
    percentile : share of the last 252 monthly deviations that are not above the latest.
    trend : month over quarter, less 1.
    n_obs : days of the last 252 that are there.
    """

    month: Float[np.ndarray, " series"]
    quarter: Float[np.ndarray, " series"]
    year: Float[np.ndarray, " series"]
    decayed: Float[np.ndarray, " series"]
    forecast: Float[np.ndarray, " series"]
    percentile: Float[np.ndarray, " series"]
    trend: Float[np.ndarray, " series"]
    n_obs: Int[np.ndarray, " series"]


def series_volatility(series: Float[np.ndarray, "series days"]) -> SeriesVolatility:
    """Measure the volatility of each series at its last day.

    Parameters
    ----------
    series : returns, at least 504 days; NaN for a day that is missing.

    Notes
    -----
    The forecast regresses the mean square of the 21 days behind a day, with no coefficient
    negative, on an intercept, the day's square and the means of the last 5 and 21 squares, over the
    days of the last 504 that have all of them; at least 252 returns must be there. Cost: O(days)
    a series.

    References
    ----------
    Corsi, "A simple approximate long-memory model of realized volatility", Journal of Financial
    Econometrics 7 (2009) 174-196. J. P. Morgan/Reuters, "RiskMetrics technical document" (1996).
    """
    n = series.shape[0]
    figures = {name: np.full(n, np.nan) for name in SeriesVolatility._fields}
    out = SeriesVolatility(**figures | {"n_obs": np.zeros(n, dtype=np.int64)})
    _measure(series, out)
    return out


@compiled
def _measure(series: Float[np.ndarray, "series days"], out: SeriesVolatility) -> None:
    squares = np.empty(HAR_DAYS)
    weekly, monthly = np.empty(HAR_DAYS), np.empty(HAR_DAYS)
    room = np.empty((4, YEAR))
    for s in range(series.shape[0]):
        days = series[s, series.shape[1] - HAR_DAYS :]
        year = days[HAR_DAYS - YEAR :]
        out.n_obs[s] = _count(year)
        if out.n_obs[s] == 0:
            continue
        out.month[s] = _deviation(days[HAR_DAYS - MONTH :])
        out.quarter[s] = _deviation(days[HAR_DAYS - QUARTER :])
        out.year[s] = _deviation(year)
        out.decayed[s] = _decayed(year)
        out.trend[s] = out.month[s] / out.quarter[s] - 1.0 if out.quarter[s] > 0.0 else np.nan
        out.percentile[s] = _percentile(days, room)
        for i in range(HAR_DAYS):
            squares[i] = days[i] * days[i]
        _means(squares, _WEEK, weekly)
        _means(squares, MONTH, monthly)
        if _count(days) >= HAR_LEAST:
            out.forecast[s] = _forecast(squares, weekly, monthly)


@compiled
def _count(days: Float[np.ndarray, " days"]) -> int:
    n = 0
    for value in days:
        n += not np.isnan(value)
    return n


@compiled
def _deviation(days: Float[np.ndarray, " days"]) -> float:
    """Return the sample deviation of the days that are there; NaN if they are too few."""
    total, n = 0.0, 0
    for value in days:
        if not np.isnan(value):
            total += value
            n += 1
    if n < 2 or n < _LEAST * days.size:
        return np.nan
    mean, rest, squares = total / n, 0.0, 0.0
    for value in days:
        if not np.isnan(value):
            rest += value - mean
            squares += (value - mean) * (value - mean)
    return float(np.sqrt(max(squares - rest * rest / n, 0.0) / (n - 1)))


@compiled
def _decayed(days: Float[np.ndarray, " days"]) -> float:
    total, weights, weight, n = 0.0, 0.0, 1.0, 0
    for i in range(days.size - 1, -1, -1):
        if not np.isnan(days[i]):
            total += weight * days[i] * days[i]
            weights += weight
            n += 1
        weight *= _DECAY
    return float(np.sqrt(total / weights)) if n >= _LEAST * days.size else np.nan


@compiled
def _percentile(days: Float[np.ndarray, " days"], room: Float[np.ndarray, "four ends"]) -> float:
    """Return the share of the last monthly deviations that are not above the latest."""
    _roll(days[days.size - YEAR - MONTH + 1 :], room)
    values = room[0]
    latest = values[YEAR - 1]
    if np.isnan(latest):
        return np.nan
    below, n = 0, 0
    for value in values:
        n += not np.isnan(value)
        below += value <= latest
    return below / n if n >= _LEAST * YEAR else np.nan


@compiled
def _roll(days: Float[np.ndarray, " days"], room: Float[np.ndarray, "four ends"]) -> None:
    """Write the deviation of each 21 neighbouring days, NaN where too few are there.

    All ends go abreast: the compiler adds side by side only what it knows to be dense.
    """
    squares, mean, n, rest = room[0], room[1], room[2], room[3]
    room[:] = 0.0
    for shift in range(MONTH):
        own = days[shift : shift + squares.size]
        for k in range(squares.size):
            is_there = own[k] == own[k]
            n[k] += 1.0 if is_there else 0.0
            mean[k] += own[k] if is_there else 0.0
    for k in range(squares.size):
        mean[k] /= n[k]
    for shift in range(MONTH):
        own = days[shift : shift + squares.size]
        for k in range(squares.size):
            difference = own[k] - mean[k]
            difference = difference if difference == difference else 0.0
            rest[k] += difference
            squares[k] += difference * difference
    least = max(_LEAST * MONTH, 2.0)
    is_whole = _count(days) == days.size
    for k in range(squares.size):
        spread = squares[k] if is_whole else squares[k] - rest[k] * rest[k] / n[k]
        spread = spread if spread > 0.0 else 0.0
        squares[k] = np.sqrt(spread / (n[k] - 1.0)) if n[k] >= least else np.nan


@compiled
def _means(
    values: Float[np.ndarray, " days"], length: int, out: Float[np.ndarray, " days"]
) -> None:
    """Write the mean of the last values at each day; NaN where one is missing."""
    out[: length - 1] = np.nan
    total = out[length - 1 :]
    total[:] = 0.0
    for shift in range(length):
        own = values[length - 1 - shift : values.size - shift]
        for k in range(total.size):
            total[k] += own[k]
    for k in range(total.size):
        total[k] /= length


@compiled
def _forecast(
    squares: Float[np.ndarray, " days"],
    weekly: Float[np.ndarray, " days"],
    monthly: Float[np.ndarray, " days"],
) -> float:
    """Return the deviation that the fit foretells; NaN where a mean of the last day is missing."""
    last = squares.size - 1
    if np.isnan(squares[last] + weekly[last] + monthly[last]):
        return np.nan
    gram, products, slopes = np.zeros((4, 4)), np.zeros(4), np.empty(4)
    a = b = c = d = e = f = g = n = 0.0
    ab = ac = bc = ay = by = cy = 0.0
    for s in range(MONTH - 1, last - MONTH + 1):
        x1, x2, x3, y = squares[s], weekly[s], monthly[s], monthly[s + MONTH]
        if np.isnan(x3 + y):
            continue
        n += 1.0
        a += x1
        b += x2
        c += x3
        d += y
        e += x1 * x1
        f += x2 * x2
        g += x3 * x3
        ab += x1 * x2
        ac += x1 * x3
        bc += x2 * x3
        ay += x1 * y
        by += x2 * y
        cy += x3 * y
    if n < 4:
        return np.nan
    gram[0, 0], gram[1, 1], gram[2, 2], gram[3, 3] = n, e, f, g
    gram[1, 0], gram[2, 0], gram[3, 0], gram[2, 1], gram[3, 1], gram[3, 2] = a, b, c, ab, ac, bc
    products[0], products[1], products[2], products[3] = d, ay, by, cy
    nonnegative_solution(gram, products, slopes)
    variance = (
        slopes[0] + slopes[1] * squares[last] + slopes[2] * weekly[last] + slopes[3] * monthly[last]
    )
    return float(np.sqrt(variance))
