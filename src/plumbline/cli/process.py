"""The process of a command: from Ctrl-C, which is heard before anything loads, to the exit code."""

import gc
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from plumbline.engine.interruption import is_interrupted, note_ctrl_c

INTERRUPTED = 130
_COLLECT_AFTER = 50_000  # new objects; what modules make while they load is no garbage


def run() -> NoReturn:
    """Run the command that was typed, and exit.

    The commands are imported only here: they take most of a second to load.
    """
    note_ctrl_c()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    try:
        code = _called()
    except BaseException as error:
        if not (is_interrupted() or isinstance(error, KeyboardInterrupt)):
            raise
        print("plumbline: interrupted", file=sys.stderr)  # whatever a library made of it
        _leave()
        raise SystemExit(INTERRUPTED) from error
    if code == INTERRUPTED:
        _leave()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # all is said; Python tidies up
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    raise SystemExit(code)


def _called() -> int:
    from plumbline.cli.app import call
    from plumbline.cli.console import finish

    for stream in (sys.stdout, sys.stderr):  # what an encoding lacks is shown by its number
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = call()
    finish()
    return code


def _leave() -> None:
    """End the process here, with what was interrupted unwound.

    At its own end Python would kill itself by the signal if the interrupt, though it was caught,
    came out of code that is made while it runs, as that of a dataclass is.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(INTERRUPTED)
