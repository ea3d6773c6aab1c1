"""Being told to stop while a piece of work is not to be stopped."""

import os
import signal
import threading

import pytest

from plumbline.engine import interruption
from plumbline.engine.interruption import interrupt_between, note_ctrl_c, stop_if_interrupted


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_work_ends_after_the_piece_in_which_ctrl_c_was_pressed() -> None:
    done: list[str] = []

    def work() -> None:
        with interrupt_between(lambda: done.append("told")) as check:
            for piece in "abc":
                check()
                if piece == "b":
                    press()
                done.append(piece)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["a", "told", "b"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_end_of_the_block_and_an_error_in_it_are_an_interrupt_too() -> None:
    with pytest.raises(KeyboardInterrupt), interrupt_between(lambda: None):
        press()

    def half_way() -> None:
        press()
        raise RuntimeError("half-way")

    with pytest.raises(KeyboardInterrupt) as interrupted, interrupt_between(lambda: None):
        half_way()
    assert str(interrupted.value.__cause__) == "half-way"
    with pytest.raises(RuntimeError, match="own"), interrupt_between(lambda: None):
        raise RuntimeError("own")


def test_a_second_ctrl_c_does_not_wait() -> None:
    done: list[str] = []

    def work() -> None:
        with interrupt_between(lambda: None):
            press()
            done.append("first")
            press()
            done.append("second")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["first"]


def test_a_program_that_handles_the_signal_itself_keeps_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt_between(lambda: None):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_command_line_s_own_handler_is_taken_over_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interruption, "_heard", threading.Event())
    done: list[str] = []

    def work() -> None:
        with interrupt_between(lambda: None) as check:
            press()
            done.append("piece")
            check()

    try:
        note_ctrl_c()
        ours = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            work()
        assert done == ["piece"]
        assert signal.getsignal(signal.SIGINT) is ours
        with pytest.raises(KeyboardInterrupt):
            press()
        with pytest.raises(KeyboardInterrupt):
            stop_if_interrupted()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
