"""Rank correlations of many panels, bar by bar, in exact integers.

Every panel is ranked once a bar. Its values are turned into 64-bit keys of the same order whose
low bits hold the asset's number, the keys are sorted outside, and runs of keys that differ in the
low bits only are put in order by their values. Ranks are doubled, so that average ranks of ties
are integers and sums of products are exact in any order. Two panels with different gaps are
ranked over what they share by walking their sorted assets, which takes no second sort.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt

from plumbline.kernels.compilation import compiled, compiled_sums

_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
_INFINITY = np.int64(0x7FF0000000000000)


class Ranking(NamedTuple):
    """Panels of one bar, ranked.

    ``order`` lists a panel's usable assets by value; ``runs`` first and past-the-end place of each
    stretch of equal values in it. ``ranks`` are doubled, centred and 0 where unusable, ``squares``
    their sum of squares. ``group`` is the first panel with the same usable assets.
    """

    order: UInt[np.ndarray, "panels assets"]
    runs: Int[np.ndarray, "panels assets"]
    usable: UInt[np.ndarray, "panels assets"]
    ranks: Float[np.ndarray, "panels assets"]
    squares: Float[np.ndarray, " panels"]
    n_usable: Int[np.ndarray, " panels"]
    n_runs: Int[np.ndarray, " panels"]
    group: Int[np.ndarray, " panels"]


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
    """Write the rank correlation of every signal with every forward panel for some bars.

    Without signals, that of every forward panel with itself and those after it.
    """
    n_signals = signals.shape[0]
    n_rows, n_panels, n_assets = keys.shape
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    ranking = _ranking(n_panels, n_assets)
    ranks = ranking.ranks  # a field is looked up, and counted as used, at every mention
    joint = np.empty(n_assets, np.int64)
    centred = 2.0 * np.arange(n_assets) - (n_assets - 1.0)
    squares = _squares_of_ranks(n_assets)
    for row in range(n_rows):
        bar = first + row
        if n_assets >= 3 and _is_plain(keys[row], low):
            for p in range(n_panels):
                _scatter(keys[row, p], low, centred, ranks[p])
            for s in range(out.shape[0]):
                for f in range(n_signals if n_signals > 0 else s, n_panels):
                    out[s, f - n_signals, bar] = _product(ranks[s], ranks[f]) / squares
        else:
            for p in range(n_panels):
                values = signals[p, bar] if p < n_signals else forwards[p - n_signals, bar]
                _rank(values, keys[row, p], low, ranking, p)
            _correlate_pairs(ranking, n_signals, joint, out, bar)


@compiled
def fill_ranks(
    values: Float[np.ndarray, "panels bars assets"],
    keys: Int[np.ndarray, "rows panels assets"],
    first: int,
    bits: int,
    out: Float32[np.ndarray, "panels bars assets"],
) -> None:
    """Write ranks less their mean for some bars, from sorted keys; NaN where a value is missing."""
    n_rows, n_panels, n_assets = keys.shape
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    ranking = _ranking(1, n_assets)
    ranks, usable = ranking.ranks[0], ranking.usable[0]
    for row in range(n_rows):
        for p in range(n_panels):
            _rank(values[p, first + row], keys[row, p], low, ranking, 0)
            target = out[p, first + row]
            for a in range(n_assets):
                target[a] = np.float32(0.5 * ranks[a] if usable[a] else np.nan)


@compiled
def _ranking(n_panels: int, n_assets: int) -> Ranking:
    """Return memory for the panels of a bar."""
    return Ranking(
        order=np.empty((n_panels, n_assets), np.uint64),
        runs=np.empty((n_panels, n_assets), np.int64),
        usable=np.empty((n_panels, n_assets), np.uint8),
        ranks=np.empty((n_panels, n_assets)),
        squares=np.empty(n_panels),
        n_usable=np.empty(n_panels, np.int64),
        n_runs=np.empty(n_panels, np.int64),
        group=np.empty(n_panels, np.int64),
    )


@compiled
def _is_plain(keys: Int[np.ndarray, "panels assets"], low: np.int64) -> bool:
    """Return whether no panel of a bar has a missing value or keys that may be ties."""
    last = keys.shape[1] - 1
    for p in range(keys.shape[0]):
        row = keys[p]
        if (row[last] | low) == _LARGEST or has_close(row, low):
            return False
    return True


@compiled
def has_close(keys: Int[np.ndarray, " assets"], low: np.int64) -> bool:
    """Return whether neighbours among sorted keys differ in the asset's number only."""
    close = 0
    for a in range(keys.shape[0] - 1):
        close += (keys[a] | low) == (keys[a + 1] | low)
    return close > 0


