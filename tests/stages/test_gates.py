"""Gates: what they say at, beyond and without their bounds."""

import pytest

from plumbline.core.errors import ParameterError
from plumbline.stages.gates import judged
from plumbline.stages.kind import Gate
from plumbline.stages.study_findings import recorded_verdicts


@pytest.mark.parametrize(
    ("value", "low", "high", "passed", "words"),
    [
        (2.0, 2.0, None, True, "2 is at least 2"),
        (1.999, 2.0, None, False, "1.999 is below 2"),
        (2.0, None, 2.0, True, "2 is at most 2"),
        (2.001, None, 2.0, False, "2.001 is above 2"),
        (0.5, 0.0, 1.0, True, "0.5 is at least 0 and at most 1"),
        (-0.5, 0.0, 1.0, False, "-0.5 is below 0"),
        (None, 0.0, None, False, "the number is missing"),
    ],
)
def test_a_gate_holds_at_its_bound_and_not_beyond(value, low, high, passed, words):
    (verdict,) = judged([Gate("ic", "a", low, high)], {("ic", "a"): value})
    assert verdict == ("ic of a", passed, f"gate on ic of a: {words}")


def test_a_number_that_no_result_holds_breaks_its_gate_and_no_other():
    gates = [Gate("ic", "b", at_least=0), Gate("ic", "a", at_least=0)]
    assert [v.passed for v in judged(gates, {("ic", "a"): 1.0})] == [False, True]


def test_a_gate_that_no_number_can_pass_is_refused():
    with pytest.raises(ParameterError, match="no number can pass at_least=3 and at_most=2"):
        Gate("ic", "a", at_least=3, at_most=2)
    assert judged([Gate("ic", "a", at_least=2, at_most=2)], {("ic", "a"): 2.0})[0].passed


def test_a_recorded_gate_that_no_number_can_pass_has_failed():
    gates = [
        {"metric": "ic", "subject": "a", "at_least": 3, "at_most": 2},
        {"metric": "ic", "subject": "a", "at_least": 1},
    ]
    first, second = recorded_verdicts({"gates": gates}, {("ic", "a"): 2.5})
    assert (first.gate, first.passed) == ("ic of a", False)
    assert "no number can pass" in first.text
    assert second.passed
