import numpy as np
import pytest
from numpy.testing import assert_array_equal

from plumbline.core.errors import MissingDataError, ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.factor_returns import (
    definition_problems,
    dependent_factors,
    factor_returns,
    legs_of,
)
from tests.contracts.made_panels import axis


@pytest.fixture
def funds():
    values = 0.01 * np.random.default_rng(0).standard_normal((5, 4))
    values[2, 1] = np.nan
    return Panel({"return": values}, axis(5), ["BRK-B", "IWM", "SPY", "TLT"], first_bar=7)


def test_legs_are_taken_and_subtracted_and_factors_sorted(funds):
    factors = factor_returns({"size": "IWM - SPY", "market": " SPY ", "berkshire": "BRK-B"}, funds)
    assert factors.assets == ("berkshire", "market", "size")
    assert (factors.first_bar, list(factors)) == (7, ["return"])
    values = funds["return"]
    assert_array_equal(factors["return"][:, 0], values[:, 0])
    assert_array_equal(factors["return"][:, 1], values[:, 2])
    assert_array_equal(factors["return"][:, 2], values[:, 1] - values[:, 2])
    assert np.isnan(factors["return"][2, 2])


def test_every_problem_is_named_with_the_nearest_asset(funds):
    definitions = {
        "market": "SPX",
        "size": "IWM-SPY",
        "rates": "TLT - ",
        "nothing": "SPY - SPY",
        "many": "SPY - IWM - TLT",
        "sum": "SPY + TLT",
    }
    with pytest.raises(ParameterError) as caught:
        factor_returns(definitions, funds)
    message = str(caught.value)
    assert "'market' needs 'SPX', which the data lack (did you mean 'SPY'?)" in message
    assert "'size' needs blanks around the minus: 'IWM - SPY'" in message
    assert "'sum' needs 'SPY + TLT', which the data lack" in message
    assert "allowed: 'A' or 'A - B'" in message[message.index("'sum'") :]
    for name in ("rates", "nothing", "many"):
        assert f"{name!r} is defined as" in message


def test_no_definition_and_no_name_are_refused(funds):
    with pytest.raises(ParameterError, match="no factor"):
        factor_returns({}, funds)
    with pytest.raises(ParameterError, match="without a name"):
        factor_returns({" ": "SPY"}, funds)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SPY-BRK-B", "needs blanks around the minus: 'SPY - BRK-B'"),
        ("BRK-B-SPY", "needs blanks around the minus: 'BRK-B - SPY'"),
        ("IWM-XYZ", "needs 'IWM-XYZ', which the data lack (did you mean 'IWM'?)"),
        ("AAA - BBB", "needs 'AAA', which the data lack (known: BRK-B, IWM, SPY, TLT) and 'BBB', "),
    ],
)
def test_a_minus_without_blanks_is_told_from_a_leg_that_is_not_there(funds, text, told):
    (found,) = definition_problems({"x": text, "market": "SPY"}, funds.assets).values()
    assert found.startswith(told)


def test_legs_are_listed_so_that_they_can_be_loaded():
    assert legs_of({"size": "IWM - SPY", "market": "SPY"}) == ("IWM", "SPY")
    with pytest.raises(ParameterError, match="'A' or 'A - B'"):
        legs_of({"size": "- SPY"})


def test_a_panel_without_returns_is_refused():
    panel = Panel({"close": np.ones((2, 1))}, axis(2), ["SPY"])
    with pytest.raises(MissingDataError, match="return"):
        factor_returns({"market": "SPY"}, panel)


@pytest.mark.parametrize(
    ("definitions", "dependent"),
    [
        ({"market": "SPY", "size": "IWM - SPY"}, []),
        ({"market": "SPY", "same": "SPY"}, ["same"]),
        ({"up": "A - B", "down": "B - A"}, ["down"]),
        ({"x": "A - B", "y": "B - C", "z": "A - C"}, ["z"]),
        ({"x": "A - B", "y": "A", "z": "B", "w": "C"}, ["z"]),
        ({"x": "A - B", "y": "C - D"}, []),
    ],
)
def test_factors_that_are_combinations_of_those_before_are_named(definitions, dependent):
    assert dependent_factors(definitions) == dependent


def test_a_leg_may_hold_blanks(funds):
    named = Panel(
        {"return": funds["return"]}, funds.bars, ["BRK-B", "S&P 500", "SPX ETF", "SPX Index"]
    )
    definitions = {"market": "SPX Index", "basis": "SPX Index - SPX ETF", "big": "S&P 500 - BRK-B"}
    assert legs_of(definitions) == ("BRK-B", "S&P 500", "SPX ETF", "SPX Index")
    factors = factor_returns(definitions, named)
    values = named["return"]
    assert_array_equal(factors["return"][:, 0], values[:, 3] - values[:, 2])
    assert_array_equal(factors["return"][:, 2], values[:, 3])


@pytest.mark.parametrize("text", ["SPX -", "- SPX", "SPX -ETF", "SPX- ETF", "-", "A - B - C"])
def test_a_minus_beside_one_blank_is_refused_before_the_data_are_known(text):
    assert "allowed: 'A' or 'A - B'" in definition_problems({"market": text})["market"]


def test_an_asset_that_reads_as_a_difference_is_refused():
    problems = definition_problems({"spread": "A - B"}, ["A", "B", "A - B"])
    assert "an asset and a difference in one; rename that asset" in problems["spread"]
