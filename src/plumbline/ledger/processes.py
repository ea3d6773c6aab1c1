"""Names of processes: so that a run whose process was killed can be told from one that goes on."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Return the name of this process: host, number, and when it started where that is known."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"


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
