"""Calls are tried again by a seed, and a breaker stops asking who fails."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.errors import SourceError
from plumbline.lake.breaker import COOLDOWN, FAILURES, Breaker, breaker_states
from plumbline.lake.calls import LONGEST_WAIT, Calls, PassingError, Patience

START = datetime(2024, 1, 1)  # noqa: DTZ001  # a clock without a zone, as the settings have it


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


class Flaky:
    """A call that fails so many times before it gives an answer."""

    def __init__(self, failures: int, wait_seconds: float = 0.0) -> None:
        self.left = failures
        self.wait_seconds = wait_seconds
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        if self.left:
            self.left -= 1
            raise PassingError(f"no answer {self.count}", self.wait_seconds)
        return "answer"


@pytest.fixture
def clock():
    return Clock()


def calls_of(clock, database=None, patience=None) -> Calls:
    breaker = Breaker("x", database, clock)
    return Calls("x", patience or Patience(), breaker, clock.sleep)


def test_a_call_that_fails_is_tried_again_until_it_answers(clock):
    flaky = Flaky(3)
    assert calls_of(clock)(flaky) == "answer"
    assert flaky.count == 4
    assert len(clock.slept) == 3


@given(
    seed=st.integers(0, 2**32), first=st.floats(0.001, 60), call=st.integers(1, 99),
    attempt=st.integers(1, 12),
)  # fmt: skip
def test_waits_double_and_are_drawn_from_the_seed_alone(seed, first, call, attempt):
    patience = Patience(20, first, seed)
    wait = patience.wait_seconds(call, attempt)
    longest = min(LONGEST_WAIT, first * 2.0 ** (attempt - 1))
    assert longest / 2 <= wait <= longest
    assert Patience(5, first, seed).wait_seconds(call, attempt) == wait
    assert patience.wait_seconds(call + 1, attempt) != wait
    assert Patience(20, first, seed + 1).wait_seconds(call, attempt) != wait


def test_the_last_failure_is_told_with_how_many_there_were(clock):
    flaky = Flaky(9)
    with pytest.raises(SourceError) as caught:
        calls_of(clock, patience=Patience(attempts=3))(flaky)
    assert flaky.count == 3
    assert "failed 3 times in a row, the last time with: no answer 3" in str(caught.value)
    assert len(clock.slept) == 2


def test_who_says_how_long_to_wait_is_heard_up_to_a_limit(clock):
    flaky = Flaky(1, wait_seconds=30)
    assert calls_of(clock)(flaky) == "answer"
    assert clock.slept == [30]
    flaky = Flaky(1, wait_seconds=LONGEST_WAIT + 1)
    with pytest.raises(SourceError, match="failed 1 times in a row"):
        calls_of(clock)(flaky)
    assert clock.slept == [30]


def test_an_error_of_another_kind_is_raised_at_once(clock):
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        calls_of(clock)(broken)
    assert clock.slept == []


def test_a_breaker_opens_waits_tries_once_and_closes(lake, clock):
    database = lake.database
    breaker = Breaker("x", database, clock)
    for number in range(FAILURES):
        assert breaker.refusal() is None
        assert breaker.state.state == "closed"
        breaker.failed(f"error {number}")
    assert breaker.state.state == "open"
    later = Breaker("x", database, clock)
    assert "failed 5 times in a row, the last time with: error 4" in str(later.refusal())
    clock.now += COOLDOWN - timedelta(seconds=1)
    assert later.refusal() is not None
    clock.now += timedelta(seconds=1)
    assert later.refusal() is None
    assert later.state.state == "half_open"
    later.failed("again")
    assert later.state.state == "open"
    assert later.state.since == clock.now
    clock.now += COOLDOWN
    third = Breaker("x", database, clock)
    assert third.refusal() is None
    third.succeeded()
    assert (third.state.state, third.state.failures) == ("closed", 0)
    assert Breaker("x", database, clock).state == third.state


def test_failures_that_are_not_in_a_row_open_nothing(clock):
    breaker = Breaker("x", None, clock)
    for _ in range(3 * FAILURES):
        breaker.failed("e")
        breaker.failed("e")
        breaker.succeeded()
    assert breaker.state.state == "closed"


def test_an_open_breaker_lets_no_call_pass(lake, clock):
    with pytest.raises(SourceError):
        calls_of(clock, lake.database)(Flaky(FAILURES))
    flaky = Flaky(0)
    with pytest.raises(SourceError) as caught:
        calls_of(clock, lake.database)(flaky)
    assert "is not asked before 2024-01-01" in str(caught.value)
    assert flaky.count == 0
    clock.now += COOLDOWN
    assert calls_of(clock, lake.database)(flaky) == "answer"


def test_the_state_of_each_source_is_its_own(lake, clock):
    Breaker("b", lake.database, clock).failed("one")
    Breaker("a", lake.database, clock).failed("two")
    states = breaker_states(lake.database)
    assert [(s.source, s.state, s.failures, s.last_error) for s in states] == [
        ("a", "closed", 1, "two"),
        ("b", "closed", 1, "one"),
    ]
    assert breaker_states(None) == []
