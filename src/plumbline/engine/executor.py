"""Executors: where blocks are computed. The bits of a result never depend on the choice."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from plumbline.core.plugin import Plugin, Room
from plumbline.engine.work import Outcome, Work


@runtime_checkable
class Pool(Protocol):
    """Workers in use: accepts blocks, and gives back what became of them in any order."""

    def submit(self, work: Work) -> None:
        """Accept a block."""

    def finished(self, seconds: float | None = None) -> Iterator[tuple[Work, Outcome | Exception]]:
        """Wait for at least one accepted block to end, and yield all that did.

        Parameters
        ----------
        seconds : how long to wait; None for as long as it takes. An executor that computes while
            it waits finishes the block that it is at.
        """


@dataclass(frozen=True)
class Executor(Plugin, ABC):
    """A way to compute blocks; its fields are its settings and never part of a key."""

    @abstractmethod
    def open(self, blocks: int | None = None) -> AbstractContextManager[Pool]:
        """Start workers; leaving the context ends them, at once if an exception leaves it.

        Parameters
        ----------
        blocks : how many will be submitted at most, if that is known; more workers are no use.
        """

    def workers_for(self, blocks: int) -> int:  # noqa: ARG002  # for those that start some
        """Return how many processes are started for so many blocks; 0 if none is."""
        return 0

    def within(self, workers: int, memory_bytes: int) -> "Executor":  # noqa: ARG002  # the same
        """Return the same with fewer workers, whose blocks keep to so much memory together."""
        return self


executors: Room[Executor] = Room("plumbline.engine.executors", Executor)
