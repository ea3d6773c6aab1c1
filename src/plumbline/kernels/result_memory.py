"""Room for results: one block a call, and the last one freed serves the next call.

Fresh memory is handed out by the system page by page, each cleared first, which takes longer than
filling it does. A call that follows another, as in a sweep, writes to pages that are there.
"""

from collections import deque
from collections.abc import Sequence
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import DTypeLike

_LARGEST = 256 << 20  # bytes that may stay with the process after their results are gone
_LINE = 64  # bytes of a cache line; arrays begin at one

_spare: deque[np.ndarray] = deque(maxlen=1)  # its operations are atomic


@final
class _Lease:
    """Memory on loan to arrays: numpy keeps it alive while any view of it lives."""

    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._memory.__array_interface__

    def __del__(self) -> None:
        if self._memory.nbytes <= _LARGEST:
            _spare.append(self._memory)


def empty_arrays(*kinds: tuple[Sequence[int], DTypeLike]) -> list[np.ndarray]:
    """Return arrays of given shapes and types, side by side in one block, values undefined.

    The block goes back when the last array and the last view of one is gone. Of freed blocks the
    latest is kept, up to 256 MiB; it serves a call that needs at least half of it.
    """
    sizes = [prod(shape) * np.dtype(dtype).itemsize for shape, dtype in kinds]
    places = [0]
    for size in sizes:
        places.append(places[-1] + -(-size // _LINE) * _LINE)
    block = np.asarray(_Lease(_memory(places[-1] + _LINE)))
    start = -block.ctypes.data % _LINE
    return [
        block[start + place : start + place + size].view(dtype).reshape(shape)
        for place, size, (shape, dtype) in zip(places, sizes, kinds, strict=False)
    ]


def _memory(n_bytes: int) -> np.ndarray:
    """Return bytes to write to: the spare block if it fits, fresh ones if not."""
    try:
        spare = _spare.pop()
    except IndexError:
        return np.empty(n_bytes, np.uint8)
    return spare if n_bytes <= spare.nbytes <= 2 * n_bytes else np.empty(n_bytes, np.uint8)
