"""The compiled loop of recursive regressions over anchored blocks of bars.

Assets whose rows were all there since the start of a filter share its matrices; an asset takes a
copy of them at its first gap. What is done to a copy is what is done to the shared ones, so that no
bit of an asset depends on other assets, or on gaps to come.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled
from plumbline.kernels.filter_steps import (
    Gains,
    Recursion,
    States,
    advance,
    factorise,
    observe,
    solve,
)


class Filtered(NamedTuple):
    """Room for results: coefficients, intercept first, NaN; rows of each fit, 0; R², NaN."""

    coefficients: Float[np.ndarray, "coefficients bars assets"]
    n_obs: Int[np.ndarray, "bars assets"]
    r2: Float[np.ndarray, "bars assets"]


@compiled
def run_filters(
    y: Float[np.ndarray, "bars assets"],
    x: Float[np.ndarray, "bars coefficients"],
    rules: Recursion,
    out: Filtered,
) -> None:
    """Start a filter a block before each anchor block, and write its fits in the block.

    Parameters
    ----------
    y : returns; what is not finite is missing.
    x : the design, a column of ones first; a row with a value that is not finite is missing.
    rules : how coefficients move.
    out : filled.
    """
    n_bars, n_assets = y.shape
    n = x.shape[1]
    size = (n_assets + 1, n, n)
    is_regular = np.zeros(n_assets + 1, np.bool_)
    gains = Gains(np.zeros(size), np.zeros(size), np.zeros(size), is_regular, np.zeros((n, n)))
    states = States(
        np.zeros(n_assets, np.int64),
        np.zeros(n_assets, np.int64),
        np.zeros((n_assets, n)),
        np.zeros((n_assets, 4)),
        np.zeros((2, n)),
    )
    for head in range(-rules.offset, n_bars, rules.memory):
        gains.information[:] = 0.0
        states.place[:] = 0
        states.counts[:] = 0
        states.vector[:] = 0.0
        states.sums[:] = 0.0
        for bar in range(max(head - rules.memory, 0), min(head + rules.memory, n_bars)):
            _take_bar(y[bar], x[bar], gains, states, rules)
            if bar >= head:
                _write_fits(bar, gains, states, rules, out)


@compiled
def _take_bar(
    y: Float[np.ndarray, " assets"],
    x: Float[np.ndarray, " coefficients"],
    gains: Gains,
    states: States,
    rules: Recursion,
) -> None:
    """Bring every asset's filter to a bar. O(C³ + A·C²) without gaps, O(A·C³) with them."""
    has_design = True
    for i in range(x.shape[0]):
        has_design = has_design and np.abs(x[i]) < np.inf
    for a in range(y.shape[0]):
        has_row = has_design and np.abs(y[a]) < np.inf
        if has_design and not has_row and states.place[a] == 0:
            states.place[a] = a + 1
            gains.information[a + 1] = gains.information[0]
    advance(gains, 0, x, has_design, rules)
    for a in range(y.shape[0]):
        has_row = has_design and np.abs(y[a]) < np.inf
        p = states.place[a]
        if p != 0:
            advance(gains, p, x, has_row, rules)
        observe(states, a, gains.fade[p], x, y[a] if has_row else np.nan, rules)


@compiled
def _write_fits(bar: int, gains: Gains, states: States, rules: Recursion, out: Filtered) -> None:
    """Write the fit of every asset that has enough rows and independent factors."""
    factorise(gains, 0)
    for a in range(states.place.shape[0]):
        p = states.place[a]
        if p != 0:
            factorise(gains, p)
        out.n_obs[bar, a] = states.counts[a]
        if states.counts[a] >= rules.min_obs and gains.is_regular[p]:
            is_finite, r2 = solve(states, a, gains.factor[p])
            if is_finite:
                for i in range(states.room.shape[1]):
                    out.coefficients[i, bar, a] = states.room[1, i]
                out.r2[bar, a] = r2
