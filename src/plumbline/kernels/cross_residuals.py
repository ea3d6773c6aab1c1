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
    stands_out,
)
from plumbline.kernels.compilation import compiled, compiled_sums
from plumbline.kernels.cross_groups import gather, lay_out_groups, make_room, sort_by_group

FITTED, TOO_FEW, DEFICIENT, TOO_LARGE = 0, 1, 2, 3

# Values from here on may overflow when they are added up.
_LARGE = 1e290

# What the mean may leave of a column's squared length, its first value out, for a quick fit.
_SMALLEST_SHARE = 0.05


@compiled
def leave_residuals(
    signal: Float[np.ndarray, "bars assets"],
    exposures: Float[np.ndarray, "bars assets exposures"],
    weights: Float[np.ndarray, "weighted_bars weighted_assets"],
    groups: Int[np.ndarray, "grouped_bars grouped_assets"],
    residuals: Float[np.ndarray, "bars assets"],
    states: Int[np.ndarray, "two bars"],
) -> None:
    """Write the residuals of every bar, why a bar has none, how many assets are alone; O(T·A·P²).

    ``groups`` are numbers from 0, -1 for none, one row for all bars or one for each; without rows
    all assets are one group. An asset alone in its group has no residual.
    """
    n_bars, n_assets, n = exposures.shape
    grouped, weighted = groups.shape[0] > 0, weights.shape[0] > 0
    room = make_room(n_assets, n, max(groups.max() + 1, 1) if groups.size else 1)
    rows, spare, places = room.rows, room.spare, room.places
    block = np.empty((n + 1) * n_assets)
    origin, sums = np.empty(n + 1), np.empty(n + 3)
    gram = np.empty((n + 3, n + 3))
    flat = exposures.reshape((n_bars, n_assets * n))
    none = spare[0, :0]
    for bar in range(n_bars):
        out = residuals[bar]
        whole = n_assets >= n + 2 and not weighted and not grouped
        if whole and _are_finite(signal[bar]) and _are_finite(flat[bar]):
            columns = block.reshape((n + 1, n_assets))
            _lay_out(signal[bar], exposures[bar], columns, origin)
            states[0, bar], states[1, bar] = FITTED, 0
            if not _fit_quickly(columns, origin, sums, gram, out):
                states[0, bar] = _fit_carefully(columns, origin, none, sums, gram, out)
            continue
        out[:] = np.nan
        if bar < groups.shape[0]:
            sort_by_group(groups[bar], room)
        given = weights[bar] if weighted else none
        count, n_groups, states[1, bar] = gather(signal[bar], exposures[bar], given, room)
        if count < n + n_groups + 1:
            states[0, bar] = TOO_FEW
            continue
        roots, residual = spare[1, : count if weighted else 0], spare[2, :count]
        columns = block[: (n + 1) * count].reshape((n + 1, count))
        if n_groups > 1:
            lay_out_groups(room, n_groups, roots, columns, origin)
        else:
            _lay_out(spare[0, :count], rows[:count], columns, origin)
        states[0, bar] = FITTED
        if weighted or not _fit_quickly(columns, origin, sums, gram, residual):
            states[0, bar] = _fit_carefully(columns, origin, roots, sums, gram, residual)
        for j in range(count):
            out[places[j]] = residual[j]


@compiled_sums
def _are_finite(values: Float[np.ndarray, " values"]) -> bool:
    """Return whether all are: a value that is not finite stays so when 0 times it is added.

    Reading a bar in order once before its columns are picked out costs nothing in all.
    """
    check = 0.0
    for j in range(values.shape[0]):
        check += values[j] * 0.0
    return check == 0.0


@compiled
def _lay_out(
    signal: Float[np.ndarray, " assets"],
    rows: Float[np.ndarray, "assets exposures"],
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
) -> None:
    """Write every column less its first value, the signal last: a constant leaves exact zeros."""
    n_assets, n = rows.shape
    for k in range(n):
        column, start = columns[k], rows[0, k]
        for a in range(n_assets):
            column[a] = rows[a, k] - start
        origin[k] = start
    column, start = columns[n], signal[0]
    for a in range(n_assets):
        column[a] = signal[a] - start
    origin[n] = start


