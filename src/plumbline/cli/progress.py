"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

from plumbline.cli import console
from plumbline.core.errors import CorruptEntryError
from plumbline.core.sizes import shown_bytes
from plumbline.core.wording import counted
from plumbline.engine.blocks import Task
from plumbline.engine.interruption import stop_if_interrupted
from plumbline.engine.plan import Plan, State

_LINE_SECONDS = 5.0
GOES_ON = "the same command goes on from there"


@final
class ProgressWatcher:
    """Shows how many blocks, or other pieces, are done, how fast, and how long the rest will take.

    Each piece of news also stops the work if Ctrl-C was pressed and a library lost it.

    Parameters
    ----------
    bar : a rich progress bar, or None for plain lines.
    rest : what becomes of the rest if the work is interrupted.
    """

    def __init__(self, bar: Any = None, rest: str = GOES_ON) -> None:
        self._bar = bar
        self._rest = rest
        self._what: str | None = None
        self._line: Any = None
        self._total = 0
        self._done = 0
        self._started = self._told = time.monotonic()

    def planned(self, plan: Plan) -> None:
        """Open the bar."""
        stop_if_interrupted()
        self._total = plan.count(State.RUN, State.FOLLOWS)
        if not self._total:
            return
        seconds = plan.expected_seconds
        guess = "" if seconds is None else f", about {seconds:.1f} s by past timings on one worker"
        if plan.peak_bytes is not None:
            guess += f", up to {shown_bytes(plan.peak_bytes)} of memory"
        total = counted(len(plan.decisions), "block")
        console.note(f"{self._total} of {total} to compute{guess}")
        self._started = self._told = time.monotonic()
        if self._bar is not None:
            self._line = self._bar.add_task("blocks", total=self._total, node="")

    def accompanied(self, run_ids: Sequence[str]) -> None:
        """Tell that another run may compute the same blocks."""
        ids = ", ".join(run_ids)
        console.note(f"going on beside this one: run {ids}; each may compute what the other does")

    def finished(self, task: Task, state: str, seconds: float | None) -> None:
        """Advance by a block that was not there before."""
        stop_if_interrupted()
        if seconds is None and state in ("cached", "kept") and self._done >= self._total:
            return
        if state not in ("cached", "kept"):
            self._done += 1
        if self._line is not None:
            self._bar.update(self._line, completed=self._done, node=task.node.name)
        elif self._total and time.monotonic() - self._told > _LINE_SECONDS:
            self._told = time.monotonic()
            total = counted(self._total, "block")
            console.note(f"{self._done} of {total}{self._pace()}")

    def _pace(self) -> str:
        """Return rate and time left in words, once there is a rate."""
        elapsed = self._told - self._started
        if elapsed <= 0 or self._done < 2:
            return ""
        rate = self._done / elapsed
        return f", {rate:.1f} a second, {(self._total - self._done) / rate:.0f} s left"

    def damaged(self, tasks: Sequence[Task], error: CorruptEntryError) -> None:
        """Report damaged results in one line."""
        node, block = tasks[0].place
        more = "" if len(tasks) == 1 else f" and {counted(len(tasks) - 1, 'other block')}"
        console.note(f"{node} [{block}]{more} damaged on disk, computed again: {error}")

    def differed(self, node: str, block: str, message: str) -> None:
        """Warn of a block that is not deterministic."""
        console.note(f"warning: {node} [{block}] is not deterministic: {message}")

    def interrupted(self) -> None:
        """Say how far a run came."""
        if self._total:
            total = f"{self._total:,} {self._what}" if self._what else counted(self._total, "block")
            console.note(f"{self._done:,} of {total} stored; {self._rest}")

    def step(self, what: str, done: int, total: int) -> None:
        """Show progress of reading files or compiling kernels."""
        stop_if_interrupted()
        if self._bar is not None:
            label = f"{what}"
            known = next((t for t in self._bar.tasks if t.description == label), None)
            line = known.id if known else self._bar.add_task(label, total=total, node="")
            self._bar.update(line, completed=done, total=total)
        elif time.monotonic() - self._told > _LINE_SECONDS or done == total:
            self._told = time.monotonic()
            console.note(f"{what}: {done} of {total}")

    def counted(self, what: str, done: int, total: int) -> None:
        """Show progress of work in equal pieces, with its rate and the time that is left.

        Parameters
        ----------
        what : the pieces, in the plural.
        """
        self._what, self._done, self._total = what, done, total
        stop_if_interrupted()
        if self._bar is not None:
            self.step(what, done, total)
        elif done == 0:
            self._started = self._told = time.monotonic()
        elif time.monotonic() - self._told > _LINE_SECONDS:
            self._told = time.monotonic()
            console.note(f"{done:,} of {total:,} {what}{self._pace()}")

    def compiling(self, name: str, done: int, total: int) -> None:
        """Show progress of compiling kernels, whose time is no part of the blocks' rate."""
        self._started = time.monotonic()
        if self._bar is not None:
            self.step("compiling kernels", done, total)
        elif done < total:
            console.note(f"compiling kernels: {name} ({done} of {total} done)")


@contextmanager
def progress(*, quiet: bool, rest: str = GOES_ON) -> Iterator[ProgressWatcher]:
    """Open a progress display on standard error; ``quiet`` or no terminal gives plain lines.

    Parameters
    ----------
    rest : as :class:`ProgressWatcher`.
    """
    if quiet or not sys.stderr.isatty():
        with _told_when_interrupted(ProgressWatcher(None, rest)) as watcher:
            yield watcher
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
        TextColumn("{task.fields[node]}"),
    )
    with (
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
        _told_when_interrupted(ProgressWatcher(bar, rest)) as watcher,
    ):
        yield watcher


@contextmanager
def _told_when_interrupted(watcher: ProgressWatcher) -> Iterator[ProgressWatcher]:
    try:
        yield watcher
    except KeyboardInterrupt:
        watcher.interrupted()
        raise
