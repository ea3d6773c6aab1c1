"""Logs of the standard library, silent until asked for; records say of which run and block."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, final

from plumbline.core.settings import log_settings

ROOT = "plumbline"
IDS = ("run_id", "node", "block")
_OWN = frozenset(vars(logging.makeLogRecord({})))
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))

logging.getLogger(ROOT).addHandler(logging.NullHandler())  # else warnings go to standard error


@contextmanager
def log_ids(**ids: str) -> Iterator[None]:
    """Let every record that is made meanwhile say of which run, node and block it is."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says beside its text: run, node and block first."""
    own = {name: value for name, value in vars(record).items() if name not in _OWN}
    facts = {**_ids.get(), **own}
    named = {name: facts.pop(name) for name in IDS if name in facts}
    return {**named, **{name: value for name, value in facts.items() if name != "message"}}


@final
class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, event, then what it says of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": _time_text(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **facts_of(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


@final
class TextFormatter(logging.Formatter):
    """A record as a line for people: time, level, event, then name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback below it if there is one."""
        facts = "".join(f" {name}={value}" for name, value in facts_of(record).items())
        line = f"{_time_text(record)} {record.levelname:7} {record.getMessage()}{facts}"
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return line + trace


def configure_logs() -> None:
    """Write the logs to standard error if ``PLUMBLINE_LOG`` says how; once a process.

    Only programs that are ours from end to end call this: in another program its own
    configuration of logging holds.
    """
    form, level = log_settings()
    logger = logging.getLogger(ROOT)
    if form is None or any(isinstance(h, _Handler) for h in logger.handlers):
        return
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in stubs alone
    """The one handler that is ours."""


def _time_text(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
