"""What the command line prints: results to standard output, everything else to standard error."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from plumbline.core.errors import PlumblineError
from plumbline.engine.interruption import stop_if_interrupted

_WHOLE = 1e15  # whole numbers below are counts, shown to the last digit
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_BUT_LINES = {code: shown for code, shown in _CONTROLS.items() if chr(code) not in "\n\t"}


def note(text: str) -> None:
    """Print a line for the person at the terminal; if nobody reads any more, work goes on."""
    _write(f"{text.translate(_BUT_LINES)}\n", to_errors=True)


def emit(data: Any, text: Callable[[], str], *, as_json: bool) -> None:
    """Print a result: as one JSON document, or as text.

    Raises
    ------
    KeyboardInterrupt
        If the command was told to stop, and what it made of that was lost.
    """
    stop_if_interrupted()
    _write(f"{_document(data) if as_json else text().translate(_BUT_LINES)}\n")


def finish() -> None:
    """Write out what is still held back."""
    for to_errors in (False, True):
        _write("", to_errors=to_errors)


def _write(text: str, *, to_errors: bool = False) -> None:
    """Write and flush; a pipe that is closed, as by ``| head``, takes no more and is no error."""
    stream = sys.stderr if to_errors else sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # Python flushes at its end


def _document(data: Any) -> str:
    return json.dumps(data, default=_plain, indent=2, allow_nan=False)


def fail(error: PlumblineError, *, as_json: bool) -> None:
    """Print an error; with ``--json`` also as a document with its problems in a list."""
    if as_json:
        problems = list(getattr(error, "problems", ())) or [str(error)]
        document = {"error": type(error).__name__, "message": str(error), "problems": problems}
        _write(f"{_document(document)}\n")
    note(f"plumbline: {error}")


def one_line(text: str) -> str:
    """Return a name out of the data with its control characters written out, as ``ESC`` in hex."""
    return text.translate(_CONTROLS)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Return rows as aligned columns; numbers to the right."""
    if not rows:
        return "(none)"
    names = list(columns or rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(n), *(len(line[i]) for line in cells)) for i, n in enumerate(names)]
    right = [all(isinstance(row.get(n), (int, float, type(None))) for row in rows) for n in names]
    lines = [names, *cells]
    return "\n".join(
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < _WHOLE else f"{value:.4g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return one_line(str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
