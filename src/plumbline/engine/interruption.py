"""Being told to stop: a run that is terminated closes its books as one that is interrupted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_heard = threading.Event()


def note_ctrl_c() -> None:
    """Note Ctrl-C besides raising KeyboardInterrupt: for a program that is ours from end to end.

    Libraries drop an exception that reaches them in a call from their own compiled code; the
    program asks with :func:`stop_if_interrupted` at its next step.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)


def is_interrupted() -> bool:
    """Return whether this program was told to stop, whatever became of the exception."""
    return _heard.is_set()


def stop_if_interrupted() -> None:
    """Raise KeyboardInterrupt, again, if this program was told to stop."""
    if _heard.is_set():
        raise KeyboardInterrupt


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, unless the program handles that signal itself."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _note(number: int, frame: FrameType | None) -> None:
    _heard.set()
    signal.default_int_handler(number, frame)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the books are being closed
    _heard.set()
    raise KeyboardInterrupt("terminated")
