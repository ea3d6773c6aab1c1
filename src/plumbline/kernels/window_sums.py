"""Sums over trailing windows without subtraction: suffix of one block plus prefix of the next.

Blocks are as long as the window and start at absolute multiples of it (van Herk 1992), so a
window touches exactly two: the tail it began in and the head it ends in. Nothing outside the
window enters a sum, and the same bars give the same bits however the series was cut. Values are
shifted by the first row of the head, which lies in every window that ends there; sums of squares
then keep their digits for price-like data too.
"""

import numpy as np
from jaxtyping import Bool, Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    Group,
    Panels,
    Rules,
    Shared,
    block_at,
    n_blocks,
    n_work,
)
from plumbline.kernels.lane_algebra import factorise


@compiled
def share_windows(panels: Panels, rules: Rules, group: Group, shared: Shared) -> None:
    """Sum and factorise the factors' windows of every block of a group; O(T·K³)."""
    n = shared.shift.shape[1]
    n_rows, n_entries = shared.tail.shape
    n_facts = shared.facts.shape[1]
    begin = max(group.start - rules.window, 0)
    longest = min(rules.window, n_rows)
    work = np.empty((n_work(n), longest))
    suffix, sums = np.empty((n_entries, longest + 1)), np.empty((n_entries, longest))
    facts = np.empty((n_facts, longest))
    for number in range(n_blocks(group, rules.window)):
        block = block_at(group, number, rules.window)
        shift = shared.shift[number]
        usable = panels.row_weight[block.head] > 0.0 and rules.intercept == 1
        for k in range(n):
            shift[k] = panels.x[block.head, k] if usable else 0.0
        tail = shared.tail[block.tail - begin : block.head - begin]
        head = shared.head[block.head - begin : block.stop - begin]
        _fill_products(tail, panels, shift, block.tail, True)
        _fill_products(head, panels, shift, block.head, False)
        _sum_windows(sums, suffix, tail, head, rules.window, panels.decay)
        factorise(sums, facts, work, shift, rules, head.shape[0])
        for row in range(head.shape[0]):
            shared.counts[block.head - begin + row] = sums[0, row]
            for e in range(n_facts):
                shared.facts[block.head - begin + row, e] = facts[e, row]


@compiled
def _fill_products(
    table: Float[np.ndarray, "rows entries"],
    panels: Panels,
    shift: Float[np.ndarray, " factors"],
    first: int,
    fades: bool,
) -> None:
    """Write n, w, wx and wxx' of each row, weights fading with the distance to the last row."""
    x, row_weight, decay = panels.x, panels.row_weight, panels.decay
    n = shift.shape[0]
    n_rows = table.shape[0]
    for row in range(n_rows):
        weight = row_weight[first + row]
        if not weight > 0.0:
            for e in range(table.shape[1]):
                table[row, e] = 0.0
            continue
        if fades:
            weight *= decay[n_rows - 1 - row]
        table[row, 0] = 1.0
        table[row, 1] = weight
        pair = 2 + n
        for k in range(n):
            product = weight * (x[first + row, k] - shift[k])
            table[row, 2 + k] = product
            for i in range(k, n):
                table[row, pair] = product * (x[first + row, i] - shift[i])
                pair += 1


@compiled
def _sum_windows(
    sums: Float[np.ndarray, "entries head_rows"],
    suffix: Float[np.ndarray, "entries ends"],
    tail: Float[np.ndarray, "tail_rows entries"],
    head: Float[np.ndarray, "rows entries"],
    window: int,
    decay: Float[np.ndarray, " ages"],
) -> None:
    """Write the sums of each window that ends in the head."""
    n_tail = tail.shape[0]
    for e in range(head.shape[1]):
        total = 0.0
        suffix[e, n_tail] = 0.0
        for row in range(n_tail - 1, -1, -1):
            total += tail[row, e]
            suffix[e, row] = total
        total = 0.0
        fade = decay[1] if e else 1.0
        for row in range(head.shape[0]):
            total = fade * total + head[row, e]
            first = min(max(n_tail + row - window + 1, 0), n_tail)
            faded = decay[row + 1] if e else 1.0
            sums[e, row] = total + faded * suffix[e, first]


@compiled
def find_gaps(
    panels: Panels, rules: Rules, group: Group, lanes: int
) -> Bool[np.ndarray, "blocks tiles"]:
    """Return which tiles of ``lanes`` assets miss a value in a block's head or tail."""
    y, row_weight = panels.y, panels.row_weight
    n_assets = y.shape[1]
    n_tiles = (n_assets + lanes - 1) // lanes
    gaps = np.zeros((n_blocks(group, rules.window), n_tiles), np.bool_)
    if panels.cell_weight.shape[0]:
        gaps[:] = True
        return gaps
    for number in range(gaps.shape[0]):
        block = block_at(group, number, rules.window)
        for tile in range(n_tiles):
            for row in range(block.tail if number == 0 else block.head, block.stop):
                source = y[row, tile * lanes : min((tile + 1) * lanes, n_assets)]
                if row_weight[row] > 0.0 and not _is_finite(source):
                    gaps[number, tile] = True
                    if row >= block.head:
                        if number + 1 < gaps.shape[0]:
                            gaps[number + 1, tile] = True
                        break
    return gaps


@compiled
def _is_finite(values: Float[np.ndarray, " lanes"]) -> bool:
    """Return whether no value is NaN or infinite."""
    missing = 0
    for j in range(values.shape[0]):
        missing += not np.abs(values[j]) < np.inf
    return missing == 0
