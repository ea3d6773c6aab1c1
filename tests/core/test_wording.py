"""Messages count in the singular and the plural, and name a few of many."""

import pytest

from plumbline.core.wording import counted, named


@pytest.mark.parametrize(
    ("n", "told"), [(0, "0 dates"), (1, "1 date"), (2, "2 dates"), (3000, "3,000 dates")]
)
def test_a_number_has_its_noun(n, told):
    assert counted(n, "date") == told


def test_of_many_names_a_few_are_told_and_the_rest_counted():
    assert named(["a"]) == "a"
    assert named(list("abcde")) == "a, b, c, d, e"
    assert named(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert named(list("abc"), most=1) == "a and 2 more"
