"""The one place that configures numba; every kernel is compiled through this module.

Kernels of rolling windows run in strict IEEE arithmetic (no ``fastmath``, no contraction): each
lane of a vector loop gives what the scalar loop would give. An asset's bits then depend neither
on its place in the panel nor on the vector width of the machine, and its windows may take any
code path that does the same operations in the same order.
"""

import fcntl
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

from plumbline.kernels.kernel_cache import cache_folder

P = ParamSpec("P")
R = TypeVar("R")

_LOCK = "writing.lock"
numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]  # made at import


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on first call, release the lock while it runs, keep it on disk."""
    plain = inspect.unwrap(function)  # annotation checks of a test run are no machine code
    kernel: Callable[P, R] = numba.njit(cache=True, error_model="numpy", nogil=True)(plain)
    _save_in_turn(kernel)
    return kernel


def compiled_sums(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like ``compiled``, but let sums over a vector be taken in any fixed order.

    For sums across assets only, whose rounding depends on the order of the assets anyway. The
    compiler chooses the order where it inlines the function: it depends on the vector width of the
    processor, and may differ between a process that compiles a caller and one that loads it. Sums
    of integers are exact either way.
    """
    plain = inspect.unwrap(function)
    options = {"reassoc", "contract", "nsz"}
    decorate = numba.njit(cache=True, error_model="numpy", nogil=True, fastmath=options)
    kernel: Callable[P, R] = decorate(plain)
    _save_in_turn(kernel)
    return kernel


def _save_in_turn(kernel: Any) -> None:
    """Let one process at a time write to the cache: numba reads an index and writes it back."""
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # made at import
        return
    files = kernel._cache._cache_file
    save = files.save

    def save_alone(key: object, data: object) -> None:
        with (cache_folder() / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(key, data)

    files.save = save_alone
