"""What of a machine can change the last bit of a result: its processor, and library switches."""

import platform
from functools import lru_cache
from pathlib import Path

from plumbline.core.settings import arithmetic_switches

_MODEL = ("vendor_id", "cpu family", "model", "CPU implementer", "CPU architecture", "CPU part")
_SIMD = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512dq", "avx512bw", "avx512vl",
    "avx512cd", "avx512_fp16", "avx512_bf16", "asimd", "sve", "sve2", "asimdfhm",
)  # fmt: skip
_SENSITIVE = frozenset({"numpy", "numba", "scipy", "torch"})


def device_profile(libraries: frozenset[str]) -> str | None:
    """Return what a stage's numbers depend on of this machine, or None if on nothing.

    Compilers and linear algebra choose their loops by the model of the processor, its vector
    instructions, and switches in the environment; that can move the last bit of a sum. A stage
    that reaches none of the libraries which do so has the same bits everywhere.

    Parameters
    ----------
    libraries : names of the libraries that its code reaches.
    """
    if not libraries & _SENSITIVE:
        return None
    switches = (f"{name}={value}" for name, value in arithmetic_switches().items())
    return " ".join((processor(), *switches))


@lru_cache(maxsize=1)
def processor() -> str:
    """Return system, architecture, model and vector instructions, as far as they are known."""
    found = _first_core(Path("/proc/cpuinfo"))
    model = [f"{name}={found[name]}".replace(" ", "_") for name in _MODEL if name in found]
    flags = set((found.get("flags") or found.get("Features") or "").split())
    known = [name for name in _SIMD if name in flags]
    if not model:
        model = [platform.processor()]
    return " ".join((platform.system(), platform.machine(), *model, *known)).strip()


def _first_core(listing: Path) -> dict[str, str]:
    """Return the entries of the first core that Linux lists; elsewhere there is no such list."""
    if not listing.is_file():
        return {}
    lines = (line.partition(":") for line in listing.read_text().split("\n\n", 1)[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
