"""Connections of a project that a server drops right before a statement or a commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from plumbline.engine.project import Project

DROP = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = "
    "'plumbline'"
)
"""What drops them all, and waits until they are gone."""


@contextmanager
def acting_at(project: Project, number: int | None, act: Callable[[], object]) -> Iterator[Any]:
    """Count the statements and commits of a project's connections; act right before one."""
    seen: list[str] = []

    def hit(kind: str) -> None:
        seen.append(kind)
        if len(seen) - 1 == number:
            act()

    def statement(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        hit(text.split()[0])

    def commit(_connection: Any) -> None:
        hit("COMMIT")

    engine = project.database.engine
    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", statement)
        event.remove(engine, "commit", commit)
