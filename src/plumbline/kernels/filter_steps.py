"""The steps of a filter in information form: fade, observe, solve.

A filter keeps the information matrix Λ = P⁻¹ and the vector η = Λβ, in units of the observation
noise. Λ = 0 is a diffuse start, exactly; no large number stands for infinity. Between two bars the
coefficients move by a random walk with standard deviations D, and weights fade by λ: with
M = (I + ΛD²)⁻¹, Λ becomes λMΛ and η becomes λMη. An observation adds xx' and xy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.compilation import compiled

_PIVOT = 1e-10  # share of its diagonal below which a pivot says that a matrix is singular
_SMALLEST = 1e-290  # a diagonal below it has lost digits to underflow


class Recursion(NamedTuple):
    """How coefficients move and where filters start.

    Parameters
    ----------
    memory : bars of an anchor block.
    offset : place of row 0 in its block.
    min_obs : rows that a fit needs since its filter's start.
    forgetting : λ, share of a row's weight that is left a bar later.
    drift : (C,) D, standard deviation of each coefficient's change per bar over the noise's,
        intercept first.
    """

    memory: int
    offset: int
    min_obs: int
    forgetting: float
    drift: Float[np.ndarray, " coefficients"]


class Gains(NamedTuple):
    """Matrices of filters: place 0 is shared, place a + 1 is asset a's own.

    Parameters
    ----------
    information : Λ.
    fade : M of the latest bar.
    factor : Cholesky factor of Λ.
    is_regular : whether Λ has one.
    room : working memory of the inverse.
    """

    information: Float[np.ndarray, "places coefficients coefficients"]
    fade: Float[np.ndarray, "places coefficients coefficients"]
    factor: Float[np.ndarray, "places coefficients coefficients"]
    is_regular: Bool[np.ndarray, " places"]
    room: Float[np.ndarray, "coefficients coefficients"]


class States(NamedTuple):
    """What a filter knows of each asset.

    Parameters
    ----------
    place : which of the gains are the asset's.
    counts : rows since the start.
    vector : η.
    sums : squares that the coefficients have to explain; weight, mean and squared deviations of
        the returns.
    room : working memory of a solution.
    """

    place: Int[np.ndarray, " assets"]
    counts: Int[np.ndarray, " assets"]
    vector: Float[np.ndarray, "assets coefficients"]
    sums: Float[np.ndarray, "assets four"]
    room: Float[np.ndarray, "two coefficients"]


@compiled
def advance(
    gains: Gains, p: int, x: Float[np.ndarray, " coefficients"], has_row: bool, rules: Recursion
) -> None:
    """Fade the information of a place by a bar and add a row's. O(C³)."""
    information, fade = gains.information[p], gains.fade[p]
    n = x.shape[0]
    _invert(information, rules.drift, fade, gains.room)
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += fade[i, k] * information[k, j]
            gains.room[i, j] = total
    for i in range(n):
        for j in range(i + 1):
            value = rules.forgetting * (0.5 * (gains.room[i, j] + gains.room[j, i]))
            if has_row:
                value += x[i] * x[j]
            information[i, j] = information[j, i] = value


@compiled
def _invert(
    information: Float[np.ndarray, "coefficients coefficients"],
    drift: Float[np.ndarray, " coefficients"],
    inverse: Float[np.ndarray, "coefficients coefficients"],
    room: Float[np.ndarray, "coefficients coefficients"],
) -> None:
    """Write (I + ΛD²)⁻¹ by elimination with the largest pivots."""
    n = drift.shape[0]
    for i in range(n):
        for j in range(n):
            room[i, j] = information[i, j] * (drift[j] * drift[j])
            inverse[i, j] = 0.0
        room[i, i] += 1.0
        inverse[i, i] = 1.0
    for k in range(n):
        largest = k
        for i in range(k + 1, n):
            if np.abs(room[i, k]) > np.abs(room[largest, k]):
                largest = i
        for j in range(n):
            room[k, j], room[largest, j] = room[largest, j], room[k, j]
            inverse[k, j], inverse[largest, j] = inverse[largest, j], inverse[k, j]
        pivot = room[k, k]
        for j in range(n):
            room[k, j] /= pivot
            inverse[k, j] /= pivot
        for i in range(n):
            share = room[i, k]
            if i != k and share != 0.0:
                for j in range(n):
                    room[i, j] -= share * room[k, j]
                    inverse[i, j] -= share * inverse[k, j]


@compiled
def factorise(gains: Gains, p: int) -> None:
    """Write the Cholesky factor of a place's information, and whether it has one. O(C³)."""
    information, factor = gains.information[p], gains.factor[p]
    n = information.shape[0]
    gains.is_regular[p] = True
    for i in range(n):
        for j in range(i + 1):
            total = information[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i != j:
                factor[i, j] = total / factor[j, j]
            elif total > _PIVOT * information[i, i] and _SMALLEST < information[i, i] < np.inf:
                factor[i, i] = np.sqrt(total)
            else:
                gains.is_regular[p] = False
                return


@compiled
def observe(
    states: States,
    a: int,
    fade: Float[np.ndarray, "coefficients coefficients"],
    x: Float[np.ndarray, " coefficients"],
    y: float,
    rules: Recursion,
) -> None:
    """Fade what is known of an asset by a bar and add its return, if it has one. O(C²)."""
    vector, sums, faded = states.vector[a], states.sums[a], states.room[0]
    forgetting = rules.forgetting
    explained = 0.0
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[0]):
            total += fade[i, j] * vector[j]
        faded[i] = total
        explained += rules.drift[i] * rules.drift[i] * vector[i] * total
    for i in range(x.shape[0]):
        vector[i] = forgetting * faded[i]
    sums[0] = forgetting * (sums[0] - explained)
    sums[1] *= forgetting
    sums[3] *= forgetting
    if np.abs(y) < np.inf:
        for i in range(x.shape[0]):
            vector[i] += x[i] * y
        sums[0] += y * y
        sums[1] += 1.0
        step = y - sums[2]
        sums[2] += step / sums[1]
        sums[3] += step * (y - sums[2])
        states.counts[a] += 1


@compiled
def solve(
    states: States, a: int, factor: Float[np.ndarray, "coefficients coefficients"]
) -> tuple[bool, float]:
    """Write an asset's coefficients into the room's second row; return if finite, and R². O(C²)."""
    vector, beta = states.vector[a], states.room[1]
    n = vector.shape[0]
    for i in range(n):
        total = vector[i]
        for j in range(i):
            total -= factor[i, j] * beta[j]
        beta[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = beta[i]
        for j in range(i + 1, n):
            total -= factor[j, i] * beta[j]
        beta[i] = total / factor[i, i]
    left, is_finite = states.sums[a, 0], True
    for i in range(n):
        left -= vector[i] * beta[i]
        is_finite = is_finite and np.abs(beta[i]) < np.inf
    total = states.sums[a, 3]
    if not (is_finite and 0.0 < total < np.inf and np.abs(left) < np.inf):
        return is_finite, np.nan
    return True, min(1.0 - left / total, 1.0)
