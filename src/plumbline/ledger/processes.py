"""Names of processes: so that a run whose process was killed can be told from one that goes on."""

import os
import socket
from datetime import timedelta
from pathlib import Path

SILENCE = timedelta(hours=24)
"""After this time without a finished block, a run on another host is called unknown."""


def this_process() -> str:
    """Return the name of this process: host, number, and when it started where that is known."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


def present_state(name: str, silent: timedelta) -> str:
    """Return what a run that is recorded as running is by now: running, killed or unknown.

    Parameters
    ----------
    name : of its process.
    silent : time since it began or last finished a block.

    Notes
    -----
    Of a process on another host nothing can be seen but what it writes. Without a word for longer
    than ``SILENCE`` it may be dead or at one long block: unknown. If it lives, it closes its run.
    """
    if is_dead(name):
        return "killed"
    host = name.rpartition(":")[0].rpartition(":")[0]
    is_elsewhere = host != socket.gethostname()
    return "unknown" if is_elsewhere and silent > SILENCE else "running"


def is_dead(name: str) -> bool:
    """Return whether a process of this host is gone; of another host nothing is known: False."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    started = name.rpartition(":")[2]
    if host != socket.gethostname() or not rest.isdigit():
        return False
    number = int(rest)
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and belongs to somebody else
        return False
    return started != _start_of(number)  # the number was given to another process


def _start_of(number: int) -> str:
    """Return a mark of when a process started, or an empty text where the system has none."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()  # a command may hold spaces and brackets
    return "gone" if state in ("Z", "X") else fields[18]
