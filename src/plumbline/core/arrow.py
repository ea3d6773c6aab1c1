"""Arrow's arrays of numpy's: ``pyarrow.array`` would load pandas, which takes a quarter second."""

from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Shaped


def arrow_array(
    values: Shaped[np.ndarray, " values"], is_missing: Bool[np.ndarray, " values"] | None = None
) -> Any:
    """Return numbers as an array of Arrow, which shares their memory if they lie side by side.

    Parameters
    ----------
    values : integers or floats.
    is_missing : which are null; default: none.

    Notes
    -----
    Cost: a bit a value where any is missing.
    """
    bits = None
    if is_missing is not None and is_missing.any():
        bits = pa.py_buffer(np.packbits(~is_missing, bitorder="little"))
    content = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [bits, content])
