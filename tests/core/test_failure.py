import dataclasses
import pickle

import pytest

from plumbline.core.errors import MissingDataError, ParameterError, UnknownPluginError
from plumbline.core.failure import Failure, attempt


def raising(error: Exception):
    def compute() -> int:
        raise error

    return compute


def test_a_result_passes_through():
    assert attempt(lambda: 42) == 42


@pytest.mark.parametrize(
    "error",
    [
        ParameterError("window=0 must be positive"),
        MissingDataError("no field 'close'"),
        UnknownPluginError("Signal", "x", ["y"]),
    ],
)
def test_an_error_of_the_package_becomes_a_value(error):
    assert attempt(raising(error)) == Failure(type(error).__name__, str(error))


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug"), ZeroDivisionError()])
def test_a_bug_still_raises(error):
    with pytest.raises(type(error)):
        attempt(raising(error))


def test_an_interrupt_still_raises():
    def compute() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(compute)


def test_a_failure_is_frozen_and_pickles():
    failure = Failure("ParameterError", "window=0")
    assert pickle.loads(pickle.dumps(failure)) == failure  # noqa: S301  # our own bytes
    with pytest.raises(dataclasses.FrozenInstanceError):
        failure.kind = "other"
