"""What a source across a network is: it yields portions, the lake keeps them, it reads those."""

from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple, final

from plumbline.core.calendar import Calendar
from plumbline.core.digest import digest
from plumbline.lake.calls import LONGEST_WAIT, Calls, Patience
from plumbline.lake.source import Source

PORTION = ".portion"
"""Ending of the files of kept portions."""


@final
class Portion(NamedTuple):
    """A part of what a remote source gives.

    Parameters
    ----------
    name : its place, the same at each fetch; portions are read in the order of their names.
    content : bytes; None of a portion that the lake holds.
    is_final : whether the same place will always give the same, so that it need not be fetched
        again.
    """

    name: str
    content: bytes | None
    is_final: bool


@final
class Fetch(NamedTuple):
    """What a fetch works with.

    Parameters
    ----------
    base : folder that relative paths start from.
    calendar : grid of the bars.
    held : names of the final portions that the lake holds.
    calls : makes calls.
    """

    base: Path
    calendar: Calendar
    held: Collection[str]
    calls: Calls


@dataclass(frozen=True, kw_only=True)
class RemoteSource(Source):
    """A source across a network. The base that it reads from is the folder of its kept portions.

    Parameters
    ----------
    attempts : tries of each call before the fetch fails.
    first_wait_seconds : longest wait before the second try; it doubles with each.
    timeout_seconds : how long an answer may take.
    seed : of the waits, which are drawn.
    """

    attempts: int = 5
    first_wait_seconds: float = 1.0
    timeout_seconds: float = 30.0
    seed: int = 0

    @abstractmethod
    def portions(self, fetch: Fetch) -> Iterator[Portion]:
        """Yield all portions, in any order, those that are held without their content.

        Raises
        ------
        SourceError
            If the other side fails for good, or says what cannot be used.
        """

    @property
    @abstractmethod
    def label(self) -> str:
        """Return the name of the other side, without any secret: for messages and its breaker."""

    @property
    def patience(self) -> Patience:
        """Return how often and how fast calls are tried."""
        return Patience(self.attempts, self.first_wait_seconds, self.seed)

    def place(self, calendar: Calendar) -> str:
        """Return the digest of what is fetched, whatever the patience: names the kept portions."""
        passed_over = {field.name for field in fields(RemoteSource)}
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in passed_over}
        cls = type(self)
        return digest(("remote", cls.__module__, cls.__qualname__, told, calendar.frequency))

    def files(self, base: Path) -> tuple[Path, ...]:
        """Return the kept portions; none anywhere but in the folder of them."""
        return tuple(sorted(base.glob(f"*{PORTION}")))

    def _patience_problems(self) -> list[str]:
        problems = []
        if self.attempts < 1:
            problems.append(f"attempts={self.attempts} must be at least 1")
        if not 0 <= self.first_wait_seconds <= LONGEST_WAIT:
            told = f"first_wait_seconds={self.first_wait_seconds}"
            problems.append(f"{told} must lie in 0 … {LONGEST_WAIT:g}")
        if not self.timeout_seconds > 0:
            problems.append(f"timeout_seconds={self.timeout_seconds} must be above 0")
        if self.seed < 0:
            problems.append(f"seed={self.seed} must be a non-negative integer")
        return problems


def portion_name(path: Path) -> str:
    """Return the name of the portion that a file keeps."""
    return path.name.removesuffix(PORTION).rsplit("-", 2)[0]
