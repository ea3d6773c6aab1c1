"""How many statements a store has sent, in all and by the thread that asks."""

from collections import Counter
from threading import get_ident
from typing import Any, final

from sqlalchemy import event


@final
class StatementCount:
    """Counts what an engine of SQLAlchemy executes, commits included, until it is closed.

    Parameters
    ----------
    engine : that is listened to.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._by_thread: Counter[int] = Counter()  # each thread adds to its own number alone
        event.listen(engine, "before_cursor_execute", self.add)
        event.listen(engine, "commit", self.add)

    def add(self, *_told: object) -> None:
        """Count one more."""
        self._by_thread[get_ident()] += 1

    @property
    def total(self) -> int:
        """Return the number of all threads."""
        return sum(list(self._by_thread.values()))

    @property
    def here(self) -> int:
        """Return the number of this thread: what others send meanwhile is not among it."""
        return self._by_thread[get_ident()]

    def close(self) -> None:
        """Stop counting."""
        event.remove(self._engine, "before_cursor_execute", self.add)
        event.remove(self._engine, "commit", self.add)
