"""Usable assets of one bar gathered group by group, and the means of groups taken out.

Taking its group's mean out of every column leaves what an intercept for each group leaves (Frisch
and Waugh 1933), without their dummies.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled, compiled_sums

# Deviations whose mean size is this small beside n times the largest mean are rounding.
_ROUNDING = 1e-15


class Room(NamedTuple):
    """Where the usable assets of a bar are gathered.

    ``rows`` are their exposures, ``spare`` signals, root weights and residuals. ``order`` lists
    assets by group, ``starts`` the first place of each group in it and the place past the last;
    ``ends`` are the places past the groups that were gathered.
    """

    rows: Float[np.ndarray, "assets exposures"]
    spare: Float[np.ndarray, "three assets"]
    places: Int[np.ndarray, " assets"]
    order: Int[np.ndarray, " assets"]
    starts: Int[np.ndarray, " bounds"]
    ends: Int[np.ndarray, " assets"]


@compiled
def make_room(n_assets: int, n: int, n_kinds: int) -> Room:
    """Return room for bars of one group until they are sorted into more."""
    starts = np.full(n_kinds + 2, n_assets)
    starts[0] = 0
    return Room(
        rows=np.empty((n_assets, n)),
        spare=np.empty((3, n_assets)),
        places=np.empty(n_assets, np.int64),
        order=np.arange(n_assets),
        starts=starts,
        ends=np.empty(n_assets, np.int64),
    )


@compiled
def sort_by_group(groups: Int[np.ndarray, " assets"], room: Room) -> None:
    """List the assets that have a group, group by group."""
    order, starts = room.order, room.starts
    starts[:] = 0
    for a in range(groups.shape[0]):
        if groups[a] >= 0:
            starts[groups[a] + 2] += 1
    for g in range(1, starts.shape[0]):
        starts[g] += starts[g - 1]
    for a in range(groups.shape[0]):  # moves the start of each group to that of the next
        if groups[a] >= 0:
            order[starts[groups[a] + 1]] = a
            starts[groups[a] + 1] += 1


@compiled
def gather(
    signal: Float[np.ndarray, " assets"],
    exposures: Float[np.ndarray, "assets exposures"],
    weights: Float[np.ndarray, " weighted_assets"],
    room: Room,
) -> tuple[int, int, int]:
    """Copy the usable assets of a bar that share their group with another.

    Returns
    -------
    Assets copied, groups they are in, usable assets that are alone.
    """
    rows, spare, places = room.rows, room.spare, room.places
    order, starts, ends = room.order, room.starts, room.ends
    count, n_groups, n_alone = 0, 0, 0
    for g in range(starts.shape[0] - 2):
        first = count
        for i in range(starts[g], starts[g + 1]):
            a = order[i]
            check = signal[a] * 0.0
            for k in range(exposures.shape[1]):
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
        if count == first + 1:
            n_alone += 1
            count = first
        elif count > first:
            ends[n_groups] = count
            n_groups += 1
    return count, n_groups, n_alone


@compiled
def lay_out_groups(
    room: Room,
    n_groups: int,
    roots: Float[np.ndarray, " weighted_assets"],
    columns: Float[np.ndarray, "columns assets"],
    origin: Float[np.ndarray, " columns"],
) -> None:
    """Write every column less the mean of each group, the signal last.

    What only rounding leaves of a column becomes 0.
    """
    last, count = columns.shape[0] - 1, columns.shape[1]
    rows, response, weight = room.rows, room.spare[0], room.spare[2]
    ends = room.ends[:n_groups]
    if roots.shape[0]:
        roots /= roots.max()
        for j in range(count):
            weight[j] = roots[j] * roots[j]
    else:
        weight[:count] = 1.0
    for k in range(last):
        column = columns[k]
        for j in range(count):
            column[j] = rows[j, k]
    columns[last] = response[:count]
    for k in range(0, last + 1, 3):
        triple = (columns[k], columns[min(k + 1, last)], columns[min(k + 2, last)])
        level = _take_group_means(triple, ends, weight, min(last + 1 - k, 3))
        for i in range(min(last + 1 - k, 3)):
            if _sum_of_sizes(columns[k + i]) <= _ROUNDING * count * count * level[i]:
                columns[k + i] = 0.0
    origin[:] = 0.0


@compiled
def _take_group_means(
    columns: tuple[Float[np.ndarray, " a"], Float[np.ndarray, " a"], Float[np.ndarray, " a"]],
    ends: Int[np.ndarray, " groups"],
    weight: Float[np.ndarray, " assets"],
    n_columns: int,
) -> tuple[float, float, float]:
    """Take the mean of each group out of up to three columns; return their largest means.

    Values are added up less the first of their group, so that constants leave exact zeros.
    """
    a, b, c = columns
    level_a, level_b, level_c = 0.0, 0.0, 0.0
    first = 0
    for g in range(ends.shape[0]):
        stop, total = ends[g], 0.0
        start_a, start_b, start_c = a[first], b[first], c[first]
        mean_a, mean_b, mean_c = 0.0, 0.0, 0.0
        for j in range(first, stop):
            total += weight[j]
            mean_a += weight[j] * (a[j] - start_a)
            mean_b += weight[j] * (b[j] - start_b)
            mean_c += weight[j] * (c[j] - start_c)
        mean_a, mean_b, mean_c = mean_a / total, mean_b / total, mean_c / total
        for j in range(first, stop):
            a[j] = (a[j] - start_a) - mean_a
        for j in range(first, stop if n_columns > 1 else first):
            b[j] = (b[j] - start_b) - mean_b
        for j in range(first, stop if n_columns > 2 else first):
            c[j] = (c[j] - start_c) - mean_c
        level_a = max(level_a, abs(start_a + mean_a))
        level_b = max(level_b, abs(start_b + mean_b))
        level_c = max(level_c, abs(start_c + mean_c))
        first = stop
    return level_a, level_b, level_c


@compiled_sums
def _sum_of_sizes(column: Float[np.ndarray, " assets"]) -> float:
    total = 0.0
    for j in range(column.shape[0]):
        total += np.abs(column[j])
    return total
