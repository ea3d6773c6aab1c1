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
    Panels,
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
    n_coefficients = float(results.coefficients.shape[0] - 1 + rules.intercept)
    state, freedom, counted = room[PLACES.state], room[PLACES.freedom], scratch.sums[1, 0]
    unfitted = 0
    for j in range(tile.stop - tile.first):
        value = counted[j]
        found = UNSTABLE if unstable[j] > 0.0 else FITTED
        found = TOO_FEW if value < least else found
        found = MISSING if propagate & (value < n_rows) else found
        state[j] = found
        unfitted += found != FITTED
    for j in range(tile.stop - tile.first):
        n_obs[j] = np.int32(counted[j])
    if rules.level == 2:
        for j in range(tile.stop - tile.first):
            freedom[j] = 1.0 / (counted[j] - n_coefficients)
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
            _blank(results.tstat[k, bar], state, first, stop)
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
def leave_quality(rules: Rules, results: Results, scratch: Scratch, bar: int, tile: Tile) -> int:
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
    state = room[PLACES.state]
    kept = 0
    for j in range(lanes):
        r2[j] = 1.0 - rest[j] / total[j]
    for j in range(lanes):
        kept += (rest[j] > SMALLEST_RESIDUAL * square[j]) | (state[j] != FITTED)
    if rules.level == 2:
        _leave_inference(results, room, facts, bar, tile)
    if kept < lanes:
        counts = results.n_obs[bar, tile.first : tile.stop]
        for j in range(lanes):
            if state[j] == FITTED and not rest[j] > SMALLEST_RESIDUAL * square[j]:
                counts[j] = -counts[j]
    return lanes - kept


@compiled
def _leave_inference(
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
    rest, freedom = room[PLACES.rest], room[PLACES.freedom]
    sigma, certainty = room[PLACES.sigma], room[PLACES.certainty]
    for j in range(lanes):
        sigma[j] = np.sqrt(rest[j] * freedom[j])
    for j in range(lanes):
        certainty[j] = 1.0 / sigma[j]
    for k in range(n + 1):
        error = results.stderr[k, bar, tile.first : tile.stop]
        tstat = results.tstat[k, bar, tile.first : tile.stop]
        coefficient = results.coefficients[k, bar, tile.first : tile.stop]
        spread, precision = facts[known.spread + k], facts[known.precision + k]
        for j in range(lanes):
            error[j] = sigma[j] * spread[j]
        for j in range(lanes):
            tstat[j] = coefficient[j] * (certainty[j] * precision[j])
    condition = results.condition[bar, tile.first : tile.stop]
    source = facts[known.condition]
    for j in range(lanes):
        condition[j] = source[j]


@compiled
def leave_residual(panels: Panels, rules: Rules, results: Results, bar: int, tile: Tile) -> None:
    """Write the residuals, ``lag`` bars on, of the coefficients of a bar; O(A·K)."""
    target = bar + rules.lag
    if target >= panels.y.shape[0]:
        return
    lanes = tile.stop - tile.first
    residual = results.residual[target, tile.first : tile.stop]
    y = panels.y[target, tile.first : tile.stop]
    alpha = results.coefficients[0, bar, tile.first : tile.stop]
    factor, beta = panels.x[target, 0], results.coefficients[1, bar, tile.first : tile.stop]
    for j in range(lanes):
        residual[j] = y[j] - alpha[j] - factor * beta[j]
    for k in range(1, panels.x.shape[1]):
        factor, beta = panels.x[target, k], results.coefficients[1 + k, bar, tile.first : tile.stop]
        for j in range(lanes):
            residual[j] -= factor * beta[j]
    for j in range(lanes):
        residual[j] = residual[j] if np.abs(residual[j]) < np.inf else np.nan
