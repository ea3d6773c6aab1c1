"""Everything this package raises on purpose.

* PlumblineError
  * ParameterError       a function or plug-in was given values it cannot use; also a ValueError
  * UnknownPluginError   no file of that name in the room; also a KeyError
  * BrokenPluginError    a plug-in whose file cannot be loaded; also an ImportError
  * UnknownTableError    a table that a study does not have; also a KeyError
  * UnknownAssetError    an asset that the data do not hold; also a KeyError
  * MissingDataError     the data lack a field, bar or file that is needed; also a LookupError
    * UnknownNameError   a node, block, data set or run of another name
  * MissingExtraError    a library of an optional extra is not installed; also an ImportError
  * UnhashableError      a value has no canonical digest; also a TypeError
  * CalendarError        a time that the trading calendar does not cover; also a ValueError
    * UnknownCalendarError  no trading calendar, or no length of bars, of that name
  * SourceError          files that cannot be read as bars, every problem listed
  * BookError            portfolios, trades, flows or instruments that cannot be used, every
                         problem listed; also a ValueError
  * RecipeError          a recipe that cannot be run, every problem listed; also a ValueError
  * ExportError          a data set that cannot be written in the form of another library
  * ProjectError         no project here, or one that this version cannot open
  * StoreError           portfolios that a disk or a server could not store or read
  * StaleVersionError    a data set that another process has changed meanwhile
  * CorruptEntryError    a stored file whose bits differ from its digest
  * StageError           a stage failed while it ran; also a RuntimeError
    * TransientError     a failure that may pass: the block is tried again
      * WorkerLostError  the process of a block ended before the block did
        * OutOfMemoryError  the system killed it, as memory ran out
      * TimeLimitError   a block took longer than it may
  * MemoryLimitError     a run that would take more memory than it may
  * RunError             a run ended with failed blocks, every one listed
  * GateError            a declared gate said no
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Any

from plumbline.core.nearness import near_names

_LIBRARIES = {
    "site-packages",
    "dist-packages",
    f"python{sys.version_info[0]}.{sys.version_info[1]}",
}


class PlumblineError(Exception):
    """Root of everything this package raises on purpose; it pickles with all it says."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, dict(vars(self)))


def _restored(
    cls: type[PlumblineError], arguments: tuple[Any, ...], state: dict[str, Any]
) -> PlumblineError:
    error = cls.__new__(cls, *arguments)  # without __init__, whose parameters may be others
    vars(error).update(state)
    return error


class ParameterError(PlumblineError, ValueError):
    """A function or plug-in was given values it cannot use."""


class _NamedKeyError(PlumblineError, KeyError):
    """A missing name; ``str`` gives the sentence instead of ``KeyError``'s quoted repr."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownPluginError(_NamedKeyError):
    """No plug-in of that name in the room."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no {kind} named {name!r}; {nearest_names(name, known)}")


class BrokenPluginError(PlumblineError, ImportError):
    """A plug-in whose file cannot be loaded; the cause is chained to it."""


class UnknownTableError(_NamedKeyError):
    """A table of a name that a study does not have."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no table named {name!r}; {nearest_names(name, known)}")


class UnknownAssetError(_NamedKeyError):
    """An asset that the data do not hold."""

    def __init__(self, names: Sequence[str], known: Iterable[str]) -> None:
        choices = sorted(known)
        lines = [f"{name!r} ({nearest_names(name, choices)})" for name in names[:20]]
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        super().__init__(f"unknown asset: {'; '.join(lines)}{more}")


class MissingDataError(PlumblineError, LookupError):
    """The data lack a field, bar or file that is needed."""


class UnknownNameError(MissingDataError):
    """Somebody asked for a node, block, data set or run of a name that is not there."""


class MissingExtraError(PlumblineError, ImportError):
    """A library of an optional extra is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed; run: pip install 'plumbline[{extra}]'")


class UnhashableError(PlumblineError, TypeError):
    """A value has no canonical digest, so no result that depends on it may be cached."""


class CalendarError(PlumblineError, ValueError):
    """A time that the trading calendar does not cover."""


class UnknownCalendarError(CalendarError):
    """No trading calendar, or no length of bars, of that name."""


class _ProblemsError(PlumblineError):
    """Several problems found in one pass, shown together."""

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__("\n".join([f"{subject}: {count}", *(f"  - {p}" for p in problems)]))


class SourceError(_ProblemsError):
    """Files that cannot be read as bars."""


class RecipeError(_ProblemsError, ValueError):
    """A recipe that cannot be run."""


class BookError(_ProblemsError, ValueError):
    """Portfolios, trades, flows of cash or instruments that cannot be used."""


class ProjectError(PlumblineError):
    """No project here, or one that this version cannot open."""


class ExportError(PlumblineError):
    """A data set cannot be written in the form of another library; it says what refused."""


class StoreError(PlumblineError):
    """Portfolios that a disk or a server could not store or read; it says what to do."""


class StaleVersionError(PlumblineError):
    """A data set that another process has changed meanwhile; nothing was written."""


class CorruptEntryError(PlumblineError):
    """A stored file whose bits differ from its digest; ``what`` says what it is."""

    def __init__(self, digest: str, path: str, reason: str, what: str = "stored result") -> None:
        self.digest = digest
        self.path = path
        self.reason = reason
        super().__init__(f"{what} {digest[:12]} at {path} is damaged: {reason}")


class StageError(PlumblineError, RuntimeError):
    """A stage failed while it ran; ``trace`` is the traceback of its cause."""

    def __init__(self, message: str, trace: str = "") -> None:
        self.trace = trace
        super().__init__(message)


class TransientError(StageError):
    """A failure that may pass; a stage that raises it has its block tried again."""


class WorkerLostError(TransientError):
    """The process of a block, or of a compiler, ended before its work: a crash, or no memory."""


class OutOfMemoryError(WorkerLostError):
    """The system killed the process of a block, as memory ran out."""


class TimeLimitError(TransientError):
    """A block took longer than its time limit, and was ended."""


class MemoryLimitError(PlumblineError):
    """A run that would take more memory than it may; it says what would fit."""


class RunError(_ProblemsError):
    """A run ended with failed blocks."""


class GateError(PlumblineError):
    """A declared gate said no."""


def place_of(error: BaseException) -> str:
    """Return file and line of the code that failed: the last frame outside the import machinery."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith("<")
    ]
    if not frames:
        return "no place known"
    own = [frame for frame in frames if not set(Path(frame.filename).parts) & _LIBRARIES]
    last = (own or frames)[-1]  # what called a library says more than where that gave up
    return f"{last.filename}, line {last.lineno}"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is closest to another, or None if none is close."""
    choices = sorted(set(known))
    same = [choice for choice in choices if choice.casefold() == name.casefold()]
    return next(iter(same or near_names(name, choices)), None)


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` when a known name is close, else the list of known names."""
    choices = sorted(set(known))
    near = nearest_name(name, choices)
    if near is not None:
        return f"did you mean {near!r}?"
    shown = ", ".join(choices[:20]) + (f", … ({len(choices)} in all)" if len(choices) > 20 else "")
    return f"known: {shown or 'none'}"
