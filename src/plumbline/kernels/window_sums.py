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
    Block,
    Group,
    Panels,
    Rules,
    Shared,
    block_at,
    n_blocks,
)
from plumbline.kernels.lane_algebra import factorise


@compiled
def share_windows(panels: Panels, rules: Rules, group: Group, shared: Shared) -> None:
    """Sum and factorise the factors' windows of every block of a group; O(T·K³)."""
    n = shared.shift.shape[1]
    n_rows = shared.sums.shape[1]
    begin = max(group.start - rules.window, 0)
    work = np.empty(((n + 1) * (n + 1) + 2, n_rows))
    suffix = np.empty((shared.sums.shape[0], min(rules.window, n_rows)))
    for number in range(n_blocks(group, rules.window)):
        block = block_at(group, number, rules.window)
        shift = shared.shift[number]
        usable = panels.row_weight[block.head] > 0.0 and rules.intercept == 1
        for k in range(n):
            shift[k] = panels.x[block.head, k] if usable else 0.0
        _fill_products(shared.tail, panels, shift, (block.tail, block.head), begin, True)
        _fill_products(shared.head, panels, shift, (block.head, block.stop), begin, False)
        _sum_windows(shared, block, begin, rules.window, panels.decay, suffix)
        span = (block.head - begin, block.stop - begin)
        factorise(shared.sums, shared.facts, work, shift, rules, span)


@compiled
def _fill_products(
    table: Float[np.ndarray, "entries rows"],
    panels: Panels,
    shift: Float[np.ndarray, " factors"],
    rows: tuple[int, int],
    begin: int,
    fades: bool,
) -> None:
    """Write n, w, wx and wxx' of each row, weights fading with the distance to the last row."""
    n = shift.shape[0]
    first, stop = rows
    for row in range(first, stop):
        place = row - begin
        weight = panels.row_weight[row]
        if not weight > 0.0:
            for e in range(table.shape[0]):
                table[e, place] = 0.0
            continue
        if fades:
            weight *= panels.decay[stop - 1 - row]
        table[0, place] = 1.0
        table[1, place] = weight
        pair = 2 + n
        for k in range(n):
            product = weight * (panels.x[row, k] - shift[k])
            table[2 + k, place] = product
            for i in range(k, n):
                table[pair, place] = product * (panels.x[row, i] - shift[i])
                pair += 1


@compiled
def _sum_windows(
    shared: Shared,
    block: Block,
    begin: int,
    window: int,
    decay: Float[np.ndarray, " ages"],
    suffix: Float[np.ndarray, "entries tail_rows"],
) -> None:
    """Write the sums of each window that ends in the head."""
    n_tail = block.head - block.tail
    for e in range(shared.sums.shape[0]):
        tail, head, sums, ends = shared.tail[e], shared.head[e], shared.sums[e], suffix[e]
        counts = e == 0
        total = 0.0
        for row in range(n_tail - 1, -1, -1):
            total += tail[block.tail - begin + row]
            ends[row] = total
        total = 0.0
        fade = 1.0 if counts else decay[1]
        for bar in range(block.head, block.stop):
            total = fade * total + head[bar - begin]
            first = max(bar - window + 1, block.tail) - block.tail
            if first < n_tail:
                faded = 1.0 if counts else decay[bar - block.head + 1]
                sums[bar - begin] = total + faded * ends[first]
            else:
                sums[bar - begin] = total


@compiled
def find_gaps(
    panels: Panels, rules: Rules, group: Group, lanes: int
) -> Bool[np.ndarray, "blocks tiles"]:
    """Return which tiles of ``lanes`` assets miss a value in a block's head or tail."""
    n_assets = panels.y.shape[1]
    n_tiles = (n_assets + lanes - 1) // lanes
    gaps = np.zeros((n_blocks(group, rules.window), n_tiles), np.bool_)
    if panels.cell_weight.shape[0]:
        gaps[:] = True
        return gaps
    for number in range(gaps.shape[0]):
        block = block_at(group, number, rules.window)
        begin = block.tail if number == 0 else block.head
        for row in range(begin, block.stop):
            if panels.row_weight[row] > 0.0:
                y = panels.y[row]
                for tile in range(n_tiles):
                    missing = 0
                    for a in range(tile * lanes, min((tile + 1) * lanes, n_assets)):
                        missing += not np.abs(y[a]) < np.inf
                    if missing:
                        gaps[number, tile] = True
                        if row >= block.head and number + 1 < gaps.shape[0]:
                            gaps[number + 1, tile] = True
    return gaps
