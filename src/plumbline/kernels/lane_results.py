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
    state = room[PLACES.state]
    n_left = 0
    for a in range(tile.first, tile.stop):
        reason = int(state[a - tile.first])
        if reason == FITTED:
            continue
        for k in range(n + 1):
            results.coefficients[k, bar, a] = np.nan
        if rules.level > 0:
            results.r2[bar, a] = np.nan
        if rules.level == 2:
            results.condition[bar, a] = np.nan
            for k in range(n + 1):
                results.stderr[k, bar, a] = np.nan
                results.tstat[k, bar, a] = np.nan
        if reason == UNSTABLE:
            results.n_obs[bar, a] = -results.n_obs[bar, a]
            n_left += 1
        else:
            results.reasons[reason] += 1
    return n_left


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
    for j in range(lanes):
        rest[j] = total[j]
    for k in range(n):
        beta = results.coefficients[1 + k, bar, tile.first : tile.stop]
        centred = room[PLACES.centred + k]
        for j in range(lanes):
            rest[j] -= beta[j] * (centred[j] + rules.ridge * beta[j])
    r2 = results.r2[bar, tile.first : tile.stop]
    for j in range(lanes):
        r2[j] = 1.0 - rest[j] / total[j]
    if rules.level == 2:
        _leave_inference(rules, results, room, facts, bar, tile)
    lost = 0
    state = room[PLACES.state]
    for j in range(lanes):
        lost += (state[j] == FITTED) and not rest[j] > SMALLEST_RESIDUAL * total[j]
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
    """Write standard errors, t statistics and condition numbers of one bar."""
    n = results.coefficients.shape[0] - 1
    known = facts_layout(n)
    lanes = tile.stop - tile.first
    n_coefficients = n + rules.intercept
    rest, count, sigma = room[PLACES.rest], room[PLACES.count], room[PLACES.sigma]
    for j in range(lanes):
        sigma[j] = np.sqrt(rest[j] / (count[j] - n_coefficients))
    for k in range(n + 1):
        error = results.stderr[k, bar, tile.first : tile.stop]
        ratio = results.tstat[k, bar, tile.first : tile.stop]
        spread = facts[known.spread + k]
        for j in range(lanes):
            error[j] = sigma[j] * spread[j]
        value = results.coefficients[k, bar, tile.first : tile.stop]
        for j in range(lanes):
            ratio[j] = value[j] / error[j]
    condition = results.condition[bar, tile.first : tile.stop]
    source = facts[known.condition]
    for j in range(lanes):
        condition[j] = source[j]
