"""Regression residuals of one bar after the other across assets.

A bar whose values are all there is read in place; of another the usable assets are copied first,
so that both go through the same operations and missing assets change no bit of the others.
"""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.asset_least_squares import (
    ORTHOGONAL_BELOW,
    REFINED_BELOW,
    dot,
    factorise,
    multiply,
    project,
    solve,
)
from plumbline.kernels.compilation import compiled, compiled_sums

FITTED, TOO_FEW, DEFICIENT, TOO_LARGE = 0, 1, 2, 3

# Values from here on may overflow when they are added up.
_LARGE = 1e290


@compiled
def leave_residuals(
    signal: Float[np.ndarray, "bars assets"],
    exposures: Float[np.ndarray, "bars assets exposures"],
    weights: Float[np.ndarray, "weighted_bars weighted_assets"],
    residuals: Float[np.ndarray, "bars assets"],
    states: Int[np.ndarray, " bars"],
) -> None:
    """Write the residuals of every bar and why a bar has none; O(T·A·P²)."""
    n_bars, n_assets, n = exposures.shape
    room = np.empty((n + 1) * n_assets)
    rows, spare = np.empty((n_assets, n)), np.empty((3, n_assets))
    places = np.empty(n_assets, np.int64)
    origin, sums = np.empty(n + 1), np.empty(n + 1)
    gram = np.empty((n + 3, n + 3))
    none = spare[0, :0]
    for bar in range(n_bars):
        out = residuals[bar]
        columns = room.reshape((n + 1, n_assets))
        whole = n_assets >= n + 2 and weights.shape[0] == 0
        if whole and _lay_out(signal[bar], exposures[bar], columns, origin, sums):
            states[bar] = _fit(columns, origin, sums, none, gram, out)
            continue
        out[:] = np.nan
        given = weights[bar] if weights.shape[0] else none
        count = _gather(signal[bar], exposures[bar], given, rows, spare, places)
        if count < n + 2:
            states[bar] = TOO_FEW
            continue
        columns = room[: (n + 1) * count].reshape((n + 1, count))
        if not _lay_out(spare[0, :count], rows[:count], columns, origin, sums):
            states[bar] = TOO_LARGE
            continue
        roots = spare[1, : count if weights.shape[0] else 0]
        if roots.shape[0]:
            roots /= roots.max()
        states[bar] = _fit(columns, origin, sums, roots, gram, spare[2, :count])
        for j in range(count):
            out[places[j]] = spare[2, j]


@compiled
def _gather(
    signal: Float[np.ndarray, " assets"],
    exposures: Float[np.ndarray, "assets exposures"],
    weights: Float[np.ndarray, " weighted_assets"],
    rows: Float[np.ndarray, "assets exposures"],
    spare: Float[np.ndarray, "three assets"],
    places: Int[np.ndarray, " assets"],
) -> int:
    """Copy the usable assets of a bar; return their count.

    An asset's check is a sum: a value that is not finite stays so when 0 times it is added.
    """
    n_assets, n = exposures.shape
    count = 0
    for a in range(n_assets):
        check = signal[a] * 0.0
        for k in range(n):
            value = exposures[a, k]
            rows[count, k] = value
            check += value * 0.0
        spare[0, count] = signal[a]
        places[count] = a
        if weights.shape[0]:
            weight = weights[a]
            spare[1, count] = np.sqrt(weight)
            if not (weight > 0.0 and weight < np.inf):
                check = np.nan
        count += check == 0.0
    return count


@compiled_sums
def _lay_out(
    signal: Float[np.ndarray, " assets"],
    rows: Float[np.ndarray, "assets exposures"],
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
) -> bool:
    """Write every column less its first value, the signal last, and its sum.

    The first value out, a constant column leaves exact zeros. False where a value is not finite,
    or too large to be added up.
    """
    n_assets, n = rows.shape
    for k in range(n + 1):
        column, total = columns[k], 0.0
        start = rows[0, k] if k < n else signal[0]
        if k < n:
            for a in range(n_assets):
                value = rows[a, k] - start
                column[a] = value
                total += value
        else:
            for a in range(n_assets):
                value = signal[a] - start
                column[a] = value
                total += value
        origin[k] = start
        sums[k] = total
        if not np.abs(start) + np.abs(total) < _LARGE:
            return False
    return True


@compiled
def _fit(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
    gram: Float[np.ndarray, "size size"],
    out: Float[np.ndarray, " assets"],
) -> int:
    """Write the residuals of one bar of usable assets; return its state."""
    last, count = columns.shape[0] - 1, columns.shape[1]
    _centre(columns, origin, sums, roots)
    multiply(columns, gram)
    smallest = factorise(gram, last)
    response = columns[last]
    state = FITTED
    if smallest > ORTHOGONAL_BELOW:
        _subtract(columns, gram, response)
        if smallest < REFINED_BELOW:
            for k in range(last):
                gram[last, k] = dot(columns[k], response)
            solve(gram, last)
            _subtract(columns, gram, response)
    else:
        rank = project(columns, sums)
        state = FITTED if rank == last else DEFICIENT
    if roots.shape[0]:
        for j in range(count):
            out[j] = response[j] / roots[j]
    else:
        for j in range(count):
            out[j] = response[j]
    return state


@compiled
def _centre(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
) -> None:
    """Take the mean out of every column and scale by root weights; leave lengths before that."""
    n_columns, count = columns.shape
    total = dot(roots, roots) if roots.shape[0] else float(count)
    for k in range(n_columns):
        column = columns[k]
        if roots.shape[0]:
            mean = _weighted_sum(roots, column) / total
            for j in range(count):
                column[j] = (column[j] - mean) * roots[j]
        else:
            mean = sums[k] / total
            for j in range(count):
                column[j] -= mean
        sums[k] = np.abs(origin[k] + mean) * np.sqrt(total)


@compiled_sums
def _weighted_sum(
    roots: Float[np.ndarray, " assets"], column: Float[np.ndarray, " assets"]
) -> float:
    """Return the sum of a column, weighted by squared roots."""
    total = 0.0
    for j in range(roots.shape[0]):
        total += roots[j] * roots[j] * column[j]
    return total


@compiled
def _subtract(
    columns: Float[np.ndarray, "columns assets"],
    gram: Float[np.ndarray, "size size"],
    response: Float[np.ndarray, " assets"],
) -> None:
    """Take the fitted values out of the response, three exposures at a time."""
    last, count = columns.shape[0] - 1, columns.shape[1]
    slopes = gram[last]
    whole = last - last % 3
    for k in range(0, whole, 3):
        first, second, third = columns[k], columns[k + 1], columns[k + 2]
        a, b, c = slopes[k], slopes[k + 1], slopes[k + 2]
        for j in range(count):
            response[j] -= a * first[j] + b * second[j] + c * third[j]
    for k in range(whole, last):
        column, a = columns[k], slopes[k]
        for j in range(count):
            response[j] -= a * column[j]
