"""What an evaluation is asked with is looked at before anything is computed."""

import numpy as np
import pytest

from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.factors.evaluation import evaluate_signal
from plumbline.factors.given_signals import refuse_wrong, signals_on

BARS = np.datetime64("2020-01-01", "us") + np.arange(4) * np.timedelta64(1, "D")
PRICES = Panel({"close": np.full((4, 3), 10.0)}, BARS, ["A", "B", "C"])
OPTIONS = {"horizons": (1, 5), "costs": 5.0, "sectors": None, "regimes": None}


def test_every_wrong_argument_is_named_at_once():
    wrong = {"horizons": 5, "costs": "5", "sectors": ["tech"], "regimes": 5}
    with pytest.raises(ParameterError) as caught:
        refuse_wrong("momentum", None, wrong)
    told = str(caught.value).split("; ")
    names = ["signal='momentum'", "prices=None", "horizons=5", "costs='5'", "sectors=['tech']"]
    assert [text.split(" must be ")[0] for text in told] == [*names, "regimes=5"]


@pytest.mark.parametrize("horizons", ["1", (1.5,), (True,), (0,), {1: 2}])
def test_horizons_are_whole_numbers_of_bars(horizons):
    with pytest.raises(ParameterError, match="horizons="):
        refuse_wrong(PRICES, PRICES, OPTIONS | {"horizons": horizons})


@pytest.mark.parametrize("horizons", [[1, 5], np.array([1, 5]), range(1, 4)])
def test_any_series_of_whole_numbers_is_taken(horizons):
    refuse_wrong({"a": np.ones((4, 3))}, PRICES, OPTIONS | {"horizons": horizons})


def test_sectors_of_no_asset_that_has_prices_are_answered_with_the_nearest_names():
    names = ["AAPLX", "AAPLY", "AAPLZ"]
    prices = Panel({"close": np.full((4, 2), 10.0)}, BARS, ["AAPL", "MSFT"])
    with pytest.raises(ParameterError) as caught:
        refuse_wrong(prices, prices, OPTIONS | {"sectors": dict.fromkeys(names, "tech")})
    assert "must be of assets that have prices, at least one; unknown: 'AAPLX' (did you mean" in (
        str(caught.value)
    )
    refuse_wrong(prices, prices, OPTIONS | {"sectors": {"AAPLX": "tech", "MSFT": "tech"}})
    refuse_wrong(prices, prices, OPTIONS | {"sectors": {}})


def test_horizons_beyond_the_prices_are_refused_if_no_other_is_given():
    with pytest.raises(ParameterError, match=r"must be below the 4 bars of prices, one of them"):
        refuse_wrong(PRICES, PRICES, OPTIONS | {"horizons": (4, 5000)})
    refuse_wrong(PRICES, PRICES, OPTIONS | {"horizons": (1, 5000)})


def test_what_a_horizon_beyond_the_prices_cannot_have_is_counted():
    values = np.tile([1.0, 2.0, 3.0], (4, 1))
    lost = evaluate_signal(values, PRICES, horizons=(1, 5000)).uncomputed
    of_ic = lost.filter(part="rank_ic", horizon_bars=5000, reason="no_return")
    assert of_ic.select("n", "of").rows() == [(4, 4)]


def test_values_without_a_name_are_called_signal():
    values = np.arange(12.0).reshape(4, 3)
    found = signals_on(values, PRICES)
    assert list(found) == ["signal"]
    np.testing.assert_array_equal(found["signal"], values)


def test_a_panel_is_laid_on_the_assets_of_the_prices():
    panel = Panel({"momentum": [[1.0], [2.0], [3.0], [4.0]]}, BARS, ["B"])
    found = signals_on(panel, PRICES)["momentum"]
    np.testing.assert_array_equal(found[:, 1], [1.0, 2.0, 3.0, 4.0])
    assert np.isnan(found[:, [0, 2]]).all()


def test_every_wrong_signal_is_named_at_once():
    two = Panel({"x": np.ones((4, 3)), "y": np.ones((4, 3))}, BARS, ["A", "B", "C"])
    other = Panel({"x": np.ones((4, 1))}, BARS, ["ZZZ"])
    given = {"text": np.array([["a"]]), "complex": np.ones((4, 3)) * 1j, "two": two, "z": other}
    with pytest.raises(ParameterError) as caught:
        signals_on(given, PRICES)
    told = str(caught.value)
    for part in (
        "signal 'text': ",
        "signal 'complex' are complex numbers",
        "signal 'two' is a panel of 2 fields",
        "signal 'z' has assets without prices: ZZZ",
    ):
        assert part in told
