"""What of the processor can change the last bit of a result."""

import platform
from functools import lru_cache
from pathlib import Path

_SIMD = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512bw", "avx512vl",
    "avx512cd", "avx512_fp16", "avx512_bf16", "asimd", "sve", "sve2", "asimdfhm",
)  # fmt: skip
_SENSITIVE = frozenset({"numpy", "numba", "scipy", "torch"})


def device_profile(libraries: frozenset[str]) -> str | None:
    """Return the processor's kind if one of the libraries computes differently by it, else None.

    Compiled kernels and library loops pick vector instructions by the processor, which can move
    the last bit of a sum; results of other processors are therefore not reused.
    """
    return _profile() if libraries & _SENSITIVE else None


@lru_cache(maxsize=1)
def _profile() -> str:
    flags: set[str] = set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        with cpuinfo.open() as lines:
            line = next((x for x in lines if x.startswith(("flags", "Features"))), "")
        flags = set(line.partition(":")[2].split())
    known = [name for name in _SIMD if name in flags]
    return f"{platform.system()} {platform.machine()} {' '.join(known)}".strip()
