"""Coefficients of a bar from the factorised Gram matrix: one that all lanes share, or one each."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import types
from numba.extending import overload

from plumbline.kernels.compilation import compiled
from plumbline.kernels.fit_layout import PLACES, entry_of, facts_layout


def of_lane(fact: Any, lane: int) -> float:
    """Return a lane's own value from a row of them, or the one number that all lanes share."""
    return float(fact if np.ndim(fact) == 0 else fact[lane])


@overload(of_lane)
def _of_lane(fact: Any, lane: Any) -> Callable[[Any, Any], float]:  # noqa: ARG001  # numba's form
    """Choose by numba's type, so that a shared fact costs no load."""

    def own(fact: Any, lane: Any) -> float:
        return fact[lane]  # type: ignore[no-any-return]  # compiled

    def shared(fact: Any, lane: Any) -> float:  # noqa: ARG001  # arguments are matched by name
        return fact  # type: ignore[no-any-return]  # compiled

    # Annotation checks of a test run are no machine code.
    plain: Callable[[Any, Any], float] = inspect.unwrap(
        own if isinstance(fact, types.Array) else shared
    )
    return plain


@compiled
def solve_row(
    coefficients: Float[np.ndarray, "coefficients bars assets"],
    sums: Float[np.ndarray, "kept lanes"],
    room: Float[np.ndarray, "places lanes"],
    facts: Float[np.ndarray, "n_facts *lanes"],
    shift: Float[np.ndarray, " factors"],
    where: tuple[int, int, int, int],
) -> None:
    """Write the coefficients of one bar: slopes by substitution, alpha from the means; O(A·K²).

    ``sums`` holds Σwy, Σwxy; ``facts`` has one axis where all lanes share them. ``where`` is bar,
    first and last asset, and whether there is an intercept.
    """
    bar, first, stop, intercept = where
    n = shift.shape[0]
    known = facts_layout(n)
    lanes = stop - first
    total, base = sums[0], room[PLACES.shift]
    for k in range(n):
        mean, cross, centred = facts[known.mean + k], sums[1 + k], room[PLACES.centred + k]
        for j in range(lanes):
            centred[j] = cross[j] - of_lane(mean, j) * total[j]
    for k in range(1, n):
        share, solved = facts[known.factor + k], room[PLACES.centred]
        centred, target = room[PLACES.centred + k], coefficients[1 + k, bar, first:stop]
        for j in range(lanes):
            target[j] = centred[j] - of_lane(share, j) * solved[j]
        for i in range(1, k):
            share = facts[known.factor + entry_of(n, i, k)]
            solved = coefficients[1 + i, bar, first:stop]
            for j in range(lanes):
                target[j] -= of_lane(share, j) * solved[j]
    pivot, centred = facts[known.factor], room[PLACES.centred]
    beta = coefficients[1, bar, first:stop]
    for j in range(lanes):
        beta[j] = centred[j] * of_lane(pivot, j)
    for k in range(1, n):
        pivot = facts[known.factor + entry_of(n, k, k)]
        beta = coefficients[1 + k, bar, first:stop]
        for j in range(lanes):
            beta[j] *= of_lane(pivot, j)
    for k in range(n - 2, -1, -1):
        beta = coefficients[1 + k, bar, first:stop]
        for i in range(k + 1, n):
            share = facts[known.factor + entry_of(n, k, i)]
            other = coefficients[1 + i, bar, first:stop]
            for j in range(lanes):
                beta[j] -= of_lane(share, j) * other[j]
    alpha = coefficients[0, bar, first:stop]
    scale = facts[known.weight]
    for j in range(lanes):
        alpha[j] = base[j] + total[j] * of_lane(scale, j) if intercept else 0.0
    for k in range(n if intercept else 0):
        mean, step, beta = facts[known.mean + k], shift[k], coefficients[1 + k, bar, first:stop]
        for j in range(lanes):
            alpha[j] -= (step + of_lane(mean, j)) * beta[j]
