"""The largest size of each asset's values."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled


@compiled
def fill_largest(
    values: Float[np.ndarray, "bars assets"], largest: Float[np.ndarray, " assets"]
) -> None:
    """Write the largest finite size of each column, 0 where there is none. O(T·A)."""
    largest[:] = 0.0
    for t in range(values.shape[0]):
        row = values[t]
        for a in range(row.shape[0]):
            size = np.abs(row[a])
            largest[a] = size if largest[a] < size < np.inf else largest[a]
