"""Prices of several sources: of each symbol and session, the first that answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.core.calendar import Calendar
from plumbline.core.errors import ParameterError
from plumbline.core.panel import Panel
from plumbline.risk.market import chained_market, market_of
from plumbline.risk.measurement import measure
from plumbline.risk.portfolio_keys import portfolio_keys
from tests.risk.made_books import FIRST, made_book

CALENDAR = Calendar("XNYS")


def panel(fields, symbols, first=FIRST):
    n_bars = len(next(iter(fields.values())))
    bars = CALENDAR.closes(first, first + n_bars - 1)
    return Panel(fields, bars, symbols, first_bar=first)


@given(seed=st.integers(0, 2**32 - 1), n_sources=st.integers(2, 4))
@settings(max_examples=20)
def test_each_cell_is_that_of_the_first_source_that_has_one(seed, n_sources):
    rng = np.random.default_rng(seed)
    panels = {}
    for source in range(n_sources):
        symbols = sorted(rng.choice(["A", "B", "C", "D"], rng.integers(1, 5), replace=False))
        shape = (int(rng.integers(1, 6)), len(symbols))
        close = np.where(rng.random(shape) < 0.4, np.nan, rng.uniform(1, 9, shape))
        fields = {"close": close}
        if rng.random() < 0.5:
            fields["split"] = np.where(rng.random(shape) < 0.7, np.nan, 2.0)
        panels[f"s{source}"] = panel(fields, symbols, FIRST + int(rng.integers(0, 4)))
    market = chained_market(panels, CALENDAR)
    for s, symbol in enumerate(market.symbols):
        for t in range(market.dates.size):
            expected = {"close": (np.nan, -1), "split": (1.0, -1)}
            for at, one in reversed(list(enumerate(panels.values()))):
                row = market.first_bar + t - one.first_bar
                if symbol not in one.assets or not 0 <= row < one.n_bars:
                    continue
                for name in set(one):
                    value = one[name][row, one.assets.index(symbol)]
                    if not np.isnan(value):
                        expected[name] = (value, at)
            np.testing.assert_equal(market.close[s, t], expected["close"][0])
            assert market.split[s, t] == expected["split"][0]
            assert market.source[s, t] == expected["close"][1]


def test_one_source_is_the_market_of_its_panel():
    close = np.array([[1.0, 2.0], [np.nan, 3.0]])
    one = chained_market({"only": panel({"close": close}, ["A", "B"])}, CALENDAR)
    other = market_of(panel({"close": close}, ["A", "B"]), CALENDAR)
    np.testing.assert_array_equal(one.close, other.close)
    assert one.sources == ()


def test_wrong_prices_of_any_source_are_refused():
    good = panel({"close": np.array([[1.0]])}, ["A"])
    bad = panel({"close": np.array([[-1.0]])}, ["B"])
    with pytest.raises(ParameterError, match="must be above 0"):
        chained_market({"good": good, "bad": bad}, CALENDAR)


def test_wrong_splits_and_dividends_are_named_up_to_five():
    n = 7
    fields = {
        "close": np.full((n, 2), 50.0),
        "split": np.array([[1.0, -2.0]] * n),
        "dividend": np.array([[0.0, 0.0]] * (n - 1) + [[-0.5, 0.0]]),
    }
    with pytest.raises(ParameterError) as caught:
        market_of(panel(fields, ("A", "GE")), CALENDAR)
    days = CALENDAR.dates(FIRST, FIRST + n - 1)
    named = ", ".join(f"-2 of GE on {day}" for day in days[:5])
    assert str(caught.value) == (
        f"7 values of split must be finite and above 0: {named} and 2 more; 1 value of dividend "
        f"must be 0 or more: -0.5 of A on {days[-1]}"
    )


def test_positions_tell_the_source_of_their_price_and_keys_know_it():
    rng = np.random.default_rng(2)
    close = rng.uniform(10, 20, (40, 2))
    first = close.copy()
    first[30:, 1] = np.nan
    panels = {
        "main": panel({"close": first}, ["AAA", "BBB"]),
        "backup": panel({"close": close}, ["AAA", "BBB"]),
    }
    market = chained_market(panels, CALENDAR)
    book = made_book(rng, market, 6)
    found = measure(book, market, analytics=[]).exposures
    late = found["date"] >= market.dates[30].item()
    by_symbol = {
        symbol: set(
            found.filter(late & (found["symbol"] == symbol) & (found["quantity"] != 0))[
                "price_source"
            ]
        )
        for symbol in ("AAA", "BBB")
    }
    assert by_symbol == {"AAA": {"main"}, "BBB": {"backup"}}
    other = chained_market({"main": panels["main"], "other": panels["backup"]}, CALENDAR)
    words = [portfolio_keys(book, one, {}).words for one in (market, other)]
    assert (words[0][:, :30] == words[1][:, :30]).all()
    assert (words[0] != words[1]).any()
