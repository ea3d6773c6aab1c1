"""Processes that compile families of kernels side by side.

Kernels compile in processes of their own, so that a run only ever loads them: several cores work,
and a compiler that is told to stop is stopped.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO, final

from plumbline.core.errors import WorkerLostError

_POLL_SECONDS = 0.02
_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from plumbline.kernels.warm import compile_family
compile_family({family!r})
"""


def compile_apart(families: Sequence[str], done: Callable[[Sequence[str], int], None]) -> None:
    """Compile families, each in a process of its own, as many at a time as there are cores.

    If this is left by an exception, Ctrl-C too, the processes are killed; kernels that they have
    finished stay.

    Parameters
    ----------
    families : names, those that take longest first.
    done : called with the families that are being compiled and how many are done: at the start,
        and whenever one is done.

    Raises
    ------
    WorkerLostError
        If a process ends with an exit status other than 0.
    """
    waiting = list(families)
    running: list[_Compiling] = []
    n_done = -1
    try:
        while waiting or running:
            ended = [process for process in running if process.has_ended()]
            running = [process for process in running if process not in ended]
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(_Compiling(waiting.pop(0)))
            if n_done < 0 or ended:
                n_done = max(n_done, 0) + len(ended)
                done([process.family for process in running], n_done)
            time.sleep(_POLL_SECONDS)
    finally:
        for process in running:
            process.kill()


@final
class _Compiling:
    """A process that compiles one family."""

    def __init__(self, family: str) -> None:
        self.family = family
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it ends
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-c", _PROGRAM.format(path=_search_path(), family=family)],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which kills
        )

    def has_ended(self) -> bool:
        """Return whether it is done."""
        status = self._process.poll()
        if status is None:
            return False
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip()
        self._said.close()
        if status:
            raise WorkerLostError(
                f"the process that compiles the kernels {self.family!r} ended with exit status "
                f"{status}{': ' + said.splitlines()[-1] if said else ''}",
                said,
            )
        return True

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        self._said.close()


def _search_path() -> list[str]:
    """Return where modules are looked for; what is no text there is passed over by Python too."""
    return [entry for entry in sys.path if isinstance(entry, str)]
