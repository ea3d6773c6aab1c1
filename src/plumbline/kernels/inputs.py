"""Arrays as the kernels take them."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


def as_input(values: ArrayLike) -> Float[np.ndarray, "..."]:
    """Return values as a read-only float64 array in C order, copied only where they are not.

    Always read-only, because kernels are compiled once for arrays that may be written to and
    once more for those that may not, such as the fields of a panel.
    """
    array = np.ascontiguousarray(values, dtype=np.float64).view()
    array.flags.writeable = False
    return array
