"""Blocks in worker processes that are reused, can be killed, and die with their parent."""

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from queue import Empty, SimpleQueue
from typing import Any, final

from plumbline.core.errors import (
    OutOfMemoryError,
    ParameterError,
    PlumblineError,
    StageError,
    TimeLimitError,
    WorkerLostError,
)
from plumbline.core.logs import configure_logs
from plumbline.core.memory import kills_for_memory, machine_bytes
from plumbline.core.sizes import shown_bytes
from plumbline.engine.executor import Executor, Pool
from plumbline.engine.work import ALONE, Outcome, Work, perform

_PR_SET_PDEATHSIG = 1


@final
@dataclass(frozen=True)
class Processes(Executor):
    """Compute in worker processes.

    A block that crashes its process costs one attempt; the process is replaced. A block over its
    time limit is killed. Blocks that declare memory wait until it fits beside those that run.

    Parameters
    ----------
    workers : number of processes; no more are started than there are blocks.
    memory_bytes : what the blocks that run at once may declare together; default: the memory of
        the machine. A block that declares more runs while no other declares any.
    """

    workers: int = 2
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ParameterError(f"workers={self.workers} must be at least 1")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ParameterError(f"memory_bytes={self.memory_bytes} must be at least 1")

    def workers_for(self, blocks: int) -> int:
        """Return how many processes are started for so many blocks."""
        return max(1, min(self.workers, blocks))

    def within(self, workers: int, memory_bytes: int) -> "Processes":
        """Return the same with fewer workers, whose blocks keep to so much memory together."""
        least = memory_bytes if self.memory_bytes is None else min(memory_bytes, self.memory_bytes)
        return Processes(min(self.workers, workers), least)

    @contextmanager
    def open(self, blocks: int | None = None) -> Iterator[Pool]:
        """Start the processes; on an exception they are killed, else they end when idle."""
        workers = self.workers if blocks is None else self.workers_for(blocks)
        pool = _Pool(workers, self.memory_bytes or machine_bytes())
        try:
            yield pool
            pool.end()
        except BaseException:
            pool.kill()
            raise


@final
class _Pool:
    """A pool of processes that is replaced when it breaks; it keeps to a budget of memory."""

    def __init__(self, workers: int, memory_bytes: int) -> None:
        self._workers = workers
        self._memory_bytes = memory_bytes
        self._pool = _started(workers)
        self._kills = kills_for_memory()
        self._done: SimpleQueue[tuple[Work, Any]] = SimpleQueue()
        self._waiting: list[tuple[Work, bytes]] = []
        self._reserved: dict[int, int] = {}  # number of a running block -> bytes it declares

    def submit(self, work: Work) -> None:
        try:
            content = pickle.dumps(work)  # here, because pebble loses what cannot be unpickled
        except Exception as error:
            self._done.put((work, _unsendable(work.place, error)))
            return
        self._waiting.append((work, content))
        self._start_fitting()

    def _start_fitting(self) -> None:
        """Start the waiting blocks that fit into memory, in the order they came."""
        waiting, self._waiting = self._waiting, []
        for work, content in waiting:
            needed = work.memory_bytes or 0
            reserved = sum(self._reserved.values())
            if needed and reserved and reserved + needed > self._memory_bytes:
                self._waiting.append((work, content))
                continue
            self._reserved[work.number] = needed
            self._start(work, content)

    def _start(self, work: Work, content: bytes) -> None:
        if not self._pool.active:  # all its processes were killed from outside
            self.kill()
            self._pool = _started(self._workers)
        call = [content, work.place]
        future = self._pool.schedule(perform_pickled, args=call, timeout=work.seconds)
        future.add_done_callback(lambda done: self._done.put((work, done)))

    def finished(self, seconds: float | None = None) -> Iterator[tuple[Work, Outcome | Exception]]:
        try:
            ended = [self._done.get(timeout=seconds)]
        except Empty:
            return
        while not self._done.empty():
            ended.append(self._done.get())
        for work, _ in ended:
            self._reserved.pop(work.number, None)
        self._start_fitting()
        for work, found in ended:
            yield work, self._outcome(found, work)

    def _outcome(self, found: Any, work: Work) -> Outcome | Exception:
        """Return what became of a block; of a process that was killed, whether memory ran out."""
        outcome = _outcome(found, work)
        kills = kills_for_memory() if isinstance(outcome, WorkerLostError) else None
        if kills is None or self._kills is None or kills <= self._kills:
            return outcome
        self._kills = kills
        return OutOfMemoryError(
            f"{work.place[0]} [{work.place[1]}]: killed by the system as memory ran out"
            f"{_beside(work.memory_bytes)}; use fewer workers, smaller blocks (block_bars), or say "
            "--memory, within which blocks are started"
        )

    def end(self) -> None:
        self._pool.close()
        self._pool.join()

    def kill(self) -> None:
        self._pool.stop()
        self._pool.join()


def _started(workers: int) -> Any:
    from pebble import ProcessPool

    return ProcessPool(
        max_workers=workers,
        context=get_context("spawn"),
        initializer=_prepare_worker,
        initargs=[os.getpid()],
    )


def perform_pickled(content: bytes, place: tuple[str, str]) -> Outcome:
    """Compute a block whose work is in a message.

    Raises
    ------
    StageError
        If the stage is unknown in this process, and as :func:`perform`.
    """
    try:
        work = pickle.loads(content)  # noqa: S301  # our own parent's message
    except Exception as error:
        raise _unsendable(place, error) from error
    return perform(work)


def _unsendable(place: tuple[str, str], error: Exception) -> StageError:
    return StageError(
        f"{place[0]} [{place[1]}]: the stage cannot be sent to a worker process "
        f"({type(error).__name__}: {error}); put its class into a file that can be imported, or "
        "use the executor serial"
    )


def _outcome(future: Any, work: Work) -> Outcome | Exception:
    from pebble import ProcessExpired

    if isinstance(future, StageError):
        return future
    where = f"{work.place[0]} [{work.place[1]}]"
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if isinstance(error, PlumblineError):
        return error
    if isinstance(error, TimeoutError):
        return TimeLimitError(f"{where}: over its time limit of {work.seconds:g} s")
    if isinstance(error, ProcessExpired):
        return WorkerLostError(f"{where}: its process ended with exit code {error.exitcode}")
    if isinstance(error, BrokenProcessPool):
        advice = (
            'a program that starts them must put what it does under `if __name__ == "__main__":`'
        )
        return WorkerLostError(f"{where}: all worker processes ended: {error}; {advice}")
    return StageError(f"{where}: {type(error).__name__}: {error}")


def _beside(memory_bytes: int | None) -> str:
    """Return what a block that was killed for memory was expected to take, or that it ran alone."""
    if memory_bytes == ALONE:
        return ", beside no other block"
    return "" if not memory_bytes else f", expected to take {shown_bytes(memory_bytes)}"


def _prepare_worker(parent: int) -> None:
    """Die with the parent, leave interrupts to it, and compute with one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)
    configure_logs()
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)
