"""Who is told what a run does: progress bars, logs, tests."""

from collections.abc import Sequence
from typing import Protocol, final, runtime_checkable

from plumbline.core.errors import CorruptEntryError
from plumbline.engine.blocks import Task
from plumbline.engine.plan import Plan


@runtime_checkable
class Watcher(Protocol):
    """Told what a run does."""

    def planned(self, plan: Plan) -> None:
        """Learn what is to be done."""

    def accompanied(self, run_ids: Sequence[str]) -> None:
        """Learn that other runs of the same recipe name are going on."""

    def finished(self, task: Task, state: str, seconds: float | None) -> None:
        """Learn that a block is done: computed, cached, kept, failed or blocked."""

    def damaged(self, tasks: Sequence[Task], error: CorruptEntryError) -> None:
        """Learn that stored results were damaged and will be computed again; the first error."""

    def differed(self, node: str, block: str, message: str) -> None:
        """Learn that a block came out different from what the same key gave before."""


@final
class Silent:
    """Watches without a word; the ledger has everything all the same."""

    def planned(self, plan: Plan) -> None:
        """Ignore the plan."""

    def accompanied(self, run_ids: Sequence[str]) -> None:
        """Ignore other runs."""

    def finished(self, task: Task, state: str, seconds: float | None) -> None:
        """Ignore a finished block."""

    def damaged(self, tasks: Sequence[Task], error: CorruptEntryError) -> None:
        """Ignore damaged results."""

    def differed(self, node: str, block: str, message: str) -> None:
        """Ignore a block that is not deterministic."""