@compiled
def _scatter(
    keys: Int[np.ndarray, " assets"],
    low: np.int64,
    centred: Float[np.ndarray, " places"],
    ranks: Float[np.ndarray, " assets"],
) -> None:
    """Write the rank of every asset from sorted keys without ties."""
    for place in range(centred.shape[0]):
        ranks[np.uint64(keys[place]) & np.uint64(low)] = centred[place]


@compiled_sums
def _product(left: Float[np.ndarray, " assets"], right: Float[np.ndarray, " assets"]) -> float:
    """Return a sum of products of integers below 2**53: exact in any order."""
    total = 0.0
    for a in range(left.shape[0]):
        total += left[a] * right[a]
    return total


@compiled
def _squares_of_ranks(count: int) -> float:
    """Return the sum of squares of doubled, centred ranks without ties.

    A run of m equal values takes the same function of m away from it (Kendall 1945).
    """
    n = float(count)
    return n * (n * n - 1.0) / 3.0


@compiled
def _rank(
    values: Float[np.ndarray, " assets"],
    keys: Int[np.ndarray, " assets"],
    low: np.int64,
    ranking: Ranking,
    p: int,
) -> None:
    """Rank one panel of one bar from its sorted keys, with gaps and ties."""
    usable = ranking.usable[p]
    for a in range(values.shape[0]):
        usable[a] = np.abs(values[a]) < np.inf
    runs = ranking.runs[p]
    count, n_runs = centred_ranks(values, keys, low, ranking.order[p], runs, ranking.ranks[p])
    ranking.n_usable[p] = count
    ranking.n_runs[p] = n_runs
    ranking.group[p] = _first_of_mask(ranking, p)
    squares = _squares_of_ranks(count)
    for r in range(n_runs):
        squares -= _squares_of_ranks(runs[2 * r + 1] - runs[2 * r])
    ranking.squares[p] = squares


@compiled
def centred_ranks(
    values: Float[np.ndarray, " assets"],
    keys: Int[np.ndarray, " assets"],
    low: np.int64,
    order: UInt[np.ndarray, " assets"],
    runs: Int[np.ndarray, " assets"],
    ranks: Float[np.ndarray, " assets"],
) -> tuple[int, int]:
    """Write ranks of the finite values of one bar from its sorted keys: 2·rank - n - 1.

    The average on ties is a whole number too; 0 for a value that is not finite. ``order`` gets the
    assets by value, ``runs`` the ends of stretches of equal ones.

    Returns
    -------
    n, and the number of such stretches.
    """
    count, n_runs = 0, 0
    for a in range(keys.shape[0]):
        order[a] = np.uint64(keys[a]) & np.uint64(low)
        count += np.abs(values[a]) < np.inf
    if has_close(keys[:count], low):
        n_runs = repair(values, order[:count], runs)
    ranks[:] = 0.0
    for place in range(count):
        ranks[order[place]] = 2.0 * place - (count - 1.0)
    for r in range(n_runs):
        start, stop = runs[2 * r], runs[2 * r + 1]
        for place in range(start, stop):
            ranks[order[place]] = float(start + stop - count)
    return count, n_runs


@compiled
def repair(
    values: Float[np.ndarray, " assets"],
    order: UInt[np.ndarray, " usable_assets"],
    runs: Int[np.ndarray, " assets"],
) -> int:
    """Put nearly equal keys in order by value, list runs of equal ones; return their number."""
    for place in range(1, order.shape[0]):
        asset = order[place]
        spot = place
        while spot > 0 and values[order[spot - 1]] > values[asset]:
            order[spot] = order[spot - 1]
            spot -= 1
        order[spot] = asset
    n_runs = 0
    start = 0
    for place in range(1, order.shape[0] + 1):
        if place == order.shape[0] or values[order[place]] != values[order[start]]:
            if place > start + 1:
                runs[2 * n_runs] = start
                runs[2 * n_runs + 1] = place
                n_runs += 1
            start = place
    return n_runs


