"""Memory of processes and of the machine, as the system counts it."""

import os
import resource
import sys
from pathlib import Path
from typing import final

_STATUS = Path("/proc/self/status")
_MARK = Path("/proc/self/clear_refs")
_KILLS = Path("/proc/vmstat")
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@final
class PeakMeter:
    """Measures by how much the memory of this process rises, at most, from here on.

    Where the system has no mark of its own that can be set back (Linux has), it is what the
    highest of the process's whole life rises by, and nothing is known if that does not rise.
    """

    def __init__(self) -> None:
        self._before = _set_back()
        self._highest = highest_bytes()

    def peak_bytes(self) -> int | None:
        """Return the bytes, or None if they are not known."""
        if self._before is not None:
            return max(0, _status("VmHWM") - self._before)
        rise = highest_bytes() - self._highest
        return rise if rise > 0 else None


def highest_bytes() -> int:
    """Return the most memory that this process ever had."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def process_bytes() -> int:
    """Return the memory of this process, or the most it ever had if the system knows no more."""
    try:
        return _status("VmRSS")
    except OSError:
        return highest_bytes()


def machine_bytes() -> int:
    """Return the memory of this machine, or of the part of it that this process may use."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for place in _LIMITS:
        try:
            text = Path(place).read_text().strip()
        except OSError:
            continue
        found += [int(text)] if text.isdecimal() else []
    return min(found)


def kills_for_memory() -> int | None:
    """Return how many processes the system has killed as memory ran out, or None if unknown."""
    try:
        lines = _KILLS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _set_back() -> int | None:
    """Set the system's mark back to the present memory and return that, or None if it has none."""
    try:
        _MARK.write_text("5")
        return _status("VmRSS")
    except OSError:
        return None


def _status(name: str) -> int:
    text = _STATUS.read_text()
    return int(text.partition(f"{name}:")[2].split(maxsplit=1)[0]) * 1024
