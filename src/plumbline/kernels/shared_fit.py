"""Rolling regressions of assets without gaps: the Gram matrix of a bar serves all of them."""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.asset_sums import add_head_row, load_row
from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    FITTED,
    PLACES,
    Panels,
    Results,
    Rules,
    Scratch,
    Shared,
    Tile,
    facts_layout,
)
from plumbline.kernels.lane_results import (
    leave_quality,
    leave_residual,
    leave_unfitted,
    window_state,
)
from plumbline.kernels.lane_solution import solve_row


@compiled
def fit_shared(
    panels: Panels, rules: Rules, shared: Shared, results: Results, tile: Tile, scratch: Scratch
) -> int:
    """Fit every bar of a tile's head, O(A·K²) a bar; return how many are left to QR."""
    y, decay, shift = panels.y, panels.decay, shared.shift[tile.block.number]
    head, facts, counts = shared.head, shared.facts, shared.counts
    room, suffix, sums = scratch.room, scratch.suffix, scratch.sums
    coefficients, n_obs = results.coefficients, results.n_obs
    first, stop, base = tile.first, tile.stop, scratch.base
    state_at = facts_layout(shift.shape[0]).state
    n_tail = tile.block.head - tile.block.tail
    n_left = 0
    sums[:] = 0.0
    room[PLACES.state] = FITTED
    for bar in range(tile.block.head, tile.block.stop):
        place, row = bar - tile.begin, bar - tile.block.head
        load_row(room, y[bar], first, stop, rules.level)
        end = min(max(bar - rules.window + 1 - tile.block.tail, 0), n_tail)
        fades = (decay[1], decay[row + 1])
        add_head_row(sums, suffix[end], room, head[place], fades, base)
        _fill(n_obs[bar], first, stop, int(counts[place]))
        state = window_state(counts[place], facts[place, state_at], bar, rules)
        if state == FITTED:
            where = (bar, first, stop, rules.intercept)
            solve_row(coefficients, sums[1], room, facts[place], shift, where)
            if rules.level:
                freedom = counts[place] - shift.shape[0] - rules.intercept
                _spread_facts(room, scratch.facts, facts[place], freedom, rules.level)
                n_left += leave_quality(rules, results, scratch, bar, tile)
        else:
            room[PLACES.state] = state
            n_left += leave_unfitted(rules, results, room, bar, tile)
            room[PLACES.state] = FITTED
        if rules.level:
            leave_residual(panels, rules, results, bar, tile)
    return n_left


@compiled
def _fill(row: Int[np.ndarray, " assets"], first: int, stop: int, value: int) -> None:
    """Write one value to the assets of a tile."""
    target = row[first:stop]
    for j in range(stop - first):
        target[j] = value


@compiled
def _spread_facts(
    room: Float[np.ndarray, "places lanes"],
    target: Float[np.ndarray, "n_facts lanes"],
    facts: Float[np.ndarray, " n_facts"],
    freedom: float,
    level: int,
) -> None:
    """Give every lane the shared facts that R2 and inference read."""
    known = facts_layout(room.shape[0] - PLACES.centred)
    weight, fact = target[known.weight], facts[known.weight]
    for j in range(weight.shape[0]):
        weight[j] = fact
    if level == 2:
        certainty = 1.0 / freedom
        lane = room[PLACES.freedom]
        for j in range(lane.shape[0]):
            lane[j] = certainty
        for e in range(known.spread, known.size):
            row, fact = target[e], facts[e]
            for j in range(row.shape[0]):
                row[j] = fact
