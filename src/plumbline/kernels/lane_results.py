"""What both paths of a rolling fit do with a tile of assets before and after it is solved."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import (
    FITTED,
    MISSING,
    PLACES,
    SMALLEST_RESIDUAL,
    TOO_FEW,
    UNSTABLE,
    Results,
    Rules,
    Scratch,
    Tile,
    facts_layout,
    n_own_sums,
)


@compiled
def leave_states(rules: Rules, results: Results, scratch: Scratch, bar: int, tile: Tile) -> int:
    """Write every lane's count and leave what may be done with it; return how many have no fit."""
    room, facts = scratch.room, scratch.facts
    least, propagate = float(rules.min_obs), rules.propagate == 1
    n_rows = float(min(bar + 1, rules.window))
    n_obs = results.n_obs[bar, tile.first : tile.stop]
    unstable = facts[facts_layout(results.coefficients.shape[0] - 1).state]
    state, count, counted = room[PLACES.state], room[PLACES.counted], scratch.sums[1, 0]
    unfitted = 0
    for j in range(tile.stop - tile.first):
        value = counted[j]
        found = UNSTABLE if unstable[j] > 0.0 else FITTED
        found = TOO_FEW if value < least else found
        found = MISSING if propagate & (value < n_rows) else found
        state[j] = found
        count[j] = value
        unfitted += found != FITTED
    for j in range(tile.stop - tile.first):
        n_obs[j] = np.int32(counted[j])
    return unfitted


@compiled
def window_state(n_obs: float, unstable: float, bar: int, rules: Rules) -> int:
    """Return what may be done with the window that ends at a bar."""
    if rules.propagate and n_obs < min(bar + 1, rules.window):
        return MISSING
    if n_obs < rules.min_obs:
        return TOO_FEW
    return UNSTABLE if unstable > 0.0 else FITTED


@compiled
def leave_unfitted(
    rules: Rules, results: Results, room: Float[np.ndarray, "places lanes"], bar: int, tile: Tile
) -> int:
    """Blank the assets of a bar that are not fitted and count why; return those left to QR."""
    n = results.coefficients.shape[0] - 1
    first, stop = tile.first, tile.stop
    state = room[PLACES.state]
    for k in range(n + 1):
        _blank(results.coefficients[k, bar], state, first, stop)
    if rules.level > 0:
        _blank(results.r2[bar], state, first, stop)
    if rules.level == 2:
        _blank(results.condition[bar], state, first, stop)
        for k in range(n + 1):
            _blank(results.stderr[k, bar], state, first, stop)
    counts = results.n_obs[bar, first:stop]
    too_few = missing = n_left = 0
    for j in range(stop - first):
        too_few += state[j] == TOO_FEW
        missing += state[j] == MISSING
        n_left += state[j] == UNSTABLE
        counts[j] = -counts[j] if state[j] == UNSTABLE else counts[j]
    results.reasons[TOO_FEW] += too_few
    results.reasons[MISSING] += missing
    return n_left


@compiled
def _blank(
    row: Float[np.ndarray, " assets"],
    state: Float[np.ndarray, " lanes"],
    first: int,
    stop: int,
) -> None:
    """Write NaN over the assets of a tile that are not fitted."""
    target = row[first:stop]
    for j in range(stop - first):
        target[j] = target[j] if state[j] == FITTED else np.nan


@compiled
def leave_quality(
    rules: Rules,
    results: Results,
    scratch: Scratch,
    bar: int,
    tile: Tile,
) -> int:
    """Write R2 and inference of a bar from its coefficients; return how many are left to QR."""
    n = results.coefficients.shape[0] - 1
    lanes = tile.stop - tile.first
    room, facts = scratch.room, scratch.facts
    total, rest = room[PLACES.total], room[PLACES.rest]
    start = n_own_sums(n) - scratch.base
    first, square = scratch.sums[1, start], scratch.sums[1, start + n + 1]
    inverse_weight = facts[facts_layout(n).weight]
    if rules.intercept:
        for j in range(lanes):
            total[j] = square[j] - first[j] * first[j] * inverse_weight[j]
    else:
        for j in range(lanes):
            total[j] = square[j]
    ridge = rules.ridge
    for k in range(n):
        beta = results.coefficients[1 + k, bar, tile.first : tile.stop]
        centred = room[PLACES.centred + k]
        source = rest if k else total
        for j in range(lanes):
            rest[j] = source[j] - beta[j] * (centred[j] + ridge * beta[j])
    r2 = results.r2[bar, tile.first : tile.stop]
    for j in range(lanes):
        r2[j] = 1.0 - rest[j] / total[j]
    if rules.level == 2:
        _leave_inference(rules, results, room, facts, bar, tile)
    lost = 0
    state = room[PLACES.state]
    for j in range(lanes):
        lost += (state[j] == FITTED) & (not rest[j] > SMALLEST_RESIDUAL * total[j])
    if lost:
        counts = results.n_obs[bar, tile.first : tile.stop]
        for j in range(lanes):
            if state[j] == FITTED and not rest[j] > SMALLEST_RESIDUAL * total[j]:
                counts[j] = -counts[j]
    return lost


@compiled
def _leave_inference(
    rules: Rules,
    results: Results,
    room: Float[np.ndarray, "places lanes"],
    facts: Float[np.ndarray, "n_facts lanes"],
    bar: int,
    tile: Tile,
) -> None:
    """Write standard errors and condition numbers of one bar."""
    n = results.coefficients.shape[0] - 1
    known = facts_layout(n)
    lanes = tile.stop - tile.first
    n_coefficients = n + rules.intercept
    rest, count, sigma = room[PLACES.rest], room[PLACES.counted], room[PLACES.sigma]
    for j in range(lanes):
        sigma[j] = np.sqrt(rest[j] / (count[j] - n_coefficients))
    for k in range(n + 1):
        error = results.stderr[k, bar, tile.first : tile.stop]
        spread = facts[known.spread + k]
        for j in range(lanes):
            error[j] = sigma[j] * spread[j]
    condition = results.condition[bar, tile.first : tile.stop]
    source = facts[known.condition]
    for j in range(lanes):
        condition[j] = source[j]
