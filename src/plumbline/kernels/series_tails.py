"""The worst days of many short series."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled

TAILS = (0.05, 0.01)


class Tails(NamedTuple):
    """Losses of a day as positive numbers; NaN where there are too few days.

    Parameters
    ----------
    value_at_risk : (N, 2) at 95 % and 99 %: the quantile of type 7 of the returns, its sign turned.
    shortfall : (N, 2) mean loss of the days at or beyond it.
    mean, deviation : of the days that are there; sample deviation.
    worst : loss of the worst day.
    days : (N, 2, 2) places in the series of the two days that each quantile lies between; -1
        without one.
    share : (N, 2) how far it lies from the first of them to the second.
    n_obs : days that are there.
    """

    value_at_risk: Float[np.ndarray, "series levels"]
    shortfall: Float[np.ndarray, "series levels"]
    mean: Float[np.ndarray, " series"]
    deviation: Float[np.ndarray, " series"]
    worst: Float[np.ndarray, " series"]
    days: Int[np.ndarray, "series levels two"]
    share: Float[np.ndarray, "series levels"]
    n_obs: Int[np.ndarray, " series"]


def series_tails(series: Float[np.ndarray, "series days"], least_days: int) -> Tails:
    """Measure the tails of each series.

    Parameters
    ----------
    series : returns; NaN for a day that is missing.
    least_days : days that must be there, at least 2.

    Notes
    -----
    Of equal days the earlier is the worse. Cost: O(days) a series, and a short sorted list of the
    worst twentieth.

    References
    ----------
    Hyndman and Fan, "Sample quantiles in statistical packages", American Statistician 50 (1996)
    361-365, type 7. Acerbi and Tasche, "On the coherence of expected shortfall" (2002).
    """
    n, levels = series.shape[0], len(TAILS)
    out = Tails(
        np.full((n, levels), np.nan),
        np.full((n, levels), np.nan),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.full(n, np.nan),
        np.full((n, levels, 2), -1, dtype=np.int64),
        np.full((n, levels), np.nan),
        np.zeros(n, dtype=np.int64),
    )
    _measure(series, max(least_days, 2), np.array(TAILS), out)
    return out


@compiled
def _measure(
    series: Float[np.ndarray, "series days"],
    least_days: int,
    tails: Float[np.ndarray, " levels"],
    out: Tails,
) -> None:
    n_days = series.shape[1]
    room = int(tails.max() * n_days) + 3
    worst, place = np.empty(room), np.empty(room, dtype=np.int64)
    for s in range(series.shape[0]):
        days = series[s]
        n, total = 0, 0.0
        for value in days:
            if not np.isnan(value):
                n += 1
                total += value
        out.n_obs[s] = n
        if n < least_days:
            continue
        mean, rest, squares = total / n, 0.0, 0.0
        for value in days:
            if not np.isnan(value):
                rest += value - mean
                squares += (value - mean) * (value - mean)
        out.mean[s] = mean
        out.deviation[s] = np.sqrt(max(squares - rest * rest / n, 0.0) / (n - 1))
        held = min(n, int(tails.max() * (n - 1)) + 2)
        _sort_worst(days, worst[:held], place)
        out.worst[s] = -worst[0]
        for i in range(tails.size):
            at = tails[i] * (n - 1)
            first = int(at)
            second = min(first + 1, n - 1)
            share = at - first
            quantile = worst[first] + share * (worst[second] - worst[first])
            out.days[s, i, 0], out.days[s, i, 1] = place[first], place[second]
            out.share[s, i] = share
            out.value_at_risk[s, i] = -quantile
            total, beyond = 0.0, 0
            for k in range(held):
                if worst[k] <= quantile:
                    total += worst[k]
                    beyond += 1
            out.shortfall[s, i] = -total / beyond


@compiled
def _sort_worst(
    days: Float[np.ndarray, " days"],
    worst: Float[np.ndarray, " held"],
    place: Int[np.ndarray, " room"],
) -> None:
    """Write the smallest returns in order, and where they are."""
    held = 0
    for i in range(days.size):
        value = days[i]
        if np.isnan(value) or (held == worst.size and not value < worst[held - 1]):
            continue
        k = min(held, worst.size - 1)
        held = min(held + 1, worst.size)
        while k > 0 and worst[k - 1] > value:
            worst[k], place[k] = worst[k - 1], place[k - 1]
            k -= 1
        worst[k], place[k] = value, i
