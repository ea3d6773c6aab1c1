"""Sums over neighbouring rows, in their order."""

import numpy as np
from jaxtyping import Float, Int

from plumbline.kernels.compilation import compiled


def segment_sums(
    values: Float[np.ndarray, "rows columns"], start: Int[np.ndarray, " segments_and_one"]
) -> Float[np.ndarray, "segments columns"]:
    """Add up the rows of each segment, the first row first.

    A segment's bits depend on its own rows alone.

    Parameters
    ----------
    values : NaN makes a sum NaN.
    start : place of each segment's first row; the last entry is the number of rows.

    Notes
    -----
    Cost: one pass over the values.
    """
    out = np.zeros((start.size - 1, values.shape[1]))
    _add(values, start, out)
    return out


@compiled
def _add(
    values: Float[np.ndarray, "rows columns"],
    start: Int[np.ndarray, " segments_and_one"],
    out: Float[np.ndarray, "segments columns"],
) -> None:
    for segment in range(out.shape[0]):
        total = out[segment]
        for row in range(start[segment], start[segment + 1]):
            own = values[row]
            for column in range(total.size):
                total[column] += own[column]
