import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from plumbline.core.alignment import conform
from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel

CLOSES = np.datetime64("2024-01-01", "us") + np.arange(40) * np.timedelta64(1, "D")


def numbered(first: int, n_bars: int, assets: tuple[str, ...] = ("A", "B")) -> Panel:
    numbers = np.arange(first, first + n_bars, dtype=np.float64)
    values = numbers[:, None] + np.arange(len(assets)) / 10
    return Panel({"x": values}, CLOSES[first : first + n_bars], assets, first_bar=first)


spans = st.tuples(st.integers(0, 20), st.integers(0, 15))


@given(spans, spans)
def test_every_bar_keeps_its_number_and_what_is_missing_is_nan(span, like_span):
    panel, like = numbered(*span), numbered(*like_span, assets=("Z",))
    laid = conform(panel, like)
    assert_array_equal(laid.bars, like.bars)
    assert_array_equal(laid.known_at, like.known_at)
    assert laid.assets == panel.assets
    for row in range(like.n_bars):
        number = like.first_bar + row
        held = panel.first_bar <= number < panel.first_bar + panel.n_bars
        expected = [number, number + 0.1] if held else [np.nan, np.nan]
        assert_array_equal(laid["x"][row], expected)
    if like.n_bars:
        assert laid.first_bar == like.first_bar


@pytest.mark.parametrize(("first", "n_bars"), [(3, 10), (5, 4), (3, 2)])
def test_bars_that_are_a_part_are_views(first, n_bars):
    panel = numbered(3, 10)
    assert np.shares_memory(conform(panel, numbered(first, n_bars))["x"], panel["x"])


def test_equal_bars_give_the_panel_itself():
    panel = numbered(3, 10)
    assert conform(panel, numbered(3, 10, assets=("Z",))) is panel


def test_bars_of_two_calendars_are_refused_though_their_numbers_agree():
    days = np.datetime64("2020-01-01T21:00:00", "us") + np.arange(4) * np.timedelta64(1, "D")
    one = Panel({"x": np.ones((4, 1))}, days, ["A"], first_bar=10)
    other = Panel({"x": np.ones((3, 1))}, days[1:] + np.timedelta64(1, "h"), ["A"], first_bar=11)
    with pytest.raises(ParameterError, match="one calendar"):
        conform(other, one)
