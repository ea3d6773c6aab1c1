"""Blocks in worker processes that are reused, can be killed, and die with their parent."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, final

from plumbline.core.errors import ParameterError, StageError, WorkerLostError
from plumbline.engine.executor import Executor, Pool
from plumbline.engine.work import Outcome, Work, perform

_PR_SET_PDEATHSIG = 1


@final
@dataclass(frozen=True)
class Processes(Executor):
    """Compute in worker processes.

    A block that crashes its process costs one attempt; the process is replaced. A block over its
    time limit is killed.

    Parameters
    ----------
    workers : number of processes.
    """

    workers: int = 2

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ParameterError(f"workers={self.workers} must be at least 1")

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """Start the processes; on an exception they are killed, else they end when idle."""
        from pebble import ProcessPool

        pool = ProcessPool(
            max_workers=self.workers,
            context=get_context("spawn"),
            initializer=_prepare_worker,
            initargs=[os.getpid()],
        )
        try:
            yield _Futures(pool)
            pool.close()
        except BaseException:
            pool.stop()
            raise
        finally:
            pool.join()


@final
class _Futures:
    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._running: dict[Any, Work] = {}

    def submit(self, work: Work) -> None:
        future = self._pool.schedule(perform, args=[work], timeout=work.stage.resources.seconds)
        self._running[future] = work

    def finished(self) -> Iterator[tuple[Work, Outcome | Exception]]:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            work = self._running.pop(future)
            yield work, _outcome(future, work)


def _outcome(future: Any, work: Work) -> Outcome | Exception:
    from pebble import ProcessExpired

    where = f"{work.place[0]} [{work.place[1]}]"
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if isinstance(error, TimeoutError):
        return StageError(f"{where}: over its time limit of {work.stage.resources.seconds} s")
    if isinstance(error, ProcessExpired):
        return WorkerLostError(f"{where}: its process ended with exit code {error.exitcode}")
    return error if isinstance(error, Exception) else StageError(f"{where}: {error!r}")


def _prepare_worker(parent: int) -> None:
    """Die with the parent, leave interrupts to it, and compute with one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
