"""Cleaning of one asset's bars, row by row: slow, and plain to see."""

import math


def outliers(prices, tolerance):
    """Return the places whose price is 10 or 100 times, or a fraction of, both neighbours."""
    found = []
    for i in range(1, len(prices) - 1):
        before, here, after = prices[i - 1], prices[i], prices[i + 1]
        if before is None or here is None or after is None:
            continue
        for factor in (10, 100, 1 / 10, 1 / 100):
            low, high = factor / (1 + tolerance), factor * (1 + tolerance)
            if low <= here / before <= high and low <= here / after <= high:
                found.append(i)
    return found


def gaps(numbers):
    """Return (first missing number, length) of each run of missing numbers."""
    found = []
    have = set(numbers)
    n = min(numbers)
    while n < max(numbers):
        if n in have:
            n += 1
            continue
        first = n
        while n not in have:
            n += 1
        found.append((first, n - first))
    return found


def frozen_tail(closes, volumes):
    """Return how many bars at the end repeat the close before them without volume."""
    length = 0
    for i in range(len(closes) - 1, 0, -1):
        if closes[i] is None or closes[i] != closes[i - 1] or volumes[i] != 0:
            break
        length += 1
    return length


def bad_highs_and_lows(bars):
    """Return the places whose high or low is beaten by another price of the bar."""
    highs, lows = [], []
    for i, bar in enumerate(bars):
        known = [v for v in bar.values() if v is not None and not math.isnan(v)]
        if bar["high"] is not None and bar["high"] < max(known):
            highs.append(i)
        if bar["low"] is not None and bar["low"] > min(known):
            lows.append(i)
    return highs, lows
