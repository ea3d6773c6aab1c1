import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.axes import digits_for, ticks
from plumbline.report.figures import heat_style
from plumbline.report.markup import Html, json_block, tag
from plumbline.report.values import (
    BPS,
    COUNT,
    IC,
    P_VALUE,
    PERCENT,
    RATIO,
    capital_text,
    dates,
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


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1e6, "1m"),
        (2.5e7, "25m"),
        (1.5e9, "1.5bn"),
        (999_999.0, "1m"),
        (800_000.0, "800k"),
        (12.0, "12"),
        (3e12, "3tn"),
        (None, "n/a"),
        (math.inf, "n/a"),
    ],
)
def test_capital_is_written_in_three_digits(amount, text):
    assert capital_text(amount) == text


def test_days_are_those_of_utc():
    moment = datetime(2020, 1, 2, 3, tzinfo=timezone(timedelta(hours=9)))
    column = pl.Series([moment, None]).dt.convert_time_zone("Asia/Tokyo")
    assert dates(column) == ["2020-01-01", None]
    assert dates(pl.Series([1, 2])) == [None, None]


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-5, 5).map(float)), max_size=20))
def test_columns_hold_the_same_as_cell_by_cell(cells):
    frame = pl.DataFrame({"x": pl.Series(cells, dtype=pl.Float64)})
    assert finite_column(frame, "x") == [finite(cell) for cell in cells]