@compiled
def _fit_quickly(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    sums: Float[np.ndarray, " size"],
    gram: Float[np.ndarray, "size size"],
    out: Float[np.ndarray, " assets"],
) -> bool:
    """Write the residuals of a bar, or return False where that would lose digits.

    Means are taken out of the products instead of the columns, which saves passes over these.
    """
    last, count = columns.shape[0] - 1, columns.shape[1]
    multiply(columns, gram, sums)
    for k in range(last + 1):
        if not np.abs(origin[k]) + np.abs(sums[k]) < _LARGE:
            return False
        raw, mean = gram[k, k], sums[k] / count
        for i in range(k, last + 1):
            gram[i, k] -= mean * sums[i]
        if not gram[k, k] > _SMALLEST_SHARE * raw:
            return False
        whole = (origin[k] + mean) ** 2 * count
        if k < last and not stands_out(gram[k, k], whole, count):
            return False
    if factorise(gram, last) < REFINED_BELOW:
        return False
    constant = sums[last]
    for k in range(last):
        constant -= gram[last, k] * sums[k]
    _subtract(columns, gram, constant / count)
    response = columns[last]
    for j in range(count):
        out[j] = response[j]
    return True


@compiled
def _fit_carefully(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
    sums: Float[np.ndarray, " size"],
    gram: Float[np.ndarray, "size size"],
    out: Float[np.ndarray, " assets"],
) -> int:
    """Write the residuals of a bar, weighted or not; return its state."""
    last, count = columns.shape[0] - 1, columns.shape[1]
    if not _centre(columns, origin, roots):
        out[:] = np.nan
        return TOO_LARGE
    multiply(columns, gram, sums)
    vary = True
    for k in range(last):
        vary = vary and stands_out(gram[k, k], origin[k] ** 2, count)
    smallest = factorise(gram, last) if vary else 0.0
    response = columns[last]
    rank = last
    if smallest > ORTHOGONAL_BELOW:
        _subtract(columns, gram, 0.0)
        if smallest < REFINED_BELOW:
            for k in range(last):
                gram[last, k] = dot(columns[k], response)
            solve(gram, last)
            _subtract(columns, gram, 0.0)
    else:
        rank = project(columns, origin)
    for j in range(count):
        out[j] = response[j]
    if roots.shape[0]:
        for j in range(count):
            out[j] /= roots[j]
    return FITTED if rank == last else DEFICIENT


@compiled
def _centre(
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
    roots: Float[np.ndarray, " weighted_assets"],
) -> bool:
    """Take the mean out of every column and scale by root weights; False where values overflow.

    The length that a column had with its mean is left in ``origin``.
    """
    n_columns, count = columns.shape
    total = float(count)
    if roots.shape[0]:
        roots /= roots.max()
        total = dot(roots, roots)
    for k in range(n_columns):
        column = columns[k]
        mean = _sum(column, roots) / total
        if not np.abs(origin[k]) + np.abs(mean) * count < _LARGE:
            return False
        for j in range(count):
            column[j] -= mean
        if roots.shape[0]:
            for j in range(count):
                column[j] *= roots[j]
        origin[k] = np.abs(origin[k] + mean) * np.sqrt(total)
    return True


@compiled_sums
def _sum(
    column: Float[np.ndarray, " assets"], roots: Float[np.ndarray, " weighted_assets"]
) -> float:
    """Return the sum of a column, weighted by squared roots if there are any."""
    total = 0.0
    if roots.shape[0]:
        for j in range(column.shape[0]):
            total += roots[j] * roots[j] * column[j]
    else:
        for j in range(column.shape[0]):
            total += column[j]
    return total


@compiled
def _subtract(
    columns: Float[np.ndarray, "columns assets"],
    gram: Float[np.ndarray, "size size"],
    constant: float,
) -> None:
    """Take a constant and the fitted values out of the last column, three exposures at a time."""
    last, count = columns.shape[0] - 1, columns.shape[1]
    response, slopes = columns[last], gram[last]
    if last == 0:
        for j in range(count):
            response[j] -= constant
    for k in range(0, last, 3):
        first, second, third = columns[k], columns[min(k + 1, last)], columns[min(k + 2, last)]
        a, b, c = slopes[k], slopes[min(k + 1, last)], slopes[min(k + 2, last)]
        if k + 2 < last:
            for j in range(count):
                response[j] -= constant + a * first[j] + b * second[j] + c * third[j]
        elif k + 1 < last:
            for j in range(count):
                response[j] -= constant + a * first[j] + b * second[j]
        else:
            for j in range(count):
                response[j] -= constant + a * first[j]
        constant = 0.0
