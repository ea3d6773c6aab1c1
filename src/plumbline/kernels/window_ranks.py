"""Rank of the latest value among those of its trailing window, by counting."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled


@compiled
def fill_ranks(
    x: Float[np.ndarray, " bars"], window: int, min_obs: int, out: Float[np.ndarray, " bars"]
) -> None:
    """Write the average rank, as a share of the values in the window, of each value of one asset.

    O(T·W) comparisons, a vector of them at a time, which beats a search tree up to long windows.
    """
    count = 0
    for row in range(x.shape[0]):
        value = x[row]
        first = max(row - window + 1, 0)
        is_there = np.abs(value) < np.inf
        count += is_there
        if row >= window:
            count -= np.abs(x[row - window]) < np.inf
        if not is_there or count < min_obs:
            out[row] = np.nan
            continue
        lower, equal = _count(x[first : row + 1], value)
        out[row] = (lower + 0.5 * (equal + 1)) / count


@compiled
def _count(values: Float[np.ndarray, " rows"], value: float) -> tuple[int, int]:
    """Return how many values are lower and how many equal; a missing one is neither."""
    lower, equal = 0, 0
    for i in range(values.shape[0]):
        lower += -np.inf < values[i] < value
        equal += values[i] == value
    return lower, equal
