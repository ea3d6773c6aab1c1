"""Calls across a network: tried again with growing waits, and stopped by a breaker."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, final

from plumbline.core.errors import PlumblineError, SourceError
from plumbline.core.random import random_stream
from plumbline.lake.breaker import Breaker

if TYPE_CHECKING:
    from tenacity import RetryCallState

R = TypeVar("R")

LONGEST_WAIT = 120.0  # seconds; who is told to wait longer had better come back later


class PassingError(PlumblineError):
    """A call failed in a way that may pass: no answer, too many calls, an answer cut off.

    Parameters
    ----------
    message : what happened, without any secret.
    wait_seconds : how long the other side says to wait; 0 if it says nothing.
    """

    def __init__(self, message: str, wait_seconds: float = 0.0) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(message)


@final
@dataclass(frozen=True)
class Patience:
    """How often a call is tried, and how long is waited in between.

    The wait doubles with each attempt and is drawn between half of that and all of it, from a
    stream that the seed alone decides.

    Parameters
    ----------
    attempts : tries of one call, at least 1.
    first_wait_seconds : the longest wait before the second try.
    seed : of the waits.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    seed: int = 0

    def wait_seconds(self, call: int, attempt: int) -> float:
        """Return how long to wait after an attempt of a call, both counted from 1."""
        longest = min(LONGEST_WAIT, self.first_wait_seconds * 2.0 ** (attempt - 1))
        share = random_stream(self.seed, "retry", (call, attempt)).uniform(0.5, 1.0)
        return longest * float(share)


@final
class Calls:
    """The calls of one fetch.

    Parameters
    ----------
    source : what is called, in messages.
    patience : how often and how fast.
    breaker : asked before each attempt, told how it went.
    sleep : waits some seconds.
    """

    def __init__(
        self,
        source: str,
        patience: Patience,
        breaker: Breaker,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._patience = patience
        self._breaker = breaker
        self._sleep = sleep
        self._count = 0

    def __call__(self, call: Callable[[], R]) -> R:
        """Return what a call gives, tried until it does.

        Raises
        ------
        SourceError
            If the breaker is open, or the last attempt failed; says what the other side said.
        """
        import tenacity

        self._count += 1
        retrying = tenacity.Retrying(
            stop=self._is_enough,
            wait=self._wait,
            sleep=self._sleep,
            retry=tenacity.retry_if_exception_type(PassingError),
        )
        try:
            found: R = retrying(self._attempt, call)
        except tenacity.RetryError as error:
            tried = error.last_attempt
            problem = (
                f"failed {tried.attempt_number} times in a row, the last time with: "
                f"{tried.exception()}; what is complete is kept, so the same command goes on "
                "from there"
            )
            raise SourceError(self._source, [problem]) from tried.exception()
        return found

    def _attempt(self, call: Callable[[], R]) -> R:
        if refusal := self._breaker.refusal():
            raise SourceError(self._source, [refusal])
        try:
            found = call()
        except PassingError as error:
            self._breaker.failed(str(error))
            raise
        self._breaker.succeeded()
        return found

    def _wait(self, state: "RetryCallState") -> float:
        patience = self._patience.wait_seconds(self._count, state.attempt_number)
        return max(_told_to_wait(state), patience)

    def _is_enough(self, state: "RetryCallState") -> bool:
        """Return whether to give up: all attempts are used, or the wait is longer than sensible."""
        is_last = state.attempt_number >= self._patience.attempts
        return is_last or _told_to_wait(state) > LONGEST_WAIT


def _told_to_wait(state: "RetryCallState") -> float:
    """Return how many seconds the other side says to wait."""
    error = None if state.outcome is None else state.outcome.exception()
    return error.wait_seconds if isinstance(error, PassingError) else 0.0
