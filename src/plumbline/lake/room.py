"""How much memory work on a lake may take: told before it starts, or refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from plumbline.core.errors import MemoryLimitError
from plumbline.core.memory import machine_bytes, process_bytes
from plumbline.core.settings import read_settings
from plumbline.core.sizes import shown_bytes


@final
@dataclass(frozen=True)
class Work:
    """A piece of work, and the most memory that it is expected to add to its process.

    Parameters
    ----------
    what : name of the work, as in ``ingest of stocks``.
    n_bytes : the memory.
    because : what it follows from, as in ``2 files of 130 MB``.
    advice : what would need less, if there is such a way.
    """

    what: str
    n_bytes: int
    because: str
    advice: str = ""


def silent(_text: str) -> None:
    """Tell nobody."""


@final
@dataclass(frozen=True)
class Room:
    """The memory that this process may take, all of it together.

    Parameters
    ----------
    limit : bytes; None is ``PLUMBLINE_MEMORY``, else the memory of the machine or the container.
    told : called with what a piece of work is expected to take, before it starts.
    """

    limit: int | None = None
    told: Callable[[str], None] = silent

    def left(self) -> int:
        """Return the bytes that this process may still take."""
        return max(0, self._most()[0] - process_bytes())

    def require(self, work: Work) -> None:
        """Tell what work is expected to take.

        Raises
        ------
        MemoryLimitError
            If it does not fit; it says what would.
        """
        own = process_bytes()
        needed = own + work.n_bytes
        most, said = self._most()
        if needed > most:
            told = (
                f"{work.what} needs about {shown_bytes(needed)} of memory and {said} "
                f"{shown_bytes(most)}: {work.because} take up to {shown_bytes(work.n_bytes)}, this "
                f"process has {shown_bytes(own)}"
            )
            ways = [work.advice] if work.advice else []
            ways.append(f"say --memory {-(-needed // 10**7) * 10}MB if there is as much")
            raise MemoryLimitError("; ".join([told, *ways]))
        self.told(f"{work.what}: up to {shown_bytes(needed)} of memory")

    def _most(self) -> tuple[int, str]:
        limit = self.limit or read_settings().memory
        return (machine_bytes(), "the machine has") if limit is None else (limit, "may take")
