"""YAML is read into plain values under text keys, or refused with the line."""

from datetime import date

import pytest

from plumbline.stages.yaml_text import read_value, read_yaml


def test_values_and_lines():
    problems: list[str] = []
    value, lines = read_yaml("a: 1\nb:\n  c: [x, {d: 2}]\n", problems)
    assert value == {"a": 1, "b": {"c": ["x", {"d": 2}]}}
    keys = {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", "1", "d"): 3}
    assert lines == {**keys, ("b", "c", "0"): 3, ("b", "c", "1"): 3}
    assert problems == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[off, on, yes, no, y, N, ON, NO]", ["off", "on", "yes", "no", "y", "N", "ON", "NO"]),
        ("[true, False, TRUE]", [True, False, True]),
        ("[1e9, 2E-3, -1e+2, 1.5e3, 12]", [1e9, 2e-3, -100.0, 1500.0, 12]),
        ("{off: 1, 'no': 2}", {"off": 1, "no": 2}),
        ("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}),
        ("[2024-01-31, 2024-13-45, 2024-02-30]", [date(2024, 1, 31), "2024-13-45", "2024-02-30"]),
    ],
)
def test_scalars_are_what_people_mean(text, value):
    problems: list[str] = []
    assert read_yaml(text, problems)[0] == value
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n1: x\n", "line 2: the key 1 is read as a whole number; keys are text: write '1'"),
        ("a: {2.5: x}\n", "line 1: the key 2.5 is read as a number"),
        ("true: x\n", "line 1: the key true is read as true or false"),
        ("null: x\n", "line 1: the key null is read as nothing"),
        ("2024-01-02: x\n", "line 1: the key 2024-01-02 is read as a date"),
        ("a: 1\n? [b, c]\n: 3\n", "line 2: a list or mapping stands in the place of a key"),
        ("a: 1\na: 2\n", "line 2: a stands twice (line 1)"),
        (
            "a: 1\nb: {c: 1\nd: 2}\n",
            "is not YAML: while parsing a flow mapping in line 2, column 4: expected ',' or '}'",
        ),
        ("a: b: c\n", "is not YAML: mapping values are not allowed here in line 1, column 5"),
        ("a: \x01\n", "is not YAML: unacceptable character #x0001: "),
        ("a: !!python/object:os.system 1\n", "is not YAML: "),
        ("&a [*a]\n", "is nested too deeply, or holds itself"),
        ("[" * 5000, "is nested too deeply, or holds itself"),
    ],
)
def test_what_cannot_be_read_is_refused(text, problem):
    problems: list[str] = []
    assert read_yaml(text, problems)[0] is None
    assert problems[0].startswith(problem)
    assert "^" not in problems[0]


def test_every_such_key_is_listed():
    problems: list[str] = []
    read_yaml("1: x\nb: {2: x, 3: {4: y}}\nb: 3\n", problems)
    assert [p.split(":")[0] for p in problems] == ["line 1", "line 2", "line 2", "line 3"]


@pytest.mark.parametrize(
    "text",
    [
        *("%d/%m/%Y", ",", "|", ";", "*.csv", "%H:%M", "@", "`", "a: b: c", "#"),
        *("{stem}", "{stem}.us", "us: {stem}", "us-{stem}", "{word}", "{stem}: {stem}"),
    ],
)
def test_a_typed_value_that_is_no_yaml_is_its_own_text(text):
    problems: list[str] = []
    assert read_value(text, problems) == text
    assert problems == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("126", 126),
        ("[1, a]", [1, "a"]),
        ("{a: 1}", {"a": 1}),
        ("{}", {}),
        ("{asset: '{stem}'}", {"asset": "{stem}"}),
        ("'{stem}'", "{stem}"),
        ("','", ","),
    ],
)
def test_a_typed_value_that_is_yaml_is_read_as_such(text, value):
    assert read_value(text, []) == value


@pytest.mark.parametrize("text", ["[1", "{a: 1", "'x", "{a: 1, a: 2}"])
def test_a_typed_value_that_opens_yaml_and_is_none_is_refused(text):
    problems: list[str] = []
    assert read_value(text, problems) is None
    assert problems


def test_what_is_wrong_with_yaml_is_told_by_its_line():
    problems: list[str] = []
    read_yaml("a: 1\nb: [1\n", problems)
    assert "unicode string" not in problems[0]
    assert "in line 2, column 4" in problems[0]
