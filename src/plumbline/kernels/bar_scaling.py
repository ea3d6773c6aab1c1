"""Clips, scores and ranks of one bar after the other across its assets, in place.

A value that is NaN is not in its bar's cross-section and stays NaN. Sums run over the values that
are there, one beside the other, so that missing assets change no bit of the others.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from plumbline.kernels.asset_least_squares import dot, stands_out
from plumbline.kernels.compilation import compiled, compiled_sums
from plumbline.kernels.normal_quantile import normal_quantile
from plumbline.kernels.rank_correlation import centred_ranks
from plumbline.kernels.window_quantiles import between

# Values from here on may overflow when they are added up; a power of two takes no digit off them.
_LARGE, _SMALL = 1e290, 2.0**-200

_TABLES = 64  # numbers of values that normal quantiles are kept for


@compiled
def fill_usable(
    x: Float[np.ndarray, "bars assets"],
    mask: Bool[np.ndarray, "mask_bars mask_assets"],
    values: Float[np.ndarray, "bars assets"],
) -> None:
    """Copy what is finite and not masked, NaN for the rest; a mask without rows masks nothing.

    -0.0 becomes 0.0, so that an order of values says which bits come first.
    """
    for bar in range(x.shape[0]):
        source, target = x[bar], values[bar]
        for a in range(source.shape[0]):
            target[a] = source[a] + 0.0 if np.abs(source[a]) < np.inf else np.nan
        if mask.shape[0]:
            inside = mask[bar]
            for a in range(source.shape[0]):
                target[a] = target[a] if inside[a] else np.nan


@compiled
def clip(
    values: Float[np.ndarray, "bars assets"],
    ordered: Float[np.ndarray, "bars assets"],
    low: float,
    high: float,
) -> None:
    """Clip bars at two of their quantiles, given their values in order, NaN last. O(T·A)."""
    for bar in range(values.shape[0]):
        row = values[bar]
        count = 0
        for a in range(row.shape[0]):
            count += row[a] == row[a]
        if count == 0:
            continue
        floor = _quantile(ordered[bar, :count], low)
        ceiling = _quantile(ordered[bar, :count], high)
        for a in range(row.shape[0]):
            value = row[a]
            value = floor if value < floor else value
            row[a] = ceiling if value > ceiling else value


@compiled
def _quantile(ordered: Float[np.ndarray, " values"], q: float) -> float:
    """Return a quantile of sorted values, interpolated linearly."""
    exact = q * (ordered.shape[0] - 1)
    place = int(exact)
    above = ordered[min(place + 1, ordered.shape[0] - 1)]
    return between(ordered[place], above, exact - place)


@compiled
def standardise(values: Float[np.ndarray, "bars assets"], ddof: int) -> None:
    """Take its mean out of every bar and divide it by its standard deviation. O(T·A).

    NaN for a bar with ``ddof`` values or fewer, or one; or whose deviation is none, or rounding.
    """
    packed = np.empty(values.shape[1])
    for bar in range(values.shape[0]):
        row = values[bar]
        count = _pack(row, packed)
        there = packed[:count]
        scale = np.nan
        if count > max(ddof, 1):
            scale = centre(there)
            square = dot(there, there)
            if stands_out(square, float(count) * scale * scale, count):
                scale = np.sqrt(square / (count - ddof))
            else:
                scale = np.nan
        place = 0
        for a in range(row.shape[0]):
            if row[a] == row[a]:
                row[a] = there[place] / scale
                place += 1


@compiled
def _pack(row: Float[np.ndarray, " assets"], packed: Float[np.ndarray, " assets"]) -> int:
    """Copy the values that are there side by side; return their number."""
    count = 0
    for a in range(row.shape[0]):
        packed[count] = row[a]
        count += row[a] == row[a]
    return count


@compiled
def centre(there: Float[np.ndarray, " values"]) -> float:
    """Turn values into deviations from their mean, the largest 1; return the largest value then.

    The first value is taken off before they are added up, so that equal ones leave exact zeros; of
    these infinity is returned.
    """
    largest, peak = 0.0, 0.0
    for j in range(there.shape[0]):
        largest = max(largest, np.abs(there[j]))
    unit = _SMALL if largest > _LARGE else 1.0
    start = there[0] * unit
    for j in range(there.shape[0]):
        there[j] = there[j] * unit - start
    mean = _sum(there) / there.shape[0]
    for j in range(there.shape[0]):
        there[j] -= mean
        peak = max(peak, np.abs(there[j]))
    if not (0.0 < peak < np.inf):
        return np.inf
    for j in range(there.shape[0]):
        there[j] /= peak
    return largest * unit / peak


@compiled_sums
def _sum(values: Float[np.ndarray, " values"]) -> float:
    total = 0.0
    for j in range(values.shape[0]):
        total += values[j]
    return total


@compiled
def replace_by_ranks(
    values: Float[np.ndarray, "bars assets"],
    keys: Int[np.ndarray, "bars panels assets"],
    bits: int,
    is_normal: bool,
) -> None:
    """Write (rank - 0.5) / n, or the normal quantile of it, given sorted keys of the bars. O(T·A).

    Quantiles are kept for the numbers of values that bars had.
    """
    n_bars, n_assets = values.shape
    low = (np.int64(1) << np.int64(bits)) - np.int64(1)
    order, runs = np.empty(n_assets, np.uint64), np.empty(n_assets, np.int64)
    ranks = np.empty(n_assets)
    n_tables = min(n_assets + 1, _TABLES) if is_normal else 0
    tables, owners = np.empty((n_tables, 2 * n_assets)), np.zeros(n_tables, np.int64)
    for bar in range(n_bars):
        row = values[bar]
        count, _ = centred_ranks(row, keys[bar, 0], low, order, runs, ranks)
        if not is_normal:
            for a in range(n_assets):
                if row[a] == row[a]:
                    row[a] = (ranks[a] + count) / (2.0 * count)
            continue
        table = tables[count % n_tables]
        if owners[count % n_tables] != count:
            owners[count % n_tables] = count
            table[: 2 * count] = np.nan
        for a in range(n_assets):
            if row[a] == row[a]:
                place = int(ranks[a]) + count
                if np.isnan(table[place]):
                    table[place] = normal_quantile(ranks[a] / (2.0 * count))
                row[a] = table[place]
