"""Rolling regressions of assets with gaps: every asset on its own Gram matrix.

Operations and their order are those of the shared path, so a window without gaps has the same
bits on both.
"""

import numpy as np
from jaxtyping import Bool

from plumbline.kernels.asset_sums import anchor, sum_head, sum_tail
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    FITTED,
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
from plumbline.kernels.lane_results import leave_quality, leave_unfitted, window_state


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
                anchor(panels, rules, tile, scratch.room)
                sum_tail(panels, shared, tile, scratch)
                for bar in range(block.head, block.stop):
                    sum_head(panels, shared, tile, scratch, bar)
                    n_left += _solve(rules, shared, results, (bar, tile), scratch)
    return n_left


@compiled
def _solve(
    rules: Rules, shared: Shared, results: Results, where: tuple[int, Tile], scratch: Scratch
) -> int:
    """Solve one bar of a tile, each asset for itself; return how many windows are left to QR."""
    bar, tile = where
    n = shared.shift.shape[1]
    known = facts_layout(n)
    lanes = tile.stop - tile.first
    room, facts, sums = scratch.room, scratch.facts, scratch.sums
    shifts = shared.shift[tile.block.number]
    factorise(sums, facts, scratch.work, shifts, rules, (0, lanes))
    unfitted = 0
    counts = results.n_obs[bar, tile.first : tile.stop]
    state, unstable, n_obs = room[PLACES.state], facts[known.state], sums[0]
    for j in range(lanes):
        counts[j] = np.int32(n_obs[j])
        room[PLACES.count, j] = n_obs[j]
        state[j] = window_state(n_obs[j], unstable[j], bar, rules)
        unfitted += state[j] != FITTED
    base = n_own_sums(n)
    total = sums[base]
    for k in range(n):
        mean = facts[known.mean + k]
        cross, centred = sums[base + 1 + k], room[PLACES.centred + k]
        for j in range(lanes):
            centred[j] = cross[j] - mean[j] * total[j]
    alpha = results.alpha[bar, tile.first : tile.stop]
    inverse_weight, shift = facts[known.weight], room[PLACES.shift]
    for j in range(lanes):
        alpha[j] = shift[j] + total[j] * inverse_weight[j] if rules.intercept else 0.0
    for k in range(n):
        beta = results.beta[k, bar, tile.first : tile.stop]
        entry, centred = facts[known.inverse + k * n], room[PLACES.centred]
        for j in range(lanes):
            beta[j] = entry[j] * centred[j]
        for i in range(1, n):
            entry, centred = facts[known.inverse + k * n + i], room[PLACES.centred + i]
            for j in range(lanes):
                beta[j] += entry[j] * centred[j]
        if rules.intercept:
            mean = facts[known.mean + k]
            for j in range(lanes):
                alpha[j] -= (shifts[k] + mean[j]) * beta[j]
    n_left = leave_quality(rules, results, scratch, bar, tile) if rules.level else 0
    if unfitted:
        n_left += leave_unfitted(rules, results, room, bar, tile)
    return n_left
