"""Who is told what a run does: progress bars, logs, tests."""

from typing import Protocol, final, runtime_checkable

from plumbline.core.errors import CorruptEntryError
from plumbline.engine.blocks import Task
from plumbline.engine.plan import Plan


@runtime_checkable
class Watcher(Protocol):
    """Told what a run does."""

    def planned(self, plan: Plan) -> None:
        """Learn what is to be done."""

    def finished(self, task: Task, state: str, seconds: float | None) -> None:
        """Learn that a block is done: computed, cached, kept, failed or blocked."""

    def damaged(self, task: Task, error: CorruptEntryError) -> None:
        """Learn that a stored result was damaged and will be computed again."""


@final
class Silent:
    """Watches without a word; the ledger has everything all the same."""

    def planned(self, plan: Plan) -> None:
        """Ignore the plan."""

    def finished(self, task: Task, state: str, seconds: float | None) -> None:
        """Ignore a finished block."""

    def damaged(self, task: Task, error: CorruptEntryError) -> None:
        """Ignore a damaged result."""
