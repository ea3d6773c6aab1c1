"""The process of a command: from Ctrl-C, which is heard before anything loads, to the exit code."""

import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

from plumbline.engine.interruption import is_interrupted, note_ctrl_c

INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command that was typed, and exit.

    The commands are imported only here: they take most of a second to load.
    """
    note_ctrl_c()
    try:
        code = _called()
    except BaseException as error:
        if not (is_interrupted() or isinstance(error, KeyboardInterrupt)):
            raise
        print("plumbline: interrupted", file=sys.stderr)  # whatever a library made of it
        _tidy_up_quickly()
        raise SystemExit(INTERRUPTED) from error
    _tidy_up_quickly()
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


def _tidy_up_quickly() -> None:
    """Let Ctrl-C end the process at once: all is said, and Python only tidies up."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
