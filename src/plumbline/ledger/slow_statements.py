"""A log of slow statements: how long each took, and its text without values."""

import logging
import time
from typing import Any

from sqlalchemy import Engine, event

LOGGER = logging.getLogger("plumbline.ledger")


def log_slow_statements(engine: Engine, milliseconds: int | None) -> None:
    """Log the statements of an engine that take so long or longer, waiting included.

    Parameters
    ----------
    milliseconds : from which time on, or None for no log.
    """
    if milliseconds is None:
        return
    limit = milliseconds / 1e3

    def begin(*arguments: Any) -> None:
        arguments[4].plumbline_began = time.perf_counter()  # the context of the execution

    def end(*arguments: Any) -> None:
        note_statement(arguments[2], time.perf_counter() - arguments[4].plumbline_began, limit)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)


def note_statement(text: str, seconds: float, limit: float) -> None:
    """Log a statement that took a limit or longer, both seconds."""
    if seconds >= limit:
        LOGGER.warning("%.0f ms: %s", 1e3 * seconds, " ".join(text.split()))
