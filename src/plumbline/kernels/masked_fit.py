"""Rolling regressions of assets with gaps: every asset on its own Gram matrix.

Operations and their order are those of the shared path, so a window without gaps has the same
bits on both.
"""

import numpy as np
from jaxtyping import Bool, Float

from plumbline.kernels.asset_sums import add_head_row, load_weighted_row, sum_tail
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    PLACES,
    Group,
    Panels,
    Results,
    Rules,
    Scratch,
    Shared,
    Tile,
    block_at,
    facts_layout,
    n_own_sums,
    new_scratch,
)
from plumbline.kernels.lane_algebra import factorise
from plumbline.kernels.lane_results import leave_quality, leave_states, leave_unfitted


@compiled
def fit_masked(
    panels: Panels,
    rules: Rules,
    group: Group,
    shared: Shared,
    results: Results,
    gaps: Bool[np.ndarray, "blocks tiles"],
) -> int:
    """Fit the tiles with gaps, O(A·K³) a bar; return how many windows are left to QR."""
    n = shared.shift.shape[1]
    n_assets = panels.y.shape[1]
    lanes = (n_assets + gaps.shape[1] - 1) // gaps.shape[1]
    scratch = new_scratch(rules, n, min(rules.window, group.stop), lanes, 0)
    n_left = 0
    for number in range(gaps.shape[0]):
        block = block_at(group, number, rules.window)
        for index in range(gaps.shape[1]):
            if gaps[number, index]:
                first = index * lanes
                stop = min(first + lanes, n_assets)
                tile = Tile(block, max(group.start - rules.window, 0), first, stop)
                sum_tail(panels, rules, shared, tile, scratch)
                n_left += _fit_head(panels, rules, shared, results, tile, scratch)
    return n_left


@compiled
def _fit_head(
    panels: Panels, rules: Rules, shared: Shared, results: Results, tile: Tile, scratch: Scratch
) -> int:
    """Fit every bar of the head; return how many windows are left to QR."""
    y, decay, cell_weight = panels.y, panels.decay, panels.cell_weight
    head, shift = shared.head, shared.shift[tile.block.number]
    room, suffix, sums = scratch.room, scratch.suffix, scratch.sums
    facts, work = scratch.facts, scratch.work
    coefficients = results.coefficients
    first, stop = tile.first, tile.stop
    n_tail = tile.block.head - tile.block.tail
    n_left = 0
    sums[:] = 0.0
    for bar in range(tile.block.head, tile.block.stop):
        place, row = bar - tile.begin, bar - tile.block.head
        load_weighted_row(room, y[bar], cell_weight, bar, first, stop)
        end = min(max(bar - rules.window + 1 - tile.block.tail, 0), n_tail)
        fades = (decay[1], decay[row + 1])
        add_head_row(sums, suffix[end], room, head[place], fades, 0)
        factorise(sums[1], facts, work, shift, rules, stop - first)
        where = (bar, first, stop, rules.intercept)
        _solve_row(coefficients, sums[1], room, facts, shift, where)
        unfitted = leave_states(rules, results, scratch, bar, tile)
        if rules.level:
            n_left += leave_quality(rules, results, scratch, bar, tile)
        if unfitted:
            n_left += leave_unfitted(rules, results, room, bar, tile)
    return n_left


@compiled
def _solve_row(
    coefficients: Float[np.ndarray, "coefficients bars assets"],
    sums: Float[np.ndarray, "kept lanes"],
    room: Float[np.ndarray, "places lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    shift: Float[np.ndarray, " factors"],
    where: tuple[int, int, int, int],
) -> None:
    """Write the coefficients of one bar: slopes from own inverses, alpha from the means."""
    bar, first, stop, intercept = where
    n = shift.shape[0]
    known = facts_layout(n)
    lanes = stop - first
    own = n_own_sums(n)
    total, base, scale = sums[own], room[PLACES.shift], facts[known.weight]
    alpha = coefficients[0, bar, first:stop]
    for k in range(n):
        mean, cross = facts[known.mean + k], sums[own + 1 + k]
        centred = room[PLACES.centred + k]
        for j in range(lanes):
            centred[j] = cross[j] - mean[j] * total[j]
    if intercept:
        for j in range(lanes):
            alpha[j] = base[j] + total[j] * scale[j]
    else:
        for j in range(lanes):
            alpha[j] = 0.0
    for k in range(n):
        beta = coefficients[1 + k, bar, first:stop]
        entry, centred = facts[known.inverse + k * n], room[PLACES.centred]
        if n == 1:
            for j in range(lanes):
                beta[j] = entry[j] * centred[j]
        else:
            second, other = facts[known.inverse + k * n + 1], room[PLACES.centred + 1]
            for j in range(lanes):
                beta[j] = entry[j] * centred[j] + second[j] * other[j]
        for i in range(2, n):
            entry, centred = facts[known.inverse + k * n + i], room[PLACES.centred + i]
            for j in range(lanes):
                beta[j] += entry[j] * centred[j]
        if intercept:
            mean, step = facts[known.mean + k], shift[k]
            for j in range(lanes):
                alpha[j] -= (step + mean[j]) * beta[j]
