"""Who follows a run from its begin to its end, beside the one who watches: logs and telemetry."""

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol, final, runtime_checkable

from plumbline.core.settings import read_settings
from plumbline.ledger.session import Completion, Mishap

_LOG = logging.getLogger("plumbline.engine")


class Begun(NamedTuple):
    """A run that has begun."""

    run_id: str
    pipeline: str
    executor: str


@runtime_checkable
class Observer(Protocol):
    """Follows one run."""

    def run_began(self, run: Begun) -> None:
        """Learn of the run."""

    def block_ended(self, done: Completion, began: float | None) -> None:
        """Learn that a block is done, and when its computing began, in seconds since 1970."""

    def attempt_failed(self, mishap: Mishap, wait: float | None) -> None:
        """Learn of a failed attempt, and after how many seconds the next begins, if one does.

        Attempt 0 is a stored result that was found damaged.
        """

    def run_ended(self, state: str, seconds: float) -> None:
        """Learn that the run is over: done, failed or interrupted."""


def observers() -> tuple[Observer, ...]:
    """Return the observers of a new run: logs, and telemetry if the settings ask for it."""
    if not read_settings().telemetry:
        return (LogObserver(),)
    from plumbline.engine.telemetry import telemetry_of_environment

    return (LogObserver(), telemetry_of_environment())


@final
class LogObserver:
    """Writes to the standard library's logging, logger ``plumbline.engine``."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def run_began(self, run: Begun) -> None:
        """Log the run."""
        self._ids = {"run_id": run.run_id}
        extra = {**self._ids, "recipe": run.pipeline, "executor": run.executor}
        _LOG.info("run began", extra=extra)

    def block_ended(self, done: Completion, began: float | None) -> None:  # noqa: ARG002  # of spans
        """Log a block: computed ones as information, those that were there for debugging."""
        is_trouble = done.state in ("failed", "blocked")
        is_news = is_trouble or done.state == "computed"
        level = logging.ERROR if is_trouble else logging.INFO if is_news else logging.DEBUG
        if not _LOG.isEnabledFor(level):
            return
        facts = {"reason": done.reason, "seconds": done.seconds, "peak_bytes": done.peak_bytes}
        known = {name: value for name, value in facts.items() if value is not None}
        place = {"node": done.node, "block": done.block}
        extra = {**self._ids, **place, "state": done.state, **known}
        _LOG.log(level, f"block {done.state}", extra=extra)

    def attempt_failed(self, mishap: Mishap, wait: float | None) -> None:
        """Log a failed attempt, or a damaged result, as a warning."""
        extra = {
            **self._ids,
            "node": mishap.node,
            "block": mishap.block,
            "attempt": mishap.attempt,
            "kind": mishap.kind,
            "reason": mishap.message,
            "next_in_seconds": wait,
        }
        _LOG.warning("attempt failed" if mishap.attempt else "result damaged", extra=extra)

    def run_ended(self, state: str, seconds: float) -> None:
        """Log the end of the run."""
        level = logging.INFO if state == "done" else logging.ERROR
        extra = {**self._ids, "state": state, "seconds": seconds}
        _LOG.log(level, "run ended", extra=extra)


@final
class Observers:
    """Several observers as one."""

    def __init__(self, members: Sequence[Observer]) -> None:
        self._members = tuple(members)

    def run_began(self, run: Begun) -> None:
        """Tell all."""
        for member in self._members:
            member.run_began(run)

    def block_ended(self, done: Completion, began: float | None) -> None:
        """Tell all."""
        for member in self._members:
            member.block_ended(done, began)

    def attempt_failed(self, mishap: Mishap, wait: float | None) -> None:
        """Tell all."""
        for member in self._members:
            member.attempt_failed(mishap, wait)

    def run_ended(self, state: str, seconds: float) -> None:
        """Tell all."""
        for member in self._members:
            member.run_ended(state, seconds)
