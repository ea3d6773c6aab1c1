"""Trying again: how often a block is tried, and how long it waits in between."""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar, final

from plumbline.core.errors import ParameterError
from plumbline.core.random import random_stream
from plumbline.engine.transient import may_pass
from plumbline.engine.work import Work

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Retries:
    """How often a block is tried, and how long it waits in between; never part of a key.

    Only what may pass is tried again: a lost worker, a time limit, a full or failing disk, a
    dropped connection, and what a stage raises as ``TransientError``. Any other error of a stage
    would come again, and ends the block at once.

    Parameters
    ----------
    attempts : tries of a block at most; a stage may say less or more in its resources.
    base_seconds : wait after the first failure; it doubles with each one that follows.
    cap_seconds : longest wait.
    seed : of the jitter, which takes up to half off a wait: the same for a block and an attempt.
    time_limit : seconds that an attempt at any block may take, or None; a stage may say less.
        Only worker processes can be ended: the executor ``serial`` keeps to no limit.

    Raises
    ------
    ParameterError
        If a number is out of its range; every such is named.
    """

    attempts: int = 3
    base_seconds: float = 0.5
    cap_seconds: float = 60.0
    seed: int = 0
    time_limit: float | None = None

    def __post_init__(self) -> None:
        wrong = []
        if isinstance(self.attempts, bool) or not self.attempts >= 1:
            wrong.append(f"attempts={self.attempts} must be at least 1")
        if not 0 <= self.base_seconds <= self.cap_seconds:
            wrong.append(
                f"need 0 <= base_seconds <= cap_seconds, got base_seconds={self.base_seconds} and "
                f"cap_seconds={self.cap_seconds}"
            )
        if self.seed < 0:
            wrong.append(f"seed={self.seed} must be at least 0")
        if self.time_limit is not None and not self.time_limit > 0:
            wrong.append(f"time_limit={self.time_limit} must be above 0 seconds, or None")
        if wrong:
            raise ParameterError("; ".join(wrong))

    def wait(self, place: tuple[str, str], attempt: int) -> float:
        """Return the seconds between a failed attempt, counted from 1, and the next one."""
        longest = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        draw = random_stream(self.seed, "retry", (*place, attempt)).uniform()
        return float(longest * (1.0 - 0.5 * draw))

    def attempts_of(self, work: Work) -> int:
        """Return how often a block is tried."""
        own = work.stage.resources.attempts
        return self.attempts if own is None else own

    def limit_of(self, work: Work) -> float | None:
        """Return the seconds that an attempt at a block may take."""
        limits = [s for s in (self.time_limit, work.stage.resources.seconds) if s is not None]
        return min(limits, default=None)

    def call(self, what: str, act: Callable[[], T]) -> T:
        """Return what a function gives, called again while it fails by what may pass."""
        attempt = 1
        while True:
            try:
                return act()
            except Exception as error:
                if attempt >= self.attempts or not may_pass(error):
                    raise
            time.sleep(self.wait((what, ""), attempt))
            attempt += 1


@final
class Delayed:
    """Blocks that wait for their next attempt, the first to come first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Work]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, work: Work, seconds: float) -> None:
        """Let a block wait."""
        heapq.heappush(self._heap, (time.monotonic() + seconds, work.number, work))

    def due(self) -> Iterator[Work]:
        """Yield the blocks that have waited long enough."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            yield heapq.heappop(self._heap)[2]

    @property
    def seconds(self) -> float | None:
        """Return the time until the first of them is due, or None if none waits."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None
