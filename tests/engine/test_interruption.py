"""Being told to stop while something else goes wrong."""

import os
import signal

import pytest

from plumbline.engine.interruption import interrupt_first


def test_an_error_after_ctrl_c_is_an_interrupt_and_one_before_stays_an_error() -> None:
    def half_way() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("half-way") from None

    with pytest.raises(KeyboardInterrupt) as interrupted, interrupt_first():
        half_way()
    assert str(interrupted.value.__cause__) == "half-way"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(RuntimeError, match="own"), interrupt_first():
        raise RuntimeError("own")


def test_a_program_that_handles_the_signal_itself_keeps_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt_first():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
