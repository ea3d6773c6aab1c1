"""Rank correlations of many panels, bar by bar, in exact integers.

Every panel is ranked once a bar. Its values are turned into 64-bit keys of the same order whose
low bits hold the asset's number, the keys are sorted outside, and runs of keys that differ in the
low bits only are put in order by their values. Ranks are doubled and centred, so that average
ranks of ties are integers, their sum is 0, and sums of products are exact in any order.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt

from plumbline.kernels.compilation import compiled, compiled_sums

_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
_INFINITY = np.int64(0x7FF0000000000000)


class Ranking(NamedTuple):
    """Panels of one bar, ranked.

    ``order`` lists a panel's usable assets by value and ``tied`` says whether each equals the one
    before it. ``group`` is the first panel with the same mask, ``ties`` 1 where a panel has any.
    """

    order: UInt[np.ndarray, "panels assets"]
    tied: UInt[np.ndarray, "panels assets"]
    usable: UInt[np.ndarray, "panels assets"]
    ranks: Float[np.ndarray, "panels assets"]
    squares: Float[np.ndarray, " panels"]
    count: Int[np.ndarray, " panels"]
    group: Int[np.ndarray, " panels"]
    ties: Int[np.ndarray, " panels"]


@compiled
def fill_keys(
    patterns: Int[np.ndarray, "panels bars assets"],
    first: int,
    bits: int,
    keys: Int[np.ndarray, "rows all_panels assets"],
    offset: int,
) -> None:
    """Write sortable keys of some bars from the bit patterns of their values.

    A value that is not finite gets the largest key; -0.0 is read as 0.0.
    """
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    for row in range(keys.shape[0]):
        for p in range(patterns.shape[0]):
            source = patterns[p, first + row]
            target = keys[row, offset + p]
            for a in range(source.shape[0]):
                value = source[a]
                magnitude = value & _LARGEST
                key = value ^ ((value >> np.int64(63)) & _LARGEST)
                key = key if magnitude > np.int64(0) else np.int64(0)
                key = key if magnitude < _INFINITY else _LARGEST
                target[a] = (key & ~low) | np.int64(a)


@compiled
def correlate(
    signals: Float[np.ndarray, "signals bars assets"],
    forwards: Float[np.ndarray, "horizons bars assets"],
    keys: Int[np.ndarray, "rows panels assets"],
    first: int,
    bits: int,
    out: Float[np.ndarray, "signals horizons bars"],
) -> None:
    """Write the rank correlation of every signal with every forward panel for some bars."""
    n_signals = signals.shape[0]
    n_rows, n_panels, n_assets = keys.shape
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    ranking = Ranking(
        np.empty((n_panels, n_assets), np.uint64),
        np.empty((n_panels, n_assets), np.uint8),
        np.empty((n_panels, n_assets), np.uint8),
        np.empty((n_panels, n_assets)),
        np.empty(n_panels),
        np.empty(n_panels, np.int64),
        np.empty(n_panels, np.int64),
        np.empty(n_panels, np.int64),
    )
    ranks, spare = ranking.ranks, np.empty((2, n_assets))
    kept = np.empty(n_assets, np.uint8)
    centred = np.empty(n_assets)
    for a in range(n_assets):
        centred[a] = 2.0 * a - (n_assets - 1.0)
    squares = _untied_squares(n_assets)
    for row in range(n_rows):
        bar = first + row
        if n_assets >= 3 and _is_plain(keys[row], low):
            for p in range(n_panels):
                _scatter(keys[row, p], low, centred, ranks[p])
            for s in range(n_signals):
                for h in range(n_panels - n_signals):
                    product = _product(ranks[s], ranks[n_signals + h])
                    out[s, h, bar] = product / squares
        else:
            for p in range(n_panels):
                values = signals[p, bar] if p < n_signals else forwards[p - n_signals, bar]
                _rank(values, keys[row, p], low, ranking, p)
            _correlate_pairs(ranking, n_signals, kept, spare, out, bar)


@compiled
def _is_plain(keys: Int[np.ndarray, "panels assets"], low: int) -> bool:
    """Return whether no panel of a bar has a missing value or keys that may be ties."""
    last = keys.shape[1] - 1
    for p in range(keys.shape[0]):
        row = keys[p]
        runs = 0
        for a in range(last):
            runs += (row[a] | low) == (row[a + 1] | low)
        if runs or (row[last] | low) == _LARGEST:
            return False
    return True


@compiled
def _scatter(
    keys: Int[np.ndarray, " assets"],
    low: int,
    centred: Float[np.ndarray, " places"],
    ranks: Float[np.ndarray, " assets"],
) -> None:
    """Write the rank of every asset from sorted keys without ties."""
    for place in range(centred.shape[0]):
        ranks[np.uint64(keys[place]) & np.uint64(low)] = centred[place]


@compiled
def _rank(
    values: Float[np.ndarray, " assets"],
    keys: Int[np.ndarray, " assets"],
    low: int,
    ranking: Ranking,
    p: int,
) -> None:
    """Rank one panel of one bar from its sorted keys, with gaps and ties."""
    order = ranking.order[p]
    usable = ranking.usable[p]
    ranks = ranking.ranks[p]
    n_assets = keys.shape[0]
    runs = 0
    for a in range(n_assets - 1):
        runs += (keys[a] | low) == (keys[a + 1] | low)
    for a in range(n_assets):
        order[a] = np.uint64(keys[a] & low)
    count = 0
    for a in range(n_assets):
        finite = np.abs(values[a]) < np.inf
        usable[a] = finite
        count += finite
    ranking.count[p] = count
    ranking.ties[p] = _repair(values, order, ranking.tied[p], count) if runs else 0
    ranking.group[p] = _first_of_mask(ranking.usable, ranking.count, ranking.group, p)
    if ranking.ties[p]:
        ranking.squares[p] = _tied_ranks(order[:count], ranking.tied[p], usable, ranks)
        return
    for a in range(n_assets):
        ranks[a] = 0.0
    for place in range(count):
        ranks[order[place]] = 2.0 * place - (count - 1.0)
    ranking.squares[p] = _untied_squares(count)


@compiled
def _first_of_mask(
    usable: UInt[np.ndarray, "panels assets"],
    count: Int[np.ndarray, " panels"],
    group: Int[np.ndarray, " panels"],
    p: int,
) -> int:
    """Return the first panel that has the mask of panel p."""
    n_assets = usable.shape[1]
    for q in range(p):
        if group[q] == q and count[q] == count[p]:
            different = 0
            if count[q] < n_assets:
                for a in range(n_assets):
                    different += usable[p, a] != usable[q, a]
            if different == 0:
                return q
    return p


@compiled
def _repair(
    values: Float[np.ndarray, " assets"],
    order: UInt[np.ndarray, " assets"],
    tied: UInt[np.ndarray, " assets"],
    count: int,
) -> int:
    """Put runs of nearly equal keys in order by value, mark equal neighbours; return if any is."""
    found = 0
    tied[0] = False
    for place in range(1, count):
        asset = order[place]
        spot = place
        while spot > 0 and values[order[spot - 1]] > values[asset]:
            order[spot] = order[spot - 1]
            spot -= 1
        order[spot] = asset
    for place in range(1, count):
        tied[place] = values[order[place]] == values[order[place - 1]]
        found |= int(tied[place])
    return found


@compiled
def _untied_squares(count: int) -> float:
    """Return the sum of squares of doubled, centred ranks without ties."""
    n = float(count)
    return n * (n * n - 1.0) / 3.0


@compiled
def _tied_ranks(
    order: UInt[np.ndarray, " usable_assets"],
    tied: UInt[np.ndarray, " assets"],
    kept: UInt[np.ndarray, " assets"],
    ranks: Float[np.ndarray, " assets"],
) -> float:
    """Write doubled, centred average ranks among the kept assets; return their sum of squares."""
    n = 0
    for a in range(kept.shape[0]):
        ranks[a] = 0.0
        n += kept[a]
    squares = 0.0
    place = 0
    before = 0
    while place < order.shape[0]:
        stop = place + 1
        while stop < order.shape[0] and tied[stop]:
            stop += 1
        members = 0
        for i in range(place, stop):
            members += kept[order[i]]
        rank = float(2 * before + members - n)
        for i in range(place, stop):
            if kept[order[i]]:
                ranks[order[i]] = rank
        squares += members * rank * rank
        before += members
        place = stop
    return squares


@compiled
def _kept_ranks(
    order: UInt[np.ndarray, " usable_assets"],
    kept: UInt[np.ndarray, " assets"],
    count: int,
    ranks: Float[np.ndarray, " assets"],
) -> float:
    """Write doubled, centred ranks where no value is tied; return their sum of squares."""
    for a in range(kept.shape[0]):
        ranks[a] = 0.0
    place = 1 - count
    for i in range(order.shape[0]):
        asset = order[i]
        inside = np.int64(kept[asset])
        ranks[asset] = float(place * inside)
        place += 2 * inside
    return _untied_squares(count)


@compiled_sums
def _product(left: Float[np.ndarray, " assets"], right: Float[np.ndarray, " assets"]) -> float:
    """Return a sum of products of integers below 2**53: exact in any order."""
    total = 0.0
    for a in range(left.shape[0]):
        total += left[a] * right[a]
    return total


@compiled
def _correlate_pairs(
    ranking: Ranking,
    n_signals: int,
    kept: UInt[np.ndarray, " assets"],
    spare: Float[np.ndarray, "two assets"],
    out: Float[np.ndarray, "signals horizons bars"],
    bar: int,
) -> None:
    """Write the correlations of one bar, each pair over the assets usable in both."""
    order, tied, usable, ranks = ranking.order, ranking.tied, ranking.usable, ranking.ranks
    count, group, ties, squares = ranking.count, ranking.group, ranking.ties, ranking.squares
    for s in range(n_signals):
        for f in range(n_signals, ranks.shape[0]):
            if group[s] == group[f]:
                product, n = _product(ranks[s], ranks[f]), count[s]
                both = (squares[s], squares[f])
            else:
                n = _intersect(usable[s], usable[f], kept)
                if ties[s]:
                    left = _tied_ranks(order[s, : count[s]], tied[s], kept, spare[0])
                else:
                    left = _kept_ranks(order[s, : count[s]], kept, n, spare[0])
                if ties[f]:
                    right = _tied_ranks(order[f, : count[f]], tied[f], kept, spare[1])
                else:
                    right = _kept_ranks(order[f, : count[f]], kept, n, spare[1])
                product, both = _product(spare[0], spare[1]), (left, right)
            out[s, f - n_signals, bar] = _ratio(product, both, n)


@compiled
def _intersect(
    left: UInt[np.ndarray, " assets"],
    right: UInt[np.ndarray, " assets"],
    both: UInt[np.ndarray, " assets"],
) -> int:
    """Leave the assets usable in both panels; return their count."""
    count = 0
    for a in range(both.shape[0]):
        both[a] = left[a] & right[a]
        count += both[a]
    return count


@compiled
def _ratio(product: float, squares: tuple[float, float], count: int) -> float:
    """Return the correlation, NaN where a side is constant; equal ranks give exactly 1."""
    left, right = squares
    if count < 3 or left == 0.0 or right == 0.0:
        return np.nan
    if left == right:
        return product / left
    return product / np.sqrt(left) / np.sqrt(right)
