"""One block after the other, in this process."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from threadpoolctl import threadpool_limits

from plumbline.engine.executor import Executor, Pool
from plumbline.engine.work import Outcome, Work, perform


@final
@dataclass(frozen=True)
class Serial(Executor):
    """Compute in this process; nothing is started, and a debugger can step through."""

    @contextmanager
    def open(self, blocks: int | None = None) -> Iterator[Pool]:  # noqa: ARG002  # of others
        """Limit linear algebra to one thread, whose bits do not depend on the machine's load."""
        with threadpool_limits(limits=1):
            yield _Queue()


@final
class _Queue:
    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()

    def submit(self, work: Work) -> None:
        self._waiting.append(work)

    def finished(
        self,
        seconds: float | None = None,  # noqa: ARG002  # of others
    ) -> Iterator[tuple[Work, Outcome | Exception]]:
        work = self._waiting.popleft()
        try:
            outcome: Outcome | Exception = perform(work)
        except Exception as error:  # the engine's edge: recorded and raised by the run
            outcome = error
        yield work, outcome