@compiled
def _first_of_mask(ranking: Ranking, p: int) -> int:
    """Return the first panel that has the usable assets of panel p."""
    usable, group, n_usable = ranking.usable, ranking.group, ranking.n_usable
    n_assets = usable.shape[1]
    for q in range(p):
        if group[q] == q and n_usable[q] == n_usable[p]:
            different = 0
            if n_usable[q] < n_assets:
                for a in range(n_assets):
                    different += usable[p, a] != usable[q, a]
            if different == 0:
                return q
    return p


@compiled
def _correlate_pairs(
    ranking: Ranking,
    n_signals: int,
    joint: Int[np.ndarray, " assets"],
    out: Float[np.ndarray, "signals horizons bars"],
    bar: int,
) -> None:
    """Write the correlations of one bar, each pair over the assets usable in both."""
    order, runs, usable = ranking.order, ranking.runs, ranking.usable
    ranks, squares, group = ranking.ranks, ranking.squares, ranking.group
    n_usable, n_runs = ranking.n_usable, ranking.n_runs
    for s in range(out.shape[0]):
        ranked_with = -1
        left, count = 0.0, 0
        for f in range(n_signals if n_signals > 0 else s, len(group)):
            h = f - n_signals
            if group[s] == group[f]:
                product = _product(ranks[s], ranks[f])
                out[s, h, bar] = _ratio(product, squares[s], squares[f], n_usable[s])
                continue
            if group[f] != ranked_with:
                if ranked_with < 0:
                    joint[:] = 0
                sorted_assets, equal = order[s, : n_usable[s]], runs[s, : 2 * n_runs[s]]
                left, count = _rank_jointly(sorted_assets, equal, usable[f], joint)
                ranked_with = group[f]
            sorted_assets, equal = order[f, : n_usable[f]], runs[f, : 2 * n_runs[f]]
            product, right = _walk_product(sorted_assets, equal, usable[s], joint)
            product -= float(count) * float(count - 1) ** 2
            out[s, h, bar] = _ratio(product, left, right, count)


@compiled
def _rank_jointly(
    order: UInt[np.ndarray, " usable_assets"],
    runs: Int[np.ndarray, " ends"],
    kept: UInt[np.ndarray, " assets"],
    joint: Int[np.ndarray, " assets"],
) -> tuple[float, int]:
    """Write twice the rank, from 0, of a panel's assets among the kept ones; 0 for the others.

    Return the sum of squares of these ranks, centred, and the number of kept assets.
    """
    place, before, lost = 0, 0, 0.0
    for r in range(0, runs.shape[0] + 1, 2):
        stop = runs[r] if r < runs.shape[0] else order.shape[0]
        for i in range(place, stop):
            asset = order[i]
            inside = int(kept[asset])
            joint[asset] = 2 * before * inside
            before += inside
        place = stop
        if r < runs.shape[0]:
            place = runs[r + 1]
            members = 0
            for i in range(stop, place):
                members += int(kept[order[i]])
            for i in range(stop, place):
                joint[order[i]] = (2 * before + members - 1) * int(kept[order[i]])
            before += members
            lost += _squares_of_ranks(members)
    return _squares_of_ranks(before) - lost, before


@compiled
def _walk_product(
    order: UInt[np.ndarray, " usable_assets"],
    runs: Int[np.ndarray, " ends"],
    kept: UInt[np.ndarray, " assets"],
    joint: Int[np.ndarray, " assets"],
) -> tuple[float, float]:
    """Return the product of doubled ranks from 0 of a panel, among the kept, with given ones.

    And the sum of squares of the panel's ranks, centred.
    """
    place, before, total, lost = 0, 0, 0, 0.0
    for r in range(0, runs.shape[0] + 1, 2):
        stop = runs[r] if r < runs.shape[0] else order.shape[0]
        for i in range(place, stop):
            asset = order[i]
            total += 2 * before * joint[asset]
            before += int(kept[asset])
        place = stop
        if r < runs.shape[0]:
            place = runs[r + 1]
            members, part = 0, 0
            for i in range(stop, place):
                members += int(kept[order[i]])
                part += joint[order[i]]
            total += (2 * before + members - 1) * part
            before += members
            lost += _squares_of_ranks(members)
    return float(total), _squares_of_ranks(before) - lost


@compiled
def _ratio(product: float, left: float, right: float, count: int) -> float:
    """Return the correlation, NaN where a side is constant; equal ranks give exactly 1."""
    if count < 3 or left == 0.0 or right == 0.0:
        return np.nan
    if left == right:
        return product / left
    return product / (math.sqrt(left) * math.sqrt(right))
