"""How many values a trailing window holds, for a head and the tail before it."""

import numpy as np
from jaxtyping import Float

from plumbline.kernels.compilation import compiled


@compiled
def count_windows(
    tail: Float[np.ndarray, " tail_rows"],
    head: Float[np.ndarray, " rows"],
    window: int,
    counts: Float[np.ndarray, " rows"],
) -> bool:
    """Write the number of finite values in each window that ends in a head.

    Parameters
    ----------
    tail, head : values of neighbouring blocks; the tail may be shorter than a window.
    window : W, bars.
    counts : one for each row of the head.

    Returns
    -------
    Whether every window holds W values.
    """
    n_tail, n_head = tail.shape[0], head.shape[0]
    if _n_finite(tail) + _n_finite(head) == n_tail + n_head:
        if n_tail + 1 >= window:
            counts[:] = window
            return True
        for i in range(n_head):
            counts[i] = min(n_tail + i + 1.0, float(window))
        return False
    total = 0.0
    first = n_tail - window + 1  # row of the tail where the first window begins
    for i in range(max(first, 0), n_tail):
        total += 1.0 if np.abs(tail[i]) < np.inf else 0.0
    for i in range(n_head):
        total += 1.0 if np.abs(head[i]) < np.inf else 0.0
        counts[i] = total
        leaving = first + i
        if 0 <= leaving < n_tail:  # whole numbers: nothing is lost by taking away
            total -= 1.0 if np.abs(tail[leaving]) < np.inf else 0.0
    return False


@compiled
def _n_finite(values: Float[np.ndarray, " rows"]) -> int:
    count = 0
    for i in range(values.shape[0]):
        count += np.abs(values[i]) < np.inf
    return count
