import math
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.axes import digits_for, ticks
from plumbline.report.figures import heat_style, histogram
from plumbline.report.markup import Html, json_block, tag
from plumbline.report.values import (
    BPS,
    COUNT,
    IC,
    P_VALUE,
    PERCENT,
    RATIO,
    finite,
    finite_column,
    number_text,
    with_unit,
)


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.0123456, IC, "0.012"),
        (-0.0123456, IC, "−0.012"),
        (-0.0001, IC, "0.000"),
        (1.234, RATIO, "1.23"),
        (0.0241, PERCENT, "2.4"),
        (0.00123, BPS, "12.3"),
        (2700.0, COUNT, "2,700"),
        (0.00001, P_VALUE, "<0.001"),
        (0.0, P_VALUE, "<0.001"),
        (0.0004, IC, "0.000"),
        (0.5, P_VALUE, "0.500"),
        (-1.5e9, RATIO, "−1.5e+09"),
        (None, IC, "n/a"),
        (math.nan, IC, "n/a"),
        (1e307, PERCENT, "n/a"),
    ],
)
def test_numbers_are_written_for_the_eye(value, style, text):
    assert number_text(value, style) == text


def test_units_follow_numbers_but_not_missing_ones():
    assert with_unit(0.0241, PERCENT) == "2.4 %"
    assert with_unit(None, PERCENT) == "n/a"
    assert with_unit(0.5, P_VALUE) == "0.500"


def test_only_finite_numbers_count():
    assert finite(Decimal("1.5")) == 1.5
    assert [finite(v) for v in ("1.5", None, math.inf, math.nan)] == [None] * 4
    assert finite_column(pl.DataFrame({"x": [1, None]}), "x") == [1.0, None]
    assert finite_column(pl.DataFrame(), "x") == []


@given(
    low=st.floats(-1e300, 1e300, allow_nan=False),
    span=st.floats(0, 1e300, allow_nan=False),
    count=st.integers(2, 30),
)
def test_ticks_rise_and_enclose_what_they_label(low, span, count):
    high = low + span
    marks = ticks(low, high, count)
    assert len(marks) >= 2
    assert all(a < b for a, b in pairwise(marks))
    slack = 1e-8 * (marks[1] - marks[0])
    assert marks[0] - slack <= max(low, -1e300)
    assert marks[-1] + slack >= min(high, 1e300)
    assert len(marks) <= count + 3


def test_ticks_are_round_and_told_apart():
    assert ticks(0.0, 0.057) == pytest.approx([0, 0.02, 0.04, 0.06])
    assert digits_for([0.0, 0.02, 0.04]) == 2
    assert digits_for([0.0, 2.5, 5.0]) == 1
    assert digits_for([0.0, 50.0]) == 0


@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=60))
def test_a_histogram_counts_every_value_once(values):
    bins = histogram(values)
    assert sum(bins.counts) == len(values)
    assert bins.first <= min(values)
    assert bins.first + bins.width * len(bins.counts) >= max(values) - 1e-8


def test_a_histogram_puts_values_into_their_bins():
    bins = histogram([0.0, 0.05, 0.06, 0.95, 1.0], 10)
    assert bins.width == pytest.approx(0.2)
    assert bins.counts == (3, 0, 0, 0, 2)


def test_shading_grows_with_size_and_tells_the_sign():
    assert heat_style(0.02, 0.04) == {"class_": "num heat pos", "style": "--a:0.25"}
    assert heat_style(-0.04, 0.04) == {"class_": "num heat neg", "style": "--a:0.50"}
    assert heat_style(None, 0.04) == {"class_": "num"}
    assert heat_style(0.0, 0.0) == {"class_": "num"}


@given(st.text("<>&\"'p/="))
def test_text_is_escaped_wherever_it_stands(text):
    made = tag("p", text, title=text)
    inside = made.removeprefix('<p title="').removesuffix("</p>")
    assert "<" not in inside
    assert inside.count('"') == 1
    assert tag("b", Html("<i>x</i>")) == "<b><i>x</i></b>"


@given(st.text("<>&/script!-"))
def test_page_data_cannot_end_their_element(text):
    block = json_block({"text": text})
    inside = block.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert not set(inside) & set("<>&")
