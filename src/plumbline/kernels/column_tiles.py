"""Assets beside each other, copied so that the bars of each lie side by side, and back.

A panel keeps a bar's assets together; what runs along time wants an asset's bars together. A tile
of a few assets uses the whole of each cache line while it is near.
"""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled

TILE = 8  # assets: a cache line of float64


@compiled
def read_columns(
    x: Float[np.ndarray, "bars assets"],
    first_row: int,
    first_asset: int,
    columns: Float[np.ndarray, "lanes rows"],
) -> None:
    """Copy a piece of a panel into columns."""
    n_rows = columns.shape[1]
    for j in range(columns.shape[0]):
        source, target = x[first_row : first_row + n_rows, first_asset + j], columns[j]
        for i in range(n_rows):
            target[i] = source[i]


@compiled
def write_columns(
    columns: Float[np.ndarray, "lanes rows"],
    out: Float[np.ndarray, "bars assets"],
    first_row: int,
    first_asset: int,
) -> None:
    """Copy columns into a piece of a panel."""
    n_rows = columns.shape[1]
    for j in range(columns.shape[0]):
        source, target = columns[j], out[first_row : first_row + n_rows, first_asset + j]
        for i in range(n_rows):
            target[i] = source[i]
