"""A departure from a schema is told in plain words, once, with what is allowed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest

from plumbline.stages.departures import departures, expected
from plumbline.stages.validation import schema_of

JARGON = re.compile(
    r"is not of type|additional properties|is not valid under|minItems|minimum|schema|"
    r"array|object|integer|boolean|null|None|True|False",
)


@dataclass(frozen=True)
class Options:
    window: int
    names: Sequence[str] = ()
    level: float | None = None
    policy: Literal["flag", "off"] = "flag"
    is_on: bool = True


def told(values):
    return {
        ".".join(problem.place): problem.text
        for problem in departures(schema_of(Options), {"window": 1, **values})
    }


@pytest.mark.parametrize(
    ("values", "place", "text"),
    [
        ({"window": "long"}, "window", "takes a whole number, not the text 'long'"),
        ({"window": 2.5}, "window", "takes a whole number, not 2.5"),
        ({"window": None}, "window", "takes a whole number, not nothing"),
        ({"window": True}, "window", "takes a whole number, not true"),
        ({"names": "a"}, "names", "takes a list of texts, not the text 'a'"),
        ({"names": [1]}, "names.0", "takes text, not 1"),
        ({"names": {}}, "names", "takes a list of texts, not an empty mapping"),
        ({"level": [1]}, "level", "takes a number or nothing, not the list [1]"),
        ({"level": {"a" * 90: 1}}, "level", "takes a number or nothing, not a mapping"),
        ({"policy": "flog"}, "policy", "'flog' is not allowed; did you mean 'flag'?"),
        ({"policy": False}, "policy", "false is not allowed; known: flag, off"),
        ({"is_on": "yes"}, "is_on", "takes true or false, not the text 'yes'"),
        ({"is_no": 1}, "is_no", "is no name here; did you mean 'is_on'?"),
    ],
)
def test_a_departure_is_one_problem_without_jargon(values, place, text):
    assert told(values) == {place: text}
    assert not JARGON.search(text)


def test_what_is_lacking_is_named_with_the_keys_that_there_are():
    (problem,) = departures(schema_of(Options), {})
    assert problem.text == "lacks 'window'; its keys are window, names, level, policy, is_on"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 2}, "a whole number of at least 2"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number above 0 of at most 1"),
        (
            {"type": ["integer", "null"], "minimum": 1},
            "a whole number of at least 1 or nothing",
        ),
        ({"type": "object", "minProperties": 1}, "a mapping (key: value) with 1 or more entries"),
        ({"type": "array", "items": {}}, "a list"),
        ({"type": "string", "pattern": "^a"}, "text of the form ^a"),
        ({"type": "string", "pattern": "^a", "description": "a word"}, "a word"),
        ({"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]}, "a, b or nothing"),
        (
            {"anyOf": [{"type": "null"}, {"type": "string"}, {"type": "integer"}]},
            "text, or a whole number, or nothing",
        ),
        ({}, "another value"),
    ],
)
def test_what_a_schema_takes_has_words(schema, words):
    assert expected(schema) == words
