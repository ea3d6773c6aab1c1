"""Rolling regressions of assets without gaps: the Gram matrix of a bar serves all of them."""

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
from plumbline.kernels.lane_results import leave_quality, leave_unfitted, window_state


@compiled
def fit_shared(
    panels: Panels,
    rules: Rules,
    group: Group,
    shared: Shared,
    results: Results,
    gaps: Bool[np.ndarray, "blocks tiles"],
) -> int:
    """Fit the tiles without gaps, O(A·K²) a bar; return how many windows are left to QR."""
    n = shared.shift.shape[1]
    n_assets = panels.y.shape[1]
    lanes = (n_assets + gaps.shape[1] - 1) // gaps.shape[1]
    scratch = new_scratch(rules, n, min(rules.window, group.stop), lanes, n_own_sums(n))
    n_left = 0
    for number in range(gaps.shape[0]):
        block = block_at(group, number, rules.window)
        for index in range(gaps.shape[1]):
            if not gaps[number, index]:
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
    """Solve one bar of a tile on the shared inverse; return how many windows are left to QR."""
    bar, tile = where
    n = shared.shift.shape[1]
    known = facts_layout(n)
    place = bar - tile.begin
    lanes = tile.stop - tile.first
    room, facts, sums = scratch.room, shared.facts, scratch.sums
    n_obs = shared.sums[0, place]
    state = window_state(n_obs, facts[known.state, place], bar, rules)
    counts = results.n_obs[bar, tile.first : tile.stop]
    for j in range(lanes):
        counts[j] = np.int32(n_obs)
    if state != FITTED:
        room[PLACES.state] = state
        return leave_unfitted(rules, results, room, bar, tile)
    total = sums[0]
    for k in range(n):
        mean = facts[known.mean + k, place]
        cross, centred = sums[1 + k], room[PLACES.centred + k]
        for j in range(lanes):
            centred[j] = cross[j] - mean * total[j]
    alpha = results.alpha[bar, tile.first : tile.stop]
    inverse_weight = facts[known.weight, place]
    shift = room[PLACES.shift]
    for j in range(lanes):
        alpha[j] = shift[j] + total[j] * inverse_weight if rules.intercept else 0.0
    for k in range(n):
        beta = results.beta[k, bar, tile.first : tile.stop]
        entry, centred = facts[known.inverse + k * n, place], room[PLACES.centred]
        for j in range(lanes):
            beta[j] = entry * centred[j]
        for i in range(1, n):
            entry, centred = facts[known.inverse + k * n + i, place], room[PLACES.centred + i]
            for j in range(lanes):
                beta[j] += entry * centred[j]
        if rules.intercept:
            mean = shared.shift[tile.block.number, k] + facts[known.mean + k, place]
            for j in range(lanes):
                alpha[j] -= mean * beta[j]
    if rules.level == 0:
        return 0
    room[PLACES.count] = n_obs
    room[PLACES.state] = FITTED
    scratch.facts[known.weight] = inverse_weight
    if rules.level == 2:
        for e in range(known.spread, known.size):
            scratch.facts[e] = facts[e, place]
    return leave_quality(rules, results, scratch, bar, tile)
