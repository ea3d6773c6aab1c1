"""Quantiles of trailing windows from sorted blocks and linked lists: the same cost for any window.

Each block of one window's length is sorted once. A window is the end of one block and the beginning
of the next; both are kept as linked lists in sorted order. One row later the tail loses an element,
which a list does at once, and the head gets one back, which it does at once too if it lost its
elements in the opposite order before (Suomela 2014). A quantile is a place in the merger of the two
lists, kept by a pointer into each; a row moves it by a few steps at most.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled

_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)
_INFINITY = np.int64(0x7FF0000000000000)
_TAIL, _HEAD, _BEFORE = 0, 1, 2
_FEW = 32  # nearly equal keys that are put in order by insertion


class Lists(NamedTuple):
    """Two blocks in sorted order, the tail and the head, which change places from block to block.

    Elements of a block are numbered 1 … m by value; 0 stands before the first and m + 1 after the
    last. ``values`` are theirs, -inf and inf at the ends; ``later`` and ``earlier`` lead to the
    neighbours that are in the window; ``element`` is that of each row, 0 where a value is missing.
    """

    values: Float[np.ndarray, "two places"]
    later: Int[np.ndarray, "two places"]
    earlier: Int[np.ndarray, "two places"]
    element: Int[np.ndarray, "two rows"]
    size: Int[np.ndarray, " two"]


class Rules(NamedTuple):
    """Length of a block, place of row 0 in its own, values a window needs, low bits of keys."""

    window: int
    offset: int
    min_obs: int
    bits: int


@compiled
def fill_block_keys(
    patterns: Int[np.ndarray, " bars"], rules: Rules, keys: Int[np.ndarray, "blocks rows"]
) -> None:
    """Write sortable keys of every block of one asset from the bit patterns of its values.

    A value that is not finite gets the largest key, and so do rows that a block lacks; the low
    bits are the row's place in its block; -0.0 is read as 0.0.
    """
    n_bars = patterns.shape[0]
    low = (np.int64(1) << np.int64(rules.bits)) - np.int64(1)
    for number in range(keys.shape[0]):
        start = number * rules.window - rules.offset
        first, stop = max(start, 0), min(start + rules.window, n_bars)
        row = keys[number]
        for i in range(stop - first):
            value = patterns[first + i]
            magnitude = value & _LARGEST
            key = value ^ ((value >> np.int64(63)) & _LARGEST)
            key = key if magnitude > np.int64(0) else np.int64(0)
            key = key if magnitude < _INFINITY else _LARGEST
            row[i] = (key & ~low) | np.int64(i)
        for i in range(stop - first, row.shape[0]):
            row[i] = _LARGEST


@compiled
def fill_quantiles(
    x: Float[np.ndarray, " bars"],
    keys: Int[np.ndarray, "blocks rows"],
    rules: Rules,
    q: Float[np.ndarray, " quantiles"],
    out: Float[np.ndarray, "quantiles bars"],
) -> None:
    """Write quantiles of the windows of one asset, interpolated linearly. O(T·Q), sorting aside.

    Parameters
    ----------
    x : values of one asset; what is not finite is missing.
    keys : those of its blocks, sorted.
    rules : as for the keys.
    q : quantiles, 0 to 1.
    out : the results.
    """
    n_bars, n_rows = x.shape[0], keys.shape[1]
    lists = Lists(
        np.empty((2, n_rows + 2)),
        np.empty((2, n_rows + 2), np.int32),
        np.empty((2, n_rows + 2), np.int32),
        np.zeros((2, n_rows), np.int32),
        np.zeros(2, np.int64),
    )
    places = np.zeros((3, q.shape[0]), np.int64)  # in the tail, in the head, elements before both
    order = np.empty(n_rows, np.int64)
    _sort_block(x[:0], keys[0], rules.bits, order, lists, 1)
    places[_HEAD] = 1
    tail_first, first = 0, 0
    for number in range(keys.shape[0]):
        stop = min((number + 1) * rules.window - rules.offset, n_bars)
        head = number % 2
        _sort_block(x[first:stop], keys[number], rules.bits, order, lists, head)
        _unlink_back(lists.element[head, : stop - first], lists.later[head], lists.earlier[head])
        places[_TAIL] = places[_HEAD]
        places[_HEAD] = lists.size[head] + 1
        _slide(lists, head, (tail_first, first, stop), rules, places, (q, out))
        tail_first, first = first, stop


@compiled
def _sort_block(
    x: Float[np.ndarray, " rows"],
    keys: Int[np.ndarray, " padded_rows"],
    bits: int,
    order: Int[np.ndarray, " padded_rows"],
    lists: Lists,
    side: int,
) -> None:
    """Give the elements of a block numbers in order of value, and link them all."""
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    values, element = lists.values[side], lists.element[side]
    later, earlier = lists.later[side], lists.earlier[side]
    n_rows = x.shape[0]
    count = 0
    for i in range(n_rows):
        element[i] = 0
        count += np.abs(x[i]) < np.inf
    for i in range(count):
        order[i] = keys[i] & low
    start = 0
    for i in range(1, count + 1):
        if i == count or (keys[i] | low) != (keys[start] | low):
            if i > start + 1:
                _repair(x, order[start:i])
            start = i
    values[0] = -np.inf
    for i in range(count):
        values[i + 1] = x[order[i]]
        element[order[i]] = i + 1
    values[count + 1] = np.inf
    for e in range(count + 2):
        later[e] = e + 1
        earlier[e] = e - 1
    later[count + 1] = count + 1
    earlier[0] = 0
    lists.size[side] = count


@compiled
def _repair(x: Float[np.ndarray, " rows"], order: Int[np.ndarray, " close"]) -> None:
    """Put rows whose keys differ in the low bits alone in order by value."""
    if order.shape[0] > _FEW:
        run = order.copy()
        sorted_places = np.argsort(x[run])
        for i in range(run.shape[0]):
            order[i] = run[sorted_places[i]]
        return
    for i in range(1, order.shape[0]):
        row = order[i]
        spot = i
        while spot > 0 and x[order[spot - 1]] > x[row]:
            order[spot] = order[spot - 1]
            spot -= 1
        order[spot] = row


@compiled
def _unlink_back(
    element: Int[np.ndarray, " rows"],
    later: Int[np.ndarray, " places"],
    earlier: Int[np.ndarray, " places"],
) -> None:
    """Take the elements of all rows off their list, the last row first."""
    for i in range(element.shape[0] - 1, -1, -1):
        e = element[i]
        if e > 0:
            before, after = earlier[e], later[e]
            later[before] = after
            earlier[after] = before


@compiled
def _slide(
    lists: Lists,
    head: int,
    rows: tuple[int, int, int],
    rules: Rules,
    places: Int[np.ndarray, "three quantiles"],
    wanted: tuple[Float[np.ndarray, " quantiles"], Float[np.ndarray, "quantiles bars"]],
) -> None:
    """Move the window through a head, from row to row."""
    tail = 1 - head
    q, out = wanted
    tail_first, first, stop = rows
    tail_values, head_values = lists.values[tail], lists.values[head]
    tail_later, head_later = lists.later[tail], lists.later[head]
    tail_earlier, head_earlier = lists.earlier[tail], lists.earlier[head]
    tail_element, head_element = lists.element[tail], lists.element[head]
    tail_places, head_places, before = places[_TAIL], places[_HEAD], places[_BEFORE]
    window, least = rules.window, rules.min_obs
    n = lists.size[tail]
    for row in range(first, stop):
        if row - window >= tail_first:
            e = tail_element[row - window - tail_first]
            if e > 0:
                n -= 1
                after = tail_later[e]
                tail_later[tail_earlier[e]] = after
                tail_earlier[after] = tail_earlier[e]
                for k in range(q.shape[0]):
                    place = tail_places[k]
                    before[k] -= e < place
                    tail_places[k] = after if e == place else place
        e = head_element[row - first]
        if e > 0:
            n += 1
            head_later[head_earlier[e]] = e
            head_earlier[head_later[e]] = e
            value = head_values[e]
            for k in range(q.shape[0]):
                place = head_places[k]
                is_early = e < place
                is_high = value > tail_values[tail_places[k]]
                before[k] += is_early and not is_high
                head_places[k] = e if is_early and is_high else place
        for k in range(q.shape[0]):
            if n < least:
                out[k, row] = np.nan
                continue
            exact = q[k] * (n - 1)
            goal = int(exact)
            i, j, count = tail_places[k], head_places[k], before[k]
            while count < goal:
                if head_values[j] < tail_values[i]:
                    j = head_later[j]
                else:
                    i = tail_later[i]
                count += 1
            while count > goal:
                if head_values[head_earlier[j]] > tail_values[tail_earlier[i]]:
                    j = head_earlier[j]
                else:
                    i = tail_earlier[i]
                count -= 1
            tail_places[k], head_places[k], before[k] = i, j, count
            share = exact - goal
            if head_values[j] < tail_values[i]:
                value, above = head_values[j], min(head_values[head_later[j]], tail_values[i])
            else:
                value, above = tail_values[i], min(tail_values[tail_later[i]], head_values[j])
            out[k, row] = between(value, above, share)


@compiled
def between(below: float, above: float, share: float) -> float:
    """Return the point at a share of the way between two values; exact where they are equal."""
    if share == 0.0 or below == above:
        return below
    step = above - below
    if step < np.inf:
        return below + share * step
    return (1.0 - share) * below + share * above  # of values whose distance is no number
