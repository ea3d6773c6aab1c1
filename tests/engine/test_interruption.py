"""Being told to stop."""

import os
import signal
import threading

import pytest

from plumbline.engine import interruption
from plumbline.engine.interruption import is_interrupted, note_ctrl_c, stop_if_interrupted


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_that_a_library_lost_is_raised_again_at_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interruption, "_heard", threading.Event())
    try:
        note_ctrl_c()
        stop_if_interrupted()
        with pytest.raises(KeyboardInterrupt):
            press()
        assert is_interrupted()
        with pytest.raises(KeyboardInterrupt):
            stop_if_interrupted()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_program_that_handles_the_signal_itself_keeps_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        note_ctrl_c()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
